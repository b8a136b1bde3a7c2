package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What every policy owes, inside whole models: nothing lost when all fits, and memory within the bound when it does not. */
class BudgetOnModelsTest {
    private static final int DECODED = 24;

    private final Kernels kernels = KernelSelection.choose().kernels();

    @FunctionalInterface
    private interface Check {
        void run(Model model, Forward forward, int[] prompt);
    }

    @TestFactory
    Stream<DynamicTest> aBudgetAbovePromptAndAnswerChangesNothing() {
        return onEveryModel((model, forward, prompt) -> {
            List<Integer> full = greedy(model, forward, prompt, "full");
            String sizes = "budget=" + (prompt.length + DECODED);
            for (String spec : List.of(
                    "streaming(" + sizes + ")",
                    "snapkv(" + sizes + ",window=16)",
                    "cake(" + sizes + ",window=16)",
                    "cake(" + sizes + ",window=16,allocation=official,order=official)",
                    "cake(" + sizes + ",window=16,cascading=false)",
                    "random(" + sizes + ",window=16)",
                    "cake(" + sizes + ",window=16)+lowbit",
                    "mikv(ratio=1)",
                    "specache(bits=1,fetch=100000,residual=5,group=8,slow=file)",
                    "specache(bits=1,fetch=100000,residual=5,group=8,slow=ram)",
                    "specache(residual=1000)")) {
                assertThat(greedy(model, forward, prompt, spec)).as(spec).isEqualTo(full);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> aPrefillNeverHoldsMoreThanTheBudgetAndOneLayer() {
        return onEveryModel((model, forward, prompt) -> {
            for (int window : new int[] {1, 4, 16}) {
                for (int budget : new int[] {window, 17, 40}) {
                    if (budget < window) {
                        continue;
                    }
                    for (String policy : List.of("cake", "snapkv", "random")) {
                        String spec = policy + "(budget=" + budget + ",window=" + window + ")";
                        try (KvCache cache = TestModels.cache(model, spec, prompt.length + DECODED, DType.BF16)) {
                            forward.prefill(cache, prompt, Forward.Progress.NONE);
                            long perHead = (long) model.config().layerCount() * budget + prompt.length;
                            assertThat(cache.lease().peakEntries())
                                    .as(spec)
                                    .isPositive()
                                    .isLessThanOrEqualTo(
                                            perHead * model.config().kvHeads());
                            assertThat(cache.lease().entriesInUse())
                                    .as("left by " + spec)
                                    .isEqualTo(left(model, budget, prompt.length)
                                            * model.config().kvHeads());
                        }
                    }
                }
            }
        });
    }

    /** The whole budget of all layers, unless they see less together. */
    private static long left(Model model, int budget, int tokens) {
        long seen = 0;
        for (ModelConfig.Layer layer : model.config().layers()) {
            seen += layer.slidingWindow() == 0 ? tokens : Math.min(tokens, layer.slidingWindow() - 1);
        }
        return Math.min((long) model.config().layerCount() * budget, seen);
    }

    private Stream<DynamicTest> onEveryModel(Check check) {
        GoldenFolder golden = GoldenFolder.named("model");
        return golden.cases().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.path("name").asString(), () -> {
                    Path folder = golden.path().resolve(entry.path("dir").asString());
                    try (Workers workers = new Workers(2);
                            Model model = Model.load(folder, null, kernels, workers);
                            Forward forward = new Forward(model, kernels, workers);
                            SafetensorsFile expected = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
                        check.run(model, forward, TestModels.integers(expected, "input_ids"));
                    }
                }));
    }

    private static List<Integer> greedy(Model model, Forward forward, int[] prompt, String spec) {
        List<Integer> tokens = new ArrayList<>();
        try (KvCache cache = TestModels.cache(model, spec, prompt.length + DECODED, DType.BF16)) {
            Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
            while (tokens.size() < DECODED) {
                tokens.add(TestModels.argmax(Forward.row(logits, 0)));
                logits = forward.decode(cache, tokens.getLast());
            }
        }
        return tokens;
    }
}
