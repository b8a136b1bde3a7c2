package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.Slice;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.AttentionGates;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Policies that know something of the model beforehand, on the bundled model; and what texts are worth to it. */
final class LearnedPoliciesTest extends CrumbTest {
    private static final GenerationOptions SHORT =
            GenerationOptions.builder().maxTokens(8).build();

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** A profile of the bundled model with made-up numbers, in a folder whose name has blanks. */
    private String profile(Measure measure, String fingerprint) {
        int layers = model.model().config().layerCount();
        int heads = model.model().config().kvHeads();
        List<List<Double>> numbers = IntStream.range(0, layers)
                .mapToObj(layer -> IntStream.range(0, heads)
                        .mapToObj(head -> (1 + (layer * 7 + head * 3) % 5) / 5.0)
                        .toList())
                .toList();
        List<Double> blocks = IntStream.range(0, layers).mapToObj(layer -> 0.5).toList();
        Path file = folder.resolve("a folder").resolve(measure.label() + ".json");
        new HeadProfile("crumb", fingerprint, 2, measure, numbers, blocks, 1, 2, "made up", "2026-11-22", List.of())
                .write(file);
        return '"' + file.toString() + '"';
    }

    private String spec(String spec) {
        String measure = spec.startsWith("duo") ? "duo" : "value";
        return spec.replace(
                "profile=P",
                "profile=" + profile(Measure.valueOf(measure.toUpperCase(Locale.ROOT)), model.fingerprint()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "baklava(profile=P,budget=600)",
                "baklava(profile=P,budget=600,tokens=streaming)",
                "cake(budget=600)+baklava(profile=P)",
                "duo(profile=P,sinks=4,recent=600)"
            })
    void aBudgetAboveTheTextGivesTheTokensOfFull(String policy) {
        Haystack haystack = haystack(400);
        try (Session full = model.session("full");
                Session other = model.session(spec(policy))) {
            assertThat(other.ask(haystack.prompt(), SHORT).summary().tokens())
                    .isEqualTo(full.ask(haystack.prompt(), SHORT).summary().tokens())
                    .isNotEmpty();
        }
    }

    private static Haystack haystack(int tokens) {
        return Haystack.generate(
                5, tokens, 3, .3, text -> model.model().tokenizer().encode(text, false).length);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "baklava(profile=P,budget=64)",
                "baklava(profile=P,budget=64,tokens=streaming,rule=twolevel)",
                "snapkv(budget=64)+baklava(profile=P,power=4)",
                "duo(profile=P,sinks=4,recent=60)"
            })
    void memoryStaysUnderThePlanTurnAfterTurn(String policy) {
        try (Session session = model.session(spec(policy))) {
            for (int turn = 0; turn < 3; turn++) {
                model.pool().resetPeaks();
                Generation generation = session.ask(turn == 0 ? haystack(500).prompt() : "And what else?", SHORT);
                GenerationSummary summary = generation.summary();
                assertThat(summary.tokens()).isNotEmpty();
                assertThat(model.pool().peakBytes())
                        .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
                KvUsage kv = summary.kv();
                assertThat(kv.bytesNow()).isLessThan(kv.bytesFull());
                assertThat(kv.slices().stream().map(Slice::entries).distinct().count())
                        .as("heads differ")
                        .isGreaterThan(1);
            }
        }
    }

    private String openGates() {
        Path file = folder.resolve("gates.safetensors");
        AttentionGates.writeOpen(file, model.model().config(), 2, 8);
        return '"' + file.toString() + '"';
    }

    @Test
    void openGatesGiveTheTokensOfFullTurnAfterTurn() {
        try (Session full = model.session("full");
                Session gated = model.session("gate(weights=" + openGates() + ")")) {
            for (String message : List.of(haystack(400).prompt(), "And what else?")) {
                assertThat(gated.ask(message, SHORT).summary().tokens())
                        .isEqualTo(full.ask(message, SHORT).summary().tokens())
                        .isNotEmpty();
            }
            assertThat(gated.kv().bytesNow()).isEqualTo(full.kv().bytesNow());
        }
    }

    @Test
    void gatesReserveTheFullSizeAndFreeWhatTheyReject() {
        String spec = "gate(weights=" + openGates() + ",threshold=1,sinks=4,recent=20)";
        try (Session session = model.session(spec)) {
            for (int turn = 0; turn < 3; turn++) {
                model.pool().resetPeaks();
                GenerationSummary summary = session.ask(
                                turn == 0 ? haystack(500).prompt() : "And what else?", SHORT)
                        .summary();
                assertThat(summary.plan().kvPeakBytes())
                        .isGreaterThanOrEqualTo(summary.kv().bytesNow());
                assertThat(model.pool().peakBytes())
                        .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
                if (turn == 0) {
                    MemoryPlan full = model.plan(Policies.full(), summary.promptTokens(), 8);
                    assertThat(summary.plan().kvPeakBytes()).isEqualTo(full.kvPeakBytes());
                    assertThat(session.positions(3, 1)).startsWith(0, 1, 2, 3, summary.promptTokens() - 20);
                }
            }
        }
    }

    /**
     * Right answers of 16 to texts with three facts, one of them asked for.
     *
     * @param kept mean share of the entries
     */
    private record Answers(int right, double kept) {}

    private static Answers answers(String spec) {
        int right = 0;
        double kept = 0;
        for (int seed = 0; seed < 16; seed++) {
            Haystack haystack = Haystack.generate(
                    100 + seed,
                    400,
                    3,
                    (seed + .5) / 16,
                    text -> model.model().tokenizer().encode(text, false).length);
            try (Session session = model.session(spec)) {
                GenerationSummary summary =
                        session.ask(haystack.prompt(), SHORT).summary();
                if (haystack.needle().answeredBy(summary.text())) {
                    right++;
                }
                List<Slice> slices = summary.kv().slices();
                long entries = slices.stream().mapToLong(Slice::total).sum();
                int heads = slices.size() * model.model().config().kvHeads();
                kept += (double) entries / heads / session.tokens() / 16;
            }
        }
        return new Answers(right, kept);
    }

    @Test
    void theGatesOfCrumbKeepWhatAnswersNeed() {
        Path gates = Crumb.root().resolve("models/crumb-gates/gates.safetensors");
        Answers gated = answers("gate(weights=\"" + gates + "\")");
        assertThat(gated.kept()).isBetween(.35, .55);
        assertThat(gated.right()).isGreaterThanOrEqualTo(14);
        assertThat(answers("random(budget=200)").right()).isLessThan(12);
    }

    @Test
    void gatesThatDoNotFitAreRefusedBeforeAnythingRuns() {
        assertThatThrownBy(() -> model.session("gate(weights=\"" + folder.resolve("none") + "\")"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("none");
        Path model256 = Crumb.root().resolve("models/crumb/model.safetensors");
        assertThatThrownBy(() -> model.session("gate(weights=\"" + model256 + "\")"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("do not fit this model: its metadata have no whole number");
    }

    @Test
    void aProfileOfOtherWeightsIsRefused() {
        String other = profile(Measure.VALUE, "00000000");
        assertThatThrownBy(() -> model.session("baklava(profile=" + other + ")"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("other weights (crumb, fingerprint 00000000)")
                .hasMessageContaining(model.fingerprint());
    }

    @Test
    void givenTokensAreAsLikelyHoweverTheyAreRead() {
        int[] text = model.model().tokenizer().encode(haystack(200).prompt(), true);
        int[] prompt = Arrays.copyOf(text, 150);
        int[] rest = Arrays.copyOfRange(text, 150, text.length);
        try (Session whole = model.session("full");
                Session parts = model.session("full");
                Session greedy = model.session("full")) {
            double[] likelihoods = whole.score(prompt, rest);
            assertThat(likelihoods).hasSize(rest.length);
            assertThat(Arrays.stream(likelihoods).allMatch(value -> value <= 0)).isTrue();
            assertThat(whole.tokens()).isEqualTo(text.length);
            double[] first = parts.score(Arrays.copyOf(text, 120), Arrays.copyOfRange(text, 120, 150));
            double[] second = parts.score(Arrays.copyOf(rest, 5), Arrays.copyOfRange(rest, 5, rest.length));
            assertThat(first).hasSize(30);
            for (int index = 0; index < second.length; index++) {
                assertThat(second[index]).isCloseTo(likelihoods[index + 5], within(0.05));
            }
            List<Integer> chosen = greedy.generate(prompt, SHORT).summary().tokens();
            int[] answer = chosen.stream().mapToInt(token -> token).toArray();
            greedy.reset();
            double likeliest = Arrays.stream(greedy.score(prompt, answer)).sum();
            greedy.reset();
            answer[0] = answer[0] == 7 ? 8 : 7;
            assertThat(Arrays.stream(greedy.score(prompt, answer)).sum()).isLessThan(likeliest);
            assertThatThrownBy(() -> greedy.score(prompt, new int[] {-1})).isInstanceOf(LayercakeException.class);
            assertThatThrownBy(() -> greedy.score(new int[0], rest)).isInstanceOf(LayercakeException.class);
        }
    }

    @Test
    void aTightBudgetMakesTextLessLikely() {
        int[] text = model.model().tokenizer().encode(haystack(500).prompt(), true);
        int[] prompt = Arrays.copyOf(text, 400);
        int[] rest = Arrays.copyOfRange(text, 400, text.length);
        try (Session full = model.session("full");
                Session same = model.session("snapkv(budget=600)");
                Session tight = model.session("snapkv(budget=4,window=2)")) {
            double[] likelihoods = full.score(prompt, rest);
            assertThat(same.score(prompt, rest)).containsExactly(likelihoods);
            double[] cut = tight.score(prompt, rest);
            assertThat(cut[0]).as("comes out of the prefill").isCloseTo(likelihoods[0], within(1e-5));
            assertThat(Arrays.stream(cut).sum())
                    .isNotEqualTo(Arrays.stream(likelihoods).sum());
        }
    }
}
