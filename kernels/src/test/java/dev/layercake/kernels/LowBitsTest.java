package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows of few bits: the numbers, their size, and attention over heads that keep a part of their entries in them. */
class LowBitsTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers alone = new Workers(1);
    private final ScalarKernels scalar = new ScalarKernels();
    private final RandomEntries random = new RandomEntries(arena, 815);

    @AfterEach
    void close() {
        alone.close();
        arena.close();
    }

    @Test
    void twoBitsReachFromMinimumToMaximum() {
        assertThat(roundTrip(new LowBits(2, 4), -1f, -0.2f, 0.3f, 1f))
                .containsExactly(new float[] {-1, -1 / 3f, 1 / 3f, 1}, within(6e-4f));
    }

    @Test
    void oneBitHasItsLevelsAtTheQuarters() {
        assertThat(roundTrip(new LowBits(1, 4), -1f, -0.2f, 0.3f, 1f)).containsExactly(-0.5f, -0.5f, 0.5f, 0.5f);
    }

    @Test
    void equalElementsStayWhatTheyAre() {
        for (int bits = 1; bits <= 4; bits++) {
            assertThat(roundTrip(new LowBits(bits, 3), 1.5f, 1.5f, 1.5f, -2f, -2f, -2f, 0.25f))
                    .containsExactly(1.5f, 1.5f, 1.5f, -2f, -2f, -2f, 0.25f);
        }
    }

    @Test
    void hugeAndTinyRangesStayFinite() {
        for (float x : roundTrip(new LowBits(2, 2), -1e30f, 1e30f, 1e-30f, -1e-30f)) {
            assertThat(x).isFinite();
        }
    }

    @Test
    void aRowTakesItsBitsAndThirtyTwoPerGroup() {
        assertThat(new LowBits(2, 64).rowBytes(128)).isEqualTo(128 * 2 / 8 + 2 * 4);
        assertThat(new LowBits(3, 64).rowBytes(128)).isEqualTo(128 * 3 / 8 + 2 * 4);
        assertThat(new LowBits(4, 40).rowBytes(80)).isEqualTo(80 * 4 / 8 + 2 * 4);
        assertThat(new LowBits(1, 32).rowBytes(64)).isEqualTo(64 / 8 + 2 * 4);
        assertThat(new LowBits(3, 12).rowBytes(24)).as("whole eights").isEqualTo(2 * 2 * 3 + 2 * 4);
        assertThat(new LowBits(2, 8).rowBytes(17)).isEqualTo(3 * 2 + 3 * 4);
        assertThatThrownBy(() -> new LowBits(5, 8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new LowBits(2, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    /** The nearest of the levels that the group's float16 scale and offset span, computed in double precision. */
    @ParameterizedTest
    @CsvSource({"1, 64, 128", "2, 64, 128", "3, 64, 128", "4, 64, 128", "2, 7, 17", "3, 12, 24", "4, 40, 80", "3, 3, 5"
    })
    void roundsToTheNearestLevel(int bits, int group, int elements) {
        LowBits type = new LowBits(bits, group);
        Random numbers = new Random(bits * 100L + elements);
        float[] x = new float[elements];
        for (int i = 0; i < elements; i++) {
            x[i] = (float) (numbers.nextGaussian() * Math.exp(numbers.nextGaussian()));
        }
        float[] actual = roundTrip(type, x);
        for (int first = 0; first < elements; first += group) {
            int end = Math.min(elements, first + group);
            double least = Double.POSITIVE_INFINITY;
            double most = Double.NEGATIVE_INFINITY;
            for (int i = first; i < end; i++) {
                least = Math.min(least, x[i]);
                most = Math.max(most, x[i]);
            }
            int largest = (1 << bits) - 1;
            double scale = half(bits == 1 ? (most - least) / 2 : (most - least) / largest);
            double offset = half(bits == 1 ? (3 * least + most) / 4 : least);
            for (int i = first; i < end; i++) {
                long code = scale == 0 ? 0 : Math.clamp(Math.round((x[i] - offset) / scale), 0, largest);
                double expected = offset + scale * code;
                double other = offset + scale * Math.clamp(Math.round((x[i] - offset) / scale) - 1, 0, largest);
                // Exactly between two levels, single and double precision may differ.
                double nearest = Math.abs(actual[i] - expected) <= Math.abs(actual[i] - other) ? expected : other;
                assertThat((double) actual[i]).isCloseTo(nearest, within(1e-6 * (Math.abs(offset) + scale * largest)));
                assertThat(Math.abs(actual[i] - x[i])).isLessThanOrEqualTo((float)
                        (scale * (bits == 1 ? 0.51 : 0.5) + 2e-3 * Math.abs(most - least) + 1e-3 * Math.abs(offset)));
            }
        }
    }

    private static double half(double value) {
        return Float.float16ToFloat(Float.floatToFloat16((float) value));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void vectorsDecodeTheSameBits(int bits) {
        Random numbers = new Random(bits);
        for (int elements : new int[] {1, 5, 8, 16, 17, 31, 64, 80, 96, 128, 250}) {
            for (int group : new int[] {1, 3, 8, 12, 32, 40, 64, elements}) {
                LowBits type = new LowBits(bits, group);
                Tensor x = Tensor.allocate(arena, DType.F32, 1, elements);
                for (int i = 0; i < elements; i++) {
                    x.set(0, i, (float) numbers.nextGaussian());
                }
                long row = arena.allocate(type.rowBytes(elements) + 1).address() + 1;
                BlockCodec.encode(type, x.address(), row, elements);
                Tensor expected = Tensor.allocate(arena, DType.F32, 1, elements);
                Tensor actual = Tensor.allocate(arena, DType.F32, 1, elements);
                BlockCodec.decode(type, row, expected.address(), elements);
                SimdLowBits.decode(type, row, actual.address(), elements);
                assertThat(actual.toArray()).isEqualTo(expected.toArray());
            }
        }
    }

    private float[] roundTrip(LowBits type, float... x) {
        Tensor source = Tensor.of(arena, 1, x.length, x);
        long row = arena.allocate(type.rowBytes(x.length)).address();
        BlockCodec.encode(type, source.address(), row, x.length);
        Tensor target = Tensor.allocate(arena, DType.F32, 1, x.length);
        BlockCodec.decode(type, row, target.address(), x.length);
        return target.toArray();
    }

    /** One head of the mixed rows and the same entries, dequantised, in one run. */
    private record Mixed(KvRows[] rows, KvRows[] plain) {}

    @ParameterizedTest
    @CsvSource({
        "8, 2, 64, BF16, 2, 0, 0, 300, 40",
        "4, 1, 128, BF16, 4, 0, 0, 700, 500",
        "6, 2, 80, F16, 3, 0, 30, 77, 800",
        "7, 1, 64, Q8_0, 2, 150, 0, 400, 400",
        "3, 3, 17, F32, 2, 0, 0, 40, 9",
        "5, 1, 96, F32, 1, 200, 20, 0, 300",
        "4, 2, 32, BF16, 3, 0, 0, 260, 0",
    })
    void attentionReadsBothRunsInOneSoftmax(
            int queryHeads,
            int kvHeads,
            int headDim,
            DType type,
            int bits,
            int slidingWindow,
            float softcap,
            int high,
            int low) {
        AttentionShape shape = new AttentionShape(
                queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), softcap, slidingWindow);
        Mixed mixed = mixed(shape, type, new LowBits(bits, (headDim + 1) / 2), high, low);
        for (int threads = 1; threads <= 3; threads++) {
            try (Workers workers = new Workers(threads)) {
                checkOne(shape, mixed, workers);
                checkPrompt(shape, mixed, workers);
                checkStatistics(shape, mixed, workers);
            }
        }
    }

    private void checkOne(AttentionShape shape, Mixed mixed, Workers workers) {
        Tensor query = random.queries(shape, 1);
        int longest = mixed.plain[0].length();
        for (Kernels kernels : new Kernels[] {scalar, new SimdKernels()}) {
            Tensor expected = Tensor.allocate(arena, DType.F32, 1, query.columns());
            Tensor plainProbabilities = Tensor.allocate(arena, DType.F32, shape.queryHeads(), longest);
            kernels.attendOne(shape, mixed.plain, query, 1000, expected, plainProbabilities, workers);
            Tensor actual = Tensor.allocate(arena, DType.F32, 1, query.columns());
            Tensor probabilities = Tensor.allocate(arena, DType.F32, shape.queryHeads(), longest);
            probabilities.data().fill((byte) 0x7F);
            kernels.attendOne(shape, mixed.rows, query, 1000, actual, probabilities, workers);
            assertThat(actual.toArray()).containsExactly(expected.toArray(), within(2e-5f));
            for (int head = 0; head < shape.queryHeads(); head++) {
                KvRows rows = mixed.rows[head / shape.group()];
                for (int slot = 0; slot < rows.length(); slot++) {
                    int plain = slotOf(mixed.plain[head / shape.group()], rows.position(slot));
                    assertThat(probabilities.get(head, slot))
                            .isCloseTo(plainProbabilities.get(head, plain), within(2e-5f));
                }
            }
            Tensor silent = Tensor.allocate(arena, DType.F32, 1, query.columns());
            kernels.attendOne(shape, mixed.rows, query, 1000, silent, null, workers);
            assertThat(silent.toArray()).isEqualTo(actual.toArray());
        }
    }

    private void checkPrompt(AttentionShape shape, Mixed mixed, Workers workers) {
        Tensor queries = random.queries(shape, 37);
        for (Kernels kernels : new Kernels[] {scalar, new SimdKernels()}) {
            Tensor expected = Tensor.allocate(arena, DType.F32, 37, queries.columns());
            kernels.attend(shape, mixed.plain, queries, 963, expected, workers);
            Tensor actual = Tensor.allocate(arena, DType.F32, 37, queries.columns());
            kernels.attend(shape, mixed.rows, queries, 963, actual, workers);
            assertThat(actual.toArray()).containsExactly(expected.toArray(), within(2e-5f));
        }
    }

    private void checkStatistics(AttentionShape shape, Mixed mixed, Workers workers) {
        Tensor queries = random.queries(shape, 9);
        int[] judged = new int[shape.kvHeads()];
        int[] all = new int[shape.kvHeads()];
        for (int head = 0; head < judged.length; head++) {
            judged[head] = mixed.rows[head].length();
            all[head] = mixed.plain[head].length();
        }
        for (Kernels kernels : new Kernels[] {scalar, new SimdKernels()}) {
            WindowStatistics expected = new WindowStatistics(shape, all);
            kernels.windowStatistics(shape, mixed.plain, queries, 991, expected, workers);
            WindowStatistics actual = new WindowStatistics(shape, judged);
            kernels.windowStatistics(shape, mixed.rows, queries, 991, actual, workers);
            for (int head = 0; head < shape.queryHeads(); head++) {
                KvRows rows = mixed.rows[head / shape.group()];
                for (int slot = 0; slot < rows.length(); slot++) {
                    int plain = slotOf(mixed.plain[head / shape.group()], rows.position(slot));
                    assertThat(actual.mean(head)[slot]).isCloseTo(expected.mean(head)[plain], within(2e-5f));
                    assertThat(actual.variance(head)[slot]).isCloseTo(expected.variance(head)[plain], within(2e-5f));
                }
            }
        }
    }

    private static int slotOf(KvRows rows, int position) {
        for (int slot = 0; slot < rows.length(); slot++) {
            if (rows.position(slot) == position) {
                return slot;
            }
        }
        throw new AssertionError(position);
    }

    /** Heads with about so many entries in each run, positions mixed, all below 1000. */
    private Mixed mixed(AttentionShape shape, DType type, LowBits lowType, int high, int low) {
        KvRows[] rows = RandomEntries.rows(shape, type, type, 32);
        KvRows[] plain = RandomEntries.rows(shape, DType.F32, DType.F32, 64);
        Tensor balancer = Tensor.allocate(arena, DType.F32, 2, shape.headDim());
        for (int i = 0; i < shape.headDim(); i++) {
            balancer.set(0, i, 0.5f + i % 5);
            balancer.set(1, i, 1 / balancer.get(0, i));
        }
        Tensor room = Tensor.allocate(arena, DType.F32, 1, shape.headDim());
        for (int head = 0; head < rows.length; head++) {
            KvRows source = RandomEntries.rows(shape, type, type, 50)[0];
            random.append(source, 1000, 0);
            KvRows lower = new KvRows(lowType, lowType, shape.headDim(), 77);
            lower.balancer(balancer);
            rows[head].lower(lower);
            for (int position = 0; position < 1000; position++) {
                int place = position * 613 % 1000;
                KvRows run = place < high ? rows[head] : place < high + low - head ? lower : null;
                if (run != null) {
                    addTo(run, source, position, room);
                    addTo(plain[head], run, run.length() - 1, room);
                }
            }
        }
        return new Mixed(rows, plain);
    }

    private void addTo(KvRows run, KvRows source, int slot, Tensor room) {
        if (run.length() == run.capacity()) {
            run.addPage(arena.allocate(run.rowsPerPage() * (run.keyRowBytes() + run.valueRowBytes()))
                    .address());
        }
        run.append(source.position(slot));
        run.copyEntry(source, slot, run.length() - 1, room);
    }
}
