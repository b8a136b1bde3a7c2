package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Every case of golden/cake_e2e: CAKE's published code inside a real model, greedy decoding. */
class CakeEndToEndGoldenTest {
    @TestFactory
    Stream<DynamicTest> publishedCakeInsideARealModel() {
        GoldenFolder golden = GoldenFolder.named("cake_e2e");
        GoldenFolder models = GoldenFolder.named("model");
        return golden.cases().stream()
                .flatMap(entry -> TestModels.kernels().stream()
                        .map(kernels ->
                                DynamicTest.dynamicTest(entry.path("name").asString() + " " + kernels.name(), () -> {
                                    Path model = Path.of(entry.path("model_dir").asString());
                                    check(
                                            entry,
                                            golden.path()
                                                    .resolve(entry.path("file").asString()),
                                            models.path().resolve(model.getFileName()),
                                            kernels);
                                })));
    }

    private static String spec(JsonNode entry) {
        return "cake(budget=%d,window=%d,tau1=%s,tau2=%s,gamma=%s,cascading=%b,allocation=official,order=official)"
                .formatted(
                        entry.path("cache_size").asInt(),
                        entry.path("window").asInt(),
                        entry.path("tau1").asDouble(),
                        entry.path("tau2").asDouble(),
                        entry.path("gamma").asDouble(),
                        entry.path("cascading").asBoolean());
    }

    private static void check(JsonNode entry, Path file, Path folder, Kernels kernels) {
        try (Workers workers = new Workers(2);
                Model model = Model.load(folder, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                SafetensorsFile expected = SafetensorsFile.open(file)) {
            int[] prompt = TestModels.integers(expected, "input_ids");
            int[] greedy = TestModels.integers(expected, "greedy_ids");
            int layers = model.config().layerCount();
            try (KvCache cache = TestModels.cache(model, spec(entry), prompt.length + greedy.length, DType.F32)) {
                Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
                for (int layer = 0; layer < layers; layer++) {
                    assertThat(cache.slices().get(layer).limit())
                            .as("budget of layer %d, window included", layer)
                            .isEqualTo(entry.path("layer_budget").get(layer).asInt()
                                    + entry.path("window").asInt());
                    checkKept(cache, layer, expected);
                }
                int[] lengths = TestModels.integers(expected, "cache_len_after_step");
                Tensor expectedLogits = expected.tensor("greedy_logits");
                for (int step = 0; step < greedy.length; step++) {
                    float[] row = Forward.row(logits, 0);
                    checkLogits(row, Forward.row(expectedLogits, step), step);
                    assertThat(TestModels.argmax(row)).as("token %d", step).isEqualTo(greedy[step]);
                    logits = forward.decode(cache, greedy[step]);
                    for (int layer = 0; layer < layers; layer++) {
                        assertThat(cache.rows(layer)[0].length())
                                .as("entries of layer %d after reading token %d", layer, step)
                                .isEqualTo(lengths[step * layers + layer]);
                    }
                }
            }
        }
    }

    private static void checkKept(KvCache cache, int layer, SafetensorsFile expected) {
        int[] kept = TestModels.integers(expected, "kept." + layer);
        int heads = (int) expected.info("kept." + layer).rows();
        int length = kept.length / heads;
        for (int head = 0; head < heads; head++) {
            assertThat(cache.positions(layer, head))
                    .as("kept order of layer %d, head %d", layer, head)
                    .containsExactly(Arrays.copyOfRange(kept, head * length, (head + 1) * length));
        }
    }

    private static void checkLogits(float[] actual, float[] expected, int step) {
        for (int index = 0; index < expected.length; index++) {
            assertThat(actual[index]).as("logit %d of step %d", index, step).isCloseTo(expected[index], within(1e-3f));
        }
    }
}
