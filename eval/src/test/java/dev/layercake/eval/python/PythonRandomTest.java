package dev.layercake.eval.python;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.layercake.eval.GoldenJson;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Python's generator, drawn from anew for every kind of number. */
final class PythonRandomTest {
    private final JsonNode golden = GoldenJson.read("evaluation/python_random.json");

    @Test
    void everyKindOfDrawIsPythons() {
        for (JsonNode entry : GoldenJson.cases(golden.path("cases"))) {
            long seed = entry.path("seed").asLong();
            drawn(seed, entry.path("random"), (random, value) -> assertEquals(value.asDouble(), random.nextDouble()));
            drawn(
                    seed,
                    entry.path("getrandbits_32"),
                    (random, value) ->
                            assertEquals(value.asLong(), random.bits(32).longValue()));
            drawn(
                    seed,
                    entry.path("getrandbits_128_hex"),
                    (random, value) -> assertEquals(value.asString(), String.format("%032x", random.bits(128))));
            drawn(
                    seed,
                    entry.path("uuid4"),
                    (random, value) ->
                            assertEquals(value.asString(), random.uuid().toString()));
            drawn(
                    seed,
                    entry.path("randint_1000000_9999999"),
                    (random, value) -> assertEquals(value.asInt(), random.between(1_000_000, 9_999_999)));
            entry.path("choice_index").properties().forEach(choice -> {
                int size = Integer.parseInt(choice.getKey());
                drawn(
                        seed,
                        choice.getValue(),
                        (random, value) -> assertEquals(value.asInt(), random.choice(upTo(size))));
            });
            entry.path("shuffle").properties().forEach(shuffle -> {
                List<Integer> list = upTo(Integer.parseInt(shuffle.getKey()));
                PythonRandom.seeded(seed).shuffle(list);
                assertEquals(integers(shuffle.getValue()), list);
            });
        }
    }

    @Test
    void samplesArePythonsWhicheverWayTheyAreDrawn() {
        for (JsonNode entry : GoldenJson.cases(golden.path("cases"))) {
            long seed = entry.path("seed").asLong();
            entry.path("sample").properties().forEach(sample -> {
                String[] sizes = sample.getKey().split(":", 2);
                List<Integer> drawn =
                        PythonRandom.seeded(seed).sample(upTo(Integer.parseInt(sizes[0])), Integer.parseInt(sizes[1]));
                JsonNode expected = sample.getValue();
                if (expected.isArray()) {
                    assertEquals(integers(expected), drawn, sample.getKey());
                } else {
                    assertEquals(integers(expected.path("first10")), drawn.subList(0, 10), sample.getKey());
                }
            });
            List<String> capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                    .chars()
                    .mapToObj(Character::toString)
                    .toList();
            PythonRandom random = PythonRandom.seeded(seed);
            for (String expected : GoldenJson.strings(entry.path("choices_uppercase_5"))) {
                assertEquals(expected, String.join("", random.choices(capitals, 5)));
            }
        }
    }

    @Test
    void numpysLegacyIntegersAreItsOwn() {
        int checked = 0;
        for (JsonNode entry : GoldenJson.cases(golden.path("cases"))) {
            PythonRandom random =
                    PythonRandom.numpyLegacy((int) entry.path("seed").asLong());
            for (JsonNode value : entry.path("numpy_legacy_randint_10000_99999")) {
                assertEquals(value.asInt(), random.legacyBetween(10_000, 99_999));
                checked++;
            }
        }
        assertEquals(true, checked > 0);
    }

    @Test
    void aListIsShuffledOnAndOn() {
        List<Integer> list = upTo(12);
        for (JsonNode step : GoldenJson.cases(golden.path("cumulative_shuffle_of_0_to_11_in_place"))) {
            PythonRandom.seeded(step.path("seed").asLong()).shuffle(list);
            assertEquals(integers(step.path("list_after")), list);
        }
    }

    private interface Draw {
        void check(PythonRandom random, JsonNode expected);
    }

    private static void drawn(long seed, JsonNode expected, Draw draw) {
        PythonRandom random = PythonRandom.seeded(seed);
        Consumer<JsonNode> check = value -> draw.check(random, value);
        GoldenJson.cases(expected).forEach(check);
    }

    private static List<Integer> upTo(int size) {
        return new ArrayList<>(IntStream.range(0, size).boxed().toList());
    }

    private static List<Integer> integers(JsonNode array) {
        List<Integer> values = new ArrayList<>();
        array.forEach(value -> values.add(value.asInt()));
        return values;
    }
}
