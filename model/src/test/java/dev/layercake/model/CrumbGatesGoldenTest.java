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
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Random gates in the bundled model: scores, what passes, and the logits after it as PyTorch computes them. */
final class CrumbGatesGoldenTest {
    private static final Path CRUMB = Path.of(System.getProperty("layercake.root"), "models", "crumb");

    private final GoldenFolder golden = GoldenFolder.named("gates");

    @TestFactory
    Stream<DynamicTest> pyTorch() {
        return golden.cases().stream()
                .flatMap(entry -> TestModels.kernels().stream()
                        .map(kernels -> DynamicTest.dynamicTest(
                                entry.path("name").asString() + " " + kernels.name(), () -> check(entry, kernels))));
    }

    private void check(JsonNode entry, Kernels kernels) throws IOException {
        String name = entry.path("name").asString();
        int[] prompt = IntStream.range(0, entry.path("prompt").size())
                .map(index -> entry.path("prompt").get(index).asInt())
                .toArray();
        Path file = golden.path().resolve("gates.safetensors");
        String spec = "gate(weights=\"" + file + "\")";
        FloatBuffer scores = floats(golden.path().resolve(name + ".scores.f32"));
        try (Workers workers = new Workers(2);
                Model model = Model.load(CRUMB, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                Arena arena = Arena.ofShared();
                KvCache observed = TestModels.cache(model, spec, prompt.length, DType.F32);
                KvCache cache = TestModels.cache(model, spec, prompt.length, DType.F32)) {
            AttentionGates gates = AttentionGates.load(file, model.config(), arena);
            GatePass pass = new GatePass(gates, model.config(), prompt.length, kernels, workers, arena);
            forward.prefillObserved(
                    observed,
                    prompt,
                    (layer, states) -> {
                        if (layer < model.config().layerCount()) {
                            checkScores(
                                    pass.scores(layer, norm(model, layer, states, kernels, workers)), scores, layer);
                        }
                    },
                    arena);
            float[] logits = Forward.row(forward.prefill(cache, prompt, Forward.Progress.NONE), 0);
            float[] expected = new float[logits.length];
            floats(golden.path().resolve(name + ".logits.f32")).get(expected);
            assertThat(logits).containsExactly(expected, within(0.01f));
            checkHeld(cache, scores, model.config(), prompt.length);
        }
    }

    private static GatePass.Norm norm(Model model, int layer, Tensor states, Kernels kernels, Workers workers) {
        Tensor weight = model.weights().layers().get(layer).attentionNorm();
        return (first, count) -> {
            Tensor normed = Tensor.allocate(Arena.ofAuto(), DType.F32, count, states.columns());
            kernels.rmsNorm(states.slice(first, count), weight, model.config().normEpsilon(), normed, workers);
            return normed;
        };
    }

    /** @param expected [layers][tokens][kvHeads] */
    private static void checkScores(float[][] found, FloatBuffer expected, int layer) {
        int tokens = found[0].length;
        for (int head = 0; head < found.length; head++) {
            for (int token = 0; token < tokens; token++) {
                assertThat(found[head][token])
                        .as("layer %d, head %d, token %d", layer, head, token)
                        .isCloseTo(expected.get((layer * tokens + token) * found.length + head), within(2e-3f));
            }
        }
    }

    private static void checkHeld(KvCache cache, FloatBuffer scores, ModelConfig config, int tokens) {
        for (int layer = 0; layer < config.layerCount(); layer++) {
            for (int head = 0; head < config.kvHeads(); head++) {
                int first = layer * tokens * config.kvHeads() + head;
                int[] passed = IntStream.range(0, tokens)
                        .filter(token -> scores.get(first + token * config.kvHeads()) > 0.5)
                        .toArray();
                int[] held = cache.positions(layer, head).clone();
                Arrays.sort(held);
                assertThat(held).containsExactly(passed);
            }
        }
    }

    private static FloatBuffer floats(Path file) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(file))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
    }
}
