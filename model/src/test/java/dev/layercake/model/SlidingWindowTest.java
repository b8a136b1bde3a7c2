package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.KvLayout;
import dev.layercake.kv.KvPool;
import dev.layercake.kv.policy.Policies;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Models with sliding windows drop what is out of sight, and say bit for bit what they say if it stays. */
class SlidingWindowTest {
    private static final List<String> MODELS = List.of("gemma3_text", "gemma2", "mistral_swa24");

    private final Kernels kernels = KernelSelection.choose().kernels();

    @TestFactory
    Stream<DynamicTest> droppingWhatIsOutOfSightChangesNothing() {
        return MODELS.stream()
                .flatMap(name -> Stream.of(DType.F32, DType.F16, DType.BF16)
                        .flatMap(type -> Stream.of(1, 2)
                                .map(threads -> DynamicTest.dynamicTest(
                                        name + ", " + type + ", " + threads + " threads",
                                        () -> check(name, type, threads, "full")))));
    }

    /** A budget that all layers together do not use up: nothing else is ever dropped. */
    @TestFactory
    Stream<DynamicTest> andSoDoesAPolicyThatHasRoomForTheRest() {
        return MODELS.stream()
                .flatMap(name -> Stream.of(
                                "snapkv(budget=300,window=8)",
                                "cake(budget=300,window=8)",
                                "h2o(budget=300)",
                                "streaming(budget=300)",
                                "snapkv(budget=300,window=40)+every(steps=3)")
                        .map(spec ->
                                DynamicTest.dynamicTest(name + ", " + spec, () -> check(name, DType.F32, 1, spec))));
    }

    /** A text in three turns with answers, through a cache that drops and one that does not know of the windows. */
    private void check(String name, DType type, int threads, String spec) {
        Path folder = GoldenFolder.named("model").path().resolve(name);
        try (Workers workers = new Workers(threads);
                Model model = Model.load(folder, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers, 1024)) {
            KvLayout layout = model.config().kvLayout(type, type);
            assertThat(layout.lookback().limited()).isTrue();
            KvLayout blind = new KvLayout(layout.layers(), layout.kvHeads(), layout.headDim(), type, type);
            List<float[]> dropped = answers(model, forward, layout, spec);
            List<float[]> whole = answers(model, forward, blind, spec);
            for (int i = 0; i < dropped.size(); i++) {
                assertThat(dropped.get(i)).as("logits " + i).containsExactly(whole.get(i));
            }
        }
    }

    private static List<float[]> answers(Model model, Forward forward, KvLayout layout, String spec) {
        SplittableRandom random = new SplittableRandom(5);
        List<float[]> logits = new ArrayList<>();
        try (KvPool pool = new KvPool(layout, 16 << 20);
                KvCache cache = new KvCache(pool, Policies.parse(spec), pool.capacityBytes())) {
            for (int prompt : new int[] {130, 1, 20}) {
                int[] tokens =
                        random.ints(prompt, 0, model.config().vocabularySize()).toArray();
                logits.add(Forward.row(forward.prefill(cache, tokens, Forward.Progress.NONE), 0));
                for (int step = 0; step < 25; step++) {
                    Tensor row =
                            forward.decode(cache, random.nextInt(model.config().vocabularySize()));
                    logits.add(Forward.row(row, 0));
                }
                checkInSight(cache);
            }
        }
        return logits;
    }

    private static void checkInSight(KvCache cache) {
        long entries = 0;
        for (int layer = 0; layer < cache.layout().layers(); layer++) {
            long seen = cache.layout().lookback().of(layer, (long) cache.tokensSeen());
            for (int head = 0; head < cache.layout().kvHeads(); head++) {
                int first = cache.tokensSeen() - (int) seen;
                assertThat(cache.positions(layer, head))
                        .containsExactly(
                                IntStream.range(first, cache.tokensSeen()).toArray());
                entries += seen;
            }
        }
        assertThat(cache.lease().entriesInUse()).isEqualTo(entries);
    }
}
