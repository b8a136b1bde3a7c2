package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.SimdKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Quest: what a token reads, against the definition in double precision. */
class PageChoiceTest {
    private static final int GROUP = 2;
    private static final int BUDGET = 12;
    private static final int PAGE = 4;

    private static KvLayout layout(DType type) {
        return new KvLayout(3, 2, 32, type, type);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16", "Q8_0"})
    void aTokenReadsTheBestPagesAndTheNewest(DType type) {
        String spec = "quest(budget=" + BUDGET + ",page=" + PAGE + ",dense=1)";
        for (Kernels kernels : List.of(new ScalarKernels(), new SimdKernels())) {
            try (ToySequence sequence = ToySequence.planned(layout(type), GROUP, Policies.parse(spec), 45, 40, 11)) {
                sequence.prompt(45);
                int readLess = 0;
                for (int step = 0; step < 20; step++) {
                    readLess += step(sequence, sequence.shape, kernels);
                }
                assertThat(readLess).as("heads that did not read everything").isEqualTo(20 * 2 * 2);
                sequence.prompt(9);
                step(sequence, sequence.shape, kernels);
                sequence.checkRows();
            }
        }
    }

    /** What a window has left behind would be read for nothing: only pages in sight are chosen from. */
    @ParameterizedTest
    @ValueSource(ints = {1, 11, 19, 22, 200})
    void pagesOutOfSightAreNotChosen(int slidingWindow) {
        String spec = "quest(budget=" + BUDGET + ",page=" + PAGE + ",dense=1)";
        for (Kernels kernels : List.of(new ScalarKernels(), new SimdKernels())) {
            try (ToySequence sequence =
                    ToySequence.planned(layout(DType.F32), GROUP, Policies.parse(spec), 45, 10, 12)) {
                AttentionShape shape = new AttentionShape(4, 2, 32, sequence.shape.scale(), 0, slidingWindow);
                sequence.prompt(45);
                for (int step = 0; step < 10; step++) {
                    step(sequence, shape, kernels);
                }
            }
        }
    }

    /** Decodes a token, compares what each query head got, and returns how many KV heads read less than everything. */
    private static int step(ToySequence sequence, AttentionShape shape, Kernels kernels) {
        int readLess = 0;
        try (Arena arena = Arena.ofConfined();
                KvStep step = sequence.cache.beginStep(kernels, sequence.workers)) {
            int position = step.position();
            for (int layer = 0; layer < sequence.layout.layers(); layer++) {
                Tensor query = sequence.queries(layer, position, 1, arena);
                KvRows[] rows = step.append(
                        layer, sequence.keys(layer, position, 1, arena), sequence.values(layer, position, 1, arena));
                step.look(shape, query);
                Tensor out = Tensor.allocate(arena, DType.F32, 1, query.columns());
                kernels.attendOne(shape, rows, query, position, out, null, sequence.workers);
                int oldest = shape.slidingWindow() == 0 ? 0 : position - shape.slidingWindow() + 1;
                for (int head = 0; head < rows.length; head++) {
                    int at = head;
                    List<Integer> read = layer == 0
                            ? IntStream.range(0, rows[head].length()).boxed().toList()
                            : chosen(rows[head], query, head, oldest);
                    read = read.stream()
                            .filter(slot -> rows[at].position(slot) >= oldest)
                            .toList();
                    readLess += read.size() < rows[head].length() ? 1 : 0;
                    assertThat(read.size()).isLessThanOrEqualTo(layer == 0 ? Integer.MAX_VALUE : BUDGET);
                    for (int member = head * GROUP; member < (head + 1) * GROUP; member++) {
                        double[] expected = attended(rows[head], query, member, read, shape.scale());
                        for (int i = 0; i < expected.length; i++) {
                            assertThat((double) out.get(0, (long) member * expected.length + i))
                                    .as("layer %d, query head %d, element %d", layer, member, i)
                                    .isCloseTo(expected[i], within(1e-4));
                        }
                    }
                }
                step.endLayer(null);
            }
            step.finish();
        }
        return readLess;
    }

    /** The slots of the pages with the largest upper bounds, and of the newest page. */
    private static List<Integer> chosen(KvRows rows, Tensor query, int head, int oldest) {
        int pages = (rows.length() + PAGE - 1) / PAGE;
        List<Integer> judged = new ArrayList<>(IntStream.range(0, pages - 1)
                .filter(page -> rows.position((page + 1) * PAGE - 1) >= oldest)
                .boxed()
                .toList());
        judged.sort(Comparator.comparingDouble((Integer page) -> -bound(rows, query, head, page))
                .thenComparing(page -> page));
        List<Integer> read = new ArrayList<>(judged.subList(0, Math.min(judged.size(), BUDGET / PAGE - 1)));
        read.add(pages - 1);
        return read.stream()
                .flatMap(page -> IntStream.range(page * PAGE, Math.min((page + 1) * PAGE, rows.length()))
                        .boxed())
                .toList();
    }

    private static double bound(KvRows rows, Tensor query, int head, int page) {
        double best = Double.NEGATIVE_INFINITY;
        for (int member = head * GROUP; member < (head + 1) * GROUP; member++) {
            double sum = 0;
            for (int i = 0; i < rows.headDim(); i++) {
                double high = Double.NEGATIVE_INFINITY;
                for (int slot = page * PAGE; slot < (page + 1) * PAGE; slot++) {
                    high = Math.max(
                            high, query.get(0, (long) member * rows.headDim() + i) * (double) key(rows, slot)[i]);
                }
                sum += high;
            }
            best = Math.max(best, sum);
        }
        return best;
    }

    private static double[] attended(KvRows rows, Tensor query, int member, List<Integer> read, float scale) {
        double[] logits = new double[read.size()];
        double largest = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < logits.length; i++) {
            float[] key = key(rows, read.get(i));
            for (int channel = 0; channel < key.length; channel++) {
                logits[i] += scale * query.get(0, (long) member * key.length + channel) * (double) key[channel];
            }
            largest = Math.max(largest, logits[i]);
        }
        double sum = 0;
        double[] out = new double[rows.headDim()];
        for (int i = 0; i < logits.length; i++) {
            double weight = Math.exp(logits[i] - largest);
            sum += weight;
            float[] value = new float[out.length];
            rows.readValue(read.get(i), value);
            for (int channel = 0; channel < out.length; channel++) {
                out[channel] += weight * value[channel];
            }
        }
        for (int channel = 0; channel < out.length; channel++) {
            out[channel] /= sum;
        }
        return out;
    }

    private static float[] key(KvRows rows, int slot) {
        float[] key = new float[rows.headDim()];
        rows.readKey(slot, key);
        return key;
    }

    /** The bounds lie in the pool, are counted, and go with the rest. */
    @Test
    void boundsAreCounted() {
        KvLayout layout = layout(DType.BF16);
        try (ToySequence sequence =
                ToySequence.planned(layout, GROUP, Policies.parse("quest(budget=64,page=4,dense=0)"), 70, 10, 3)) {
            sequence.prompt(70);
            // 70 entries on 9 pages of 8; 17 pages of 4 are full, whose bounds fill 3 more.
            assertThat(sequence.cache.bytesInUse(1)).isEqualTo(2 * (9 + 3) * sequence.pool.pageBytes());
            sequence.steps(10);
            assertThat(sequence.cache.bytesInUse(1)).isEqualTo(2 * (10 + 3) * sequence.pool.pageBytes());
            sequence.cache.clear();
            assertThat(sequence.pool.bytesInUse()).isZero();
        }
    }

    /** A fork chooses as the original would. */
    @Test
    void aForkKnowsTheBounds() {
        KvLayout layout = layout(DType.F32);
        KvPlan plan = KvPlan.of(layout, 8, Policies.parse("quest(budget=12,page=4,dense=0)"), 60, 10);
        try (ToySequence sequence = new ToySequence(
                layout, GROUP, Policies.parse("quest(budget=12,page=4,dense=0)"), 2 * plan.peakBytes(), 8, 5)) {
            sequence.cache.lease().reserve(plan.peakBytes());
            sequence.prompt(60);
            try (KvCache fork = sequence.cache.fork()) {
                assertThat(fork.layer(1).head(1).bounds().rows().length()).isEqualTo(15);
                float[] high = new float[32];
                float[] copied = new float[32];
                sequence.cache.layer(1).head(1).bounds().rows().readKey(14, high);
                fork.layer(1).head(1).bounds().rows().readKey(14, copied);
                assertThat(copied).isEqualTo(high);
            }
        }
    }

    /** The first page of a model with one KV head. */
    @Test
    void oneHeadMayHaveOnePage() {
        KvLayout layout = new KvLayout(2, 1, 32, DType.F32, DType.F32);
        KvPolicy policy = Policies.parse("quest(budget=4,page=4,dense=0)");
        try (ToySequence sequence = ToySequence.planned(layout, GROUP, policy, 5, 12, 5)) {
            sequence.prompt(5);
            sequence.steps(12);
            sequence.checkRows();
            assertThat(sequence.cache.tokensSeen()).isEqualTo(17);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"quest+lowbit", "quest+ada", "quest+every", "quest+chunks", "quest+rerotate"})
    void whatDropsNothingCannotBeModified(String spec) {
        assertThatThrownBy(() -> Policies.parse(spec)).hasMessageContaining("quest");
    }
}
