package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The specification against numbers worked out by hand or by a different formula in double. */
class ScalarKernelsTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers workers = new Workers(1);
    private final ScalarKernels kernels = new ScalarKernels();

    @AfterEach
    void close() {
        workers.close();
        arena.close();
    }

    @Test
    void matmulMultipliesByTheTransposedWeights() {
        Tensor weights = Tensor.of(arena, 2, 3, 1, 2, 3, 4, 5, 6);
        Tensor x = Tensor.of(arena, 2, 3, 1, 0, -1, 2, 1, 0);
        Tensor out = Tensor.allocate(arena, DType.F32, 2, 2);
        kernels.matmul(weights, x, out, workers);
        assertThat(out.toArray()).containsExactly(-2, -2, 4, 13);
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        Tensor weights = Tensor.allocate(arena, DType.F32, 2, 3);
        Tensor x = Tensor.allocate(arena, DType.F32, 1, 4);
        assertThatThrownBy(() -> kernels.matmul(weights, x, x, workers)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rmsNormGivesUnitMeanSquare() {
        Tensor x = Tensor.of(arena, 1, 4, 1, -2, 3, -4);
        Tensor weight = Tensor.of(arena, 1, 4, 1, 1, 2, 1);
        kernels.rmsNorm(x, weight, 0, x, workers);
        float root = (float) Math.sqrt(7.5);
        assertThat(x.toArray()).containsExactly(new float[] {1 / root, -2 / root, 6 / root, -4 / root}, within(1e-6f));
    }

    @Test
    void ropeRotatesPairsAndLeavesTheRest() {
        Tensor cos = Tensor.of(arena, 1, 2, 0, 1);
        Tensor sin = Tensor.of(arena, 1, 2, 1, 0);
        Tensor halves = Tensor.of(arena, 1, 5, 1, 2, 3, 4, 5);
        kernels.rope(halves, 5, cos, sin, false, workers);
        assertThat(halves.toArray()).containsExactly(-3, 2, 1, 4, 5);
        Tensor interleaved = Tensor.of(arena, 1, 5, 1, 2, 3, 4, 5);
        kernels.rope(interleaved, 5, cos, sin, true, workers);
        assertThat(interleaved.toArray()).containsExactly(-2, 1, 3, 4, 5);
    }

    @Test
    void gatesAndCaps() {
        Tensor gate = Tensor.of(arena, 1, 3, 0, 1, -2);
        Tensor up = Tensor.of(arena, 1, 3, 5, 2, 1);
        kernels.siluGate(gate, up, workers);
        assertThat(gate.toArray()).containsExactly(new float[] {0, 1.4621172f, -0.23840584f}, within(1e-6f));
        gate = Tensor.of(arena, 1, 3, 0, 1, -2);
        kernels.geluGate(gate, up, workers);
        assertThat(gate.toArray()).containsExactly(new float[] {0, 1.682384f, -0.04540229f}, within(1e-6f));
        Tensor x = Tensor.of(arena, 1, 3, 0, 30, -3000);
        kernels.softcap(x, 30, workers);
        assertThat(x.toArray()).containsExactly(new float[] {0, 22.847824f, -30}, within(1e-5f));
    }

    @Test
    void aBiasIsAddedToEveryRow() {
        Tensor target = Tensor.of(arena, 2, 2, 1, 2, 3, 4);
        kernels.addScaled(target, Tensor.of(arena, 1, 2, 10, 20), 0.5f, workers);
        kernels.scale(target, 2, workers);
        assertThat(target.toArray()).containsExactly(12, 24, 16, 28);
    }

    @Test
    void magnitudesAreAddedRowByRow() {
        Tensor sums = Tensor.of(arena, 1, 2, 10, 20);
        kernels.addMagnitudes(Tensor.of(arena, 2, 3, 1, -2, 3, -4, 0, -5), sums, workers);
        assertThat(sums.toArray()).containsExactly(16, 29);
        Tensor runs = Tensor.of(arena, 2, 2, 0, 10, 1, 20);
        kernels.addMagnitudes(Tensor.of(arena, 1, 4, 1, -2, -3, 4), runs, workers);
        assertThat(runs.toArray()).containsExactly(3, 10, 8, 20);
        assertThatThrownBy(() -> kernels.addMagnitudes(Tensor.of(arena, 1, 3, 1, 2, 3), runs, workers))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> kernels.addMagnitudes(Tensor.of(arena, 3, 2, 1, 2, 3, 4, 5, 6), sums, workers))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void attentionAgreesWithTheDefinition() {
        AttentionShape shape = new AttentionShape(4, 2, 8, 0.35f, 5, 6);
        int slots = 13;
        Case sample = new Case(shape, slots, 3, 10, 99);
        Tensor out = Tensor.allocate(arena, DType.F32, 3, 32);
        kernels.attend(shape, sample.rows, sample.queries, 10, out, workers);
        for (int token = 0; token < 3; token++) {
            for (int head = 0; head < 4; head++) {
                double[] attention = sample.attention(token, head);
                for (int i = 0; i < 8; i++) {
                    double expected = 0;
                    for (int slot = 0; slot < slots; slot++) {
                        expected += attention[slot] * sample.values.get(slot, head / 2 * 8 + i);
                    }
                    assertThat(out.get(token, head * 8 + i)).isCloseTo((float) expected, within(1e-5f));
                }
            }
        }
        Tensor one = Tensor.allocate(arena, DType.F32, 1, 32);
        Tensor probabilities = Tensor.allocate(arena, DType.F32, 4, slots);
        kernels.attendOne(shape, sample.rows, sample.queries.slice(2, 1), 12, one, probabilities, workers);
        assertThat(one.toArray()).containsExactly(out.slice(2, 1).toArray(), within(1e-6f));
        for (int head = 0; head < 4; head++) {
            double[] attention = sample.attention(2, head);
            for (int slot = 0; slot < slots; slot++) {
                assertThat(probabilities.get(head, slot)).isCloseTo((float) attention[slot], within(1e-6f));
            }
        }
    }

    @Test
    void aQueryThatSeesNothingGetsZeros() {
        AttentionShape shape = new AttentionShape(2, 1, 4, 1, 0, 0);
        Case sample = new Case(shape, 3, 1, 0, 5);
        sample.rows[0].position(0, 7);
        sample.rows[0].position(1, 8);
        sample.rows[0].position(2, 9);
        Tensor out = Tensor.of(arena, 1, 8, 1, 1, 1, 1, 1, 1, 1, 1);
        kernels.attend(shape, sample.rows, sample.queries, 3, out, workers);
        assertThat(out.toArray()).containsOnly(0);
    }

    @Test
    void windowStatisticsAgreeWithTheDefinition() {
        AttentionShape shape = new AttentionShape(4, 2, 8, 0.35f, 0, 0);
        int slots = 17;
        int window = 5;
        Case sample = new Case(shape, slots, window, slots - window, 7);
        WindowStatistics statistics = new WindowStatistics(shape, new int[] {slots - window, slots - window - 1});
        kernels.windowStatistics(shape, sample.rows, sample.queries, slots - window, statistics, workers);
        double entropy = 0;
        double varianceSum = 0;
        for (int head = 0; head < 4; head++) {
            for (int slot = 0; slot < statistics.candidates(head / 2); slot++) {
                double sum = 0;
                double squares = 0;
                for (int query = 0; query < window; query++) {
                    double probability = sample.attention(query, head)[slot];
                    sum += probability;
                    squares += probability * probability;
                    entropy -= probability * Math.log(probability + 1e-10);
                }
                double variance = (squares - sum * sum / window) / (window - 1);
                varianceSum += variance;
                assertThat(statistics.mean(head)[slot]).isCloseTo((float) (sum / window), within(1e-6f));
                assertThat(statistics.variance(head)[slot]).isCloseTo((float) variance, within(1e-6f));
            }
        }
        assertThat(statistics.entropy()).isCloseTo(entropy, within(1e-5));
        assertThat(statistics.varianceSum()).isCloseTo(varianceSum, within(1e-6));
    }

    @Test
    void oneWindowQueryHasNoVariance() {
        AttentionShape shape = new AttentionShape(1, 1, 4, 1, 0, 0);
        Case sample = new Case(shape, 3, 1, 2, 5);
        WindowStatistics statistics = new WindowStatistics(shape, new int[] {2});
        kernels.windowStatistics(shape, sample.rows, sample.queries, 2, statistics, workers);
        assertThat(statistics.variance(0)).containsOnly(0);
        assertThat(statistics.varianceSum()).isZero();
        assertThat(statistics.mean(0)).doesNotContain(0f);
    }

    @Test
    void selectionSaysWhatItChoseAndRefusesUnknownNames() {
        assertThat(KernelSelection.choose("scalar").kernels().name()).isEqualTo("scalar");
        assertThat(KernelSelection.choose("simd").kernels().name()).isEqualTo("simd");
        assertThat(KernelSelection.choose(null).description()).startsWith("simd kernels, ");
        assertThatThrownBy(() -> KernelSelection.choose("fast"))
                .isInstanceOfSatisfying(
                        LayercakeException.class,
                        failure -> assertThat(failure.category()).isEqualTo(LayercakeException.Category.BAD_INPUT))
                .hasMessageContaining("\"fast\"")
                .hasMessageContaining("scalar");
    }

    /** Random entries in pages of 4 rows, position = slot, stored by the kernel; and the definition of their attention. */
    private final class Case {
        private final AttentionShape shape;
        private final KvRows[] rows;
        private final Tensor keys;
        private final Tensor values;
        private final Tensor queries;
        private final int firstPosition;

        private Case(AttentionShape shape, int slots, int tokens, int firstPosition, long seed) {
            this.shape = shape;
            this.firstPosition = firstPosition;
            Random random = new Random(seed);
            RandomTensors tensors = new RandomTensors(arena, random.nextLong());
            int width = shape.kvHeads() * shape.headDim();
            keys = tensors.floats(slots, width, 1);
            values = tensors.floats(slots, width, 1);
            queries = tensors.floats(tokens, (long) shape.queryHeads() * shape.headDim(), 1);
            rows = new KvRows[shape.kvHeads()];
            for (int head = 0; head < rows.length; head++) {
                rows[head] = new KvRows(DType.F32, DType.F32, shape.headDim(), 4);
                for (int slot = 0; slot < slots; slot++) {
                    if (slot % 4 == 0) {
                        MemorySegment page =
                                arena.allocate(4 * (rows[head].keyRowBytes() + rows[head].valueRowBytes()));
                        rows[head].addPage(page.address());
                    }
                    rows[head].append(slot);
                }
            }
            kernels.store(rows, slots, keys, values, workers);
        }

        private double[] attention(int token, int head) {
            double[] weights = new double[(int) keys.rows()];
            int position = firstPosition + token;
            double sum = 0;
            for (int slot = 0; slot < weights.length; slot++) {
                boolean visible =
                        slot <= position && (shape.slidingWindow() == 0 || slot > position - shape.slidingWindow());
                double dot = 0;
                for (int i = 0; i < shape.headDim(); i++) {
                    dot += (double) queries.get(token, (long) head * shape.headDim() + i)
                            * keys.get(slot, (long) head / shape.group() * shape.headDim() + i);
                }
                double logit = dot * shape.scale();
                double capped = shape.softcap() == 0 ? logit : shape.softcap() * Math.tanh(logit / shape.softcap());
                weights[slot] = visible ? Math.exp(capped) : 0;
                sum += weights[slot];
            }
            for (int slot = 0; slot < weights.length; slot++) {
                weights[slot] /= sum;
            }
            return weights;
        }
    }
}
