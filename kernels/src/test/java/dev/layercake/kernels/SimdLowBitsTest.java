package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.BitSet;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows of few bits on vectors against the specification, and attention over heads that keep a part of their entries in them. */
class SimdLowBitsTest {
    private final Arena arena = Arena.ofConfined();
    private final ScalarKernels scalar = new ScalarKernels();
    private final RandomEntries random = new RandomEntries(arena, 815);

    @AfterEach
    void close() {
        arena.close();
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

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void vectorsDecodeTheSameBlocks(int bits) {
        Random numbers = new Random(bits);
        for (int elements : new int[] {1, 8, 17, 64, 80, 128}) {
            for (int rows : new int[] {1, 8, 32}) {
                ChannelBits type = new ChannelBits(bits, rows);
                Tensor x = Tensor.allocate(arena, DType.F32, rows, elements);
                for (int row = 0; row < rows; row++) {
                    for (int i = 0; i < elements; i++) {
                        x.set(row, i, (float) numbers.nextGaussian());
                    }
                }
                long block = arena.allocate(type.blockBytes(elements) + 1).address() + 1;
                ChannelBitCodec.encode(type, x.address(), block, elements);
                Tensor expected = Tensor.allocate(arena, DType.F32, rows, elements);
                for (int row = 0; row < rows; row++) {
                    ChannelBitCodec.decode(type, block, row, expected.rowAddress(row), elements);
                }
                int first = rows / 3;
                Tensor actual = Tensor.allocate(arena, DType.F32, rows - first, elements + 3);
                SimdLowBits.decode(type, block, first, rows - first, elements, actual.address(), actual.rowBytes());
                for (int row = first; row < rows; row++) {
                    for (int i = 0; i < elements; i++) {
                        assertThat(actual.get(row - first, i)).isEqualTo(expected.get(row, i));
                    }
                }
            }
        }
    }

    /** Heads of two runs, and the same entries, dequantised, in one run. */
    private static final class Mixed {
        private final KvRows[] rows;
        private final KvRows[] plain;

        Mixed(KvRows[] rows, KvRows[] plain) {
            this.rows = rows;
            this.plain = plain;
        }
    }

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
        for (int threads : new int[] {1, 3}) {
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
                KvRows lower = Objects.requireNonNull(rows.lower());
                for (int slot = 0; slot < lower.length(); slot++) {
                    int plain = slotOf(mixed.plain[head / shape.group()], lower.position(slot));
                    assertThat(probabilities.get(head, rows.length() + slot))
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
                    random.copy(source, position, run);
                    random.copy(run, run.length() - 1, plain[head]);
                }
            }
        }
        return new Mixed(rows, plain);
    }

    /** Replaced slots are as good as gone. */
    @Test
    void aStepDoesNotLookAtReplacedSlots() {
        AttentionShape shape = new AttentionShape(4, 2, 64, 0.125f, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        KvRows[] fewer = RandomEntries.rows(shape, DType.F32, DType.F32, 32);
        BitSet withheld = new BitSet();
        for (int head = 0; head < 2; head++) {
            random.append(rows[head], 300 + head, 0);
            for (int slot = 0; slot < rows[head].length(); slot++) {
                withheld.set(slot, slot % 3 == 0 || (slot >= 64 && slot < 128));
                if (!withheld.get(slot)) {
                    random.copy(rows[head], slot, fewer[head]);
                }
            }
        }
        rows[0].withhold(withheld);
        rows[1].withhold(withheld);
        Tensor query = random.queries(shape, 1);
        try (Workers workers = new Workers(2)) {
            for (Kernels kernels : new Kernels[] {scalar, new SimdKernels()}) {
                Tensor expected = Tensor.allocate(arena, DType.F32, 1, query.columns());
                kernels.attendOne(shape, fewer, query, 400, expected, null, workers);
                Tensor actual = Tensor.allocate(arena, DType.F32, 1, query.columns());
                kernels.attendOne(shape, rows, query, 400, actual, null, workers);
                assertThat(actual.toArray()).containsExactly(expected.toArray(), within(1e-5f));
            }
        }
    }
}
