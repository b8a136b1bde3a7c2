package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The bundled model on generated texts: logits and greedy tokens as the PyTorch model that was trained computes them. */
class CrumbGoldenTest {
    private static final Path CRUMB = Path.of(System.getProperty("layercake.root"), "models", "crumb");

    private final GoldenFolder golden = GoldenFolder.named("crumb");

    @Test
    void theNumbersAreOfTheseWeights() throws IOException, NoSuchAlgorithmException {
        byte[] weights = Files.readAllBytes(CRUMB.resolve("model.safetensors"));
        String digest =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(weights));
        JsonNode expected = JsonMapper.shared()
                .readTree(golden.path().resolve("cases.json").toFile())
                .path("modelSha256");
        assertThat(digest)
                .as("whoever replaces models/crumb runs training/golden.py")
                .isEqualTo(expected.asString());
    }

    @TestFactory
    Stream<DynamicTest> pyTorch() {
        return golden.cases().stream()
                .flatMap(entry -> TestModels.kernels().stream()
                        .map(kernels -> DynamicTest.dynamicTest(
                                entry.path("name").asString() + " " + kernels.name(), () -> check(entry, kernels))));
    }

    private void check(JsonNode entry, Kernels kernels) throws IOException {
        int[] prompt = integers(entry.path("prompt"));
        int[] greedy = integers(entry.path("greedy"));
        try (Workers workers = new Workers(2);
                Model model = Model.load(CRUMB, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                Arena arena = Arena.ofShared();
                KvCache observed = TestModels.cache(model, "full", prompt.length, DType.F32);
                KvCache cache = TestModels.cache(model, "full", prompt.length + greedy.length, DType.F32)) {
            Tensor everywhere = forward.prefillObserved(observed, prompt, (index, states) -> {}, arena);
            int positions = entry.path("positions").asInt();
            FloatBuffer expected =
                    floats(golden.path().resolve(entry.path("logits").asString()));
            assertThat(expected.remaining()).isEqualTo(positions * (int) everywhere.columns());
            for (int position = prompt.length - positions; position < prompt.length; position++) {
                for (float actual : Forward.row(everywhere, position)) {
                    assertThat(actual).as("position %d", position).isCloseTo(expected.get(), within(1e-3f));
                }
            }
            List<Integer> tokens = new ArrayList<>();
            Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
            for (int token : greedy) {
                tokens.add(TestModels.argmax(Forward.row(logits, 0)));
                logits = forward.decode(cache, token);
            }
            assertThat(tokens).containsExactly(Arrays.stream(greedy).boxed().toArray(Integer[]::new));
        }
    }

    private static int[] integers(JsonNode array) {
        int[] values = new int[array.size()];
        for (int index = 0; index < values.length; index++) {
            values[index] = array.get(index).asInt();
        }
        return values;
    }

    private static FloatBuffer floats(Path file) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(file))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
    }
}
