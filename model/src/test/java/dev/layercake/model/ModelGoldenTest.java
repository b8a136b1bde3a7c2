package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Every checkpoint of golden/model: logits, hidden states and greedy tokens as Hugging Face computes them. */
class ModelGoldenTest {
    @TempDir
    private Path temporary;

    @TestFactory
    Stream<DynamicTest> huggingFaceCheckpoints() {
        GoldenFolder golden = GoldenFolder.named("model");
        return golden.cases().stream()
                .flatMap(entry -> TestModels.kernels().stream()
                        .map(kernels -> DynamicTest.dynamicTest(name(entry) + " " + kernels.name(), () -> {
                            Path folder =
                                    golden.path().resolve(entry.path("dir").asString());
                            check(folder, folder, kernels);
                        })));
    }

    @TestFactory
    Stream<DynamicTest> sameCheckpointsAsGguf() {
        GoldenFolder golden = GoldenFolder.named("model");
        Kernels kernels = TestModels.kernels().getLast();
        return golden.cases().stream()
                .map(entry -> DynamicTest.dynamicTest(name(entry), () -> {
                    Path folder = golden.path().resolve(entry.path("dir").asString());
                    Path gguf = temporary.resolve(name(entry) + ".gguf");
                    try (Workers workers = new Workers(2);
                            Model model = Model.load(folder, null, kernels, workers)) {
                        GgufModelWriter.write(model, gguf);
                    }
                    check(gguf, folder, kernels);
                }));
    }

    private static String name(JsonNode entry) {
        return entry.path("name").asString();
    }

    private static void check(Path checkpoint, Path folder, Kernels kernels) throws Exception {
        try (Workers workers = new Workers(2);
                Model model = Model.load(checkpoint, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                SafetensorsFile expected = SafetensorsFile.open(folder.resolve("expected.safetensors"));
                Arena arena = Arena.ofShared()) {
            int[] prompt = TestModels.integers(expected, "input_ids");
            int[] positions = TestModels.integers(expected, "hidden_positions");
            int[] greedy = TestModels.integers(expected, "greedy_ids");
            List<float[]> hidden = new ArrayList<>();
            try (KvCache cache = TestModels.cache(model, "full", prompt.length + greedy.length, DType.F32)) {
                Tensor logits = forward.prefillObserved(
                        cache, prompt, (index, states) -> hidden.add(rows(states, positions)), arena);
                for (int index = 0; index < hidden.size(); index++) {
                    close(hidden.get(index), expected.tensor("hidden." + index).toArray(), "hidden " + index);
                }
                assertThat(hidden).hasSize(model.config().layerCount() + 1);
                close(logits.toArray(), expected.tensor("logits").toArray(), "logits");
            }
            checkGreedy(model, forward, prompt, greedy, expected.tensor("greedy_logits"));
        }
    }

    private static void checkGreedy(Model model, Forward forward, int[] prompt, int[] greedy, Tensor expectedLogits) {
        try (KvCache cache = TestModels.cache(model, "full", prompt.length + greedy.length, DType.F32)) {
            Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
            for (int index = 0; index < greedy.length; index++) {
                float[] row = Forward.row(logits, 0);
                close(row, Forward.row(expectedLogits, index), "logits of greedy token " + index);
                assertThat(TestModels.argmax(row)).as("greedy token %d", index).isEqualTo(greedy[index]);
                if (index + 1 < greedy.length) {
                    logits = forward.decode(cache, greedy[index]);
                }
            }
        }
    }

    private static float[] rows(Tensor states, int[] positions) {
        float[] picked = new float[positions.length * (int) states.columns()];
        for (int index = 0; index < positions.length; index++) {
            System.arraycopy(Forward.row(states, positions[index]), 0, picked, index * (int) states.columns(), (int)
                    states.columns());
        }
        return picked;
    }

    private static void close(float[] actual, float[] expected, String what) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int index = 0; index < expected.length; index++) {
            assertThat(actual[index])
                    .as("%s, element %d", what, index)
                    .isCloseTo(expected[index], within(1e-4f + 1e-5f * Math.abs(expected[index])));
        }
    }
}
