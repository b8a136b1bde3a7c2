package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Prompt and answer have the same bits for any number of threads, in whatever way a policy looks at them. */
class ThreadCountTest {
    private static final int PROMPT = 300;
    private static final int DECODED = 2;
    private static final List<String> POLICIES = List.of(
            "full",
            "cake(budget=200,window=16)",
            "h2o(budget=200)",
            "tova(budget=200)",
            "snapkv(budget=200,window=16)+critical",
            "dropkv(budget=200)",
            "expected(budget=200)",
            "quest(budget=128)",
            "cake(budget=150,window=16)+lowbit",
            "specache(residual=200)");

    @TestFactory
    Stream<DynamicTest> theNumberOfThreadsChangesNoBit() {
        GoldenFolder golden = GoldenFolder.named("model");
        return golden.cases().stream()
                .map(entry -> DynamicTest.dynamicTest(
                        entry.path("name").asString(),
                        () -> check(golden.path().resolve(entry.path("dir").asString()))));
    }

    private static void check(Path folder) {
        Kernels kernels = KernelSelection.choose().kernels();
        Map<String, List<float[]>> alone = new HashMap<>();
        for (int threads : new int[] {1, 2, 3, 4, 5}) {
            try (Workers workers = new Workers(threads);
                    Model model = Model.load(folder, null, kernels, workers);
                    Forward forward = new Forward(model, kernels, workers)) {
                for (String spec : POLICIES) {
                    List<float[]> logits = logits(model, forward, spec);
                    List<float[]> expected = alone.computeIfAbsent(spec, key -> logits);
                    for (int step = 0; step < logits.size(); step++) {
                        assertThat(logits.get(step))
                                .as("%s, %d threads, step %d", spec, threads, step)
                                .isEqualTo(expected.get(step));
                    }
                }
            }
        }
    }

    private static List<float[]> logits(Model model, Forward forward, String spec) {
        SplittableRandom random = new SplittableRandom(7);
        int vocabulary = model.config().vocabularySize();
        int[] prompt = random.ints(PROMPT, 0, vocabulary).toArray();
        List<float[]> logits = new ArrayList<>();
        try (KvCache cache = TestModels.cache(model, spec, PROMPT + DECODED, DType.BF16)) {
            Tensor last = forward.prefill(cache, prompt, Forward.Progress.NONE);
            logits.add(Forward.row(last, 0));
            for (int step = 0; step < DECODED; step++) {
                logits.add(Forward.row(forward.decode(cache, random.nextInt(vocabulary)), 0));
            }
        }
        return logits;
    }
}
