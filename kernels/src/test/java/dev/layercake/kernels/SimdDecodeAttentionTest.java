package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decode attention on vectors against the specification. */
class SimdDecodeAttentionTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers alone = new Workers(1);
    private final ScalarKernels scalar = new ScalarKernels();
    private final RandomEntries random = new RandomEntries(arena, 4711);

    @AfterEach
    void close() {
        alone.close();
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 64, BF16, BF16, 16",
        "4, 1, 64, BF16, BF16, 256",
        "8, 2, 64, BF16, BF16, 32",
        "8, 2, 128, BF16, F16, 31",
        "6, 2, 80, F16, BF16, 64",
        "5, 1, 96, F32, F32, 7",
        "7, 1, 64, Q8_0, Q8_0, 128",
        "16, 1, 32, Q8_0, BF16, 100",
        "12, 4, 48, F16, F16, 1",
        "9, 3, 64, F16, F16, 64",
        "4, 1, 256, F16, BF16, 64",
        "5, 1, 128, BF16, F16, 19",
        "14, 2, 24, BF16, BF16, 17",
        "2, 1, 16, F32, BF16, 64",
        "3, 3, 17, F32, F16, 64",
        "9, 1, 15, BF16, BF16, 3",
        "4, 2, 256, BF16, BF16, 64",
        "10, 1, 8, F16, F32, 64",
        "13, 1, 1, F32, F32, 5",
    })
    void agreesWithTheSpecification(
            int queryHeads, int kvHeads, int headDim, DType keyType, DType valueType, int rowsPerPage) {
        AttentionShape shape = new AttentionShape(queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        for (int length : new int[] {1, 2, 3, 4, 5, 67, 257, 1031}) {
            KvRows[] rows = RandomEntries.rows(shape, keyType, valueType, rowsPerPage);
            for (int head = 0; head < kvHeads; head++) {
                random.append(rows[head], Math.max(1, length - 3 * head), 0);
            }
            check(shape, rows, length, 1e-5f);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 50", "300, 0", "300, 20", "1, 0", "7, 30"})
    void slidingWindowAndSoftcapInAnyOrderOfSlots(int slidingWindow, float softcap) {
        AttentionShape shape = new AttentionShape(8, 2, 64, 0.2f, softcap, slidingWindow);
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            KvRows[] rows = RandomEntries.rows(shape, type, type, 32);
            random.appendWithGaps(rows[0], 700, 2000);
            random.append(rows[1], 997, 1000);
            random.shufflePositions(rows[0]);
            check(shape, rows, 2000, 2e-5f);
        }
    }

    /** Whether a loop is interpreted or compiled by now must not show in a single bit. */
    @ParameterizedTest
    @CsvSource({"F32, 64", "F16, 64", "BF16, 64", "Q8_0, 64", "F16, 80", "BF16, 32"})
    void sameBitsEveryTime(DType type, int headDim) {
        AttentionShape shape = new AttentionShape(6, 2, headDim, 0.2f, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, type, type, 32);
        for (KvRows head : rows) {
            random.append(head, 77, 0);
        }
        Tensor query = random.queries(shape, 1);
        Tensor out = Tensor.allocate(arena, DType.F32, 1, query.columns());
        SimdAttention.attendOne(shape, rows, query, 77, out, null, alone);
        float[] first = out.toArray();
        for (int run = 0; run < 2_000; run++) {
            SimdAttention.attendOne(shape, rows, query, 77, out, null, alone);
        }
        assertThat(out.toArray()).isEqualTo(first);
    }

    /** The smallest float16 numbers, the largest ones, and queries and scales far from 1. */
    @ParameterizedTest
    @CsvSource({"1e-7, 1e6", "6e-6, 3e4", "1e-3, 1", "3e4, 1e-6", "6e4, 1e-30"})
    void float16IsReadExactly(float size, float querySize) {
        AttentionShape shape = new AttentionShape(3, 1, 64, 1 / size / querySize, 0, 0);
        KvRows[] halves = RandomEntries.rows(shape, DType.F16, DType.F16, 16);
        KvRows[] floats = RandomEntries.rows(shape, DType.F32, DType.F32, 16);
        random.append(halves[0], 300, 0);
        random.append(floats[0], 300, 0);
        float[] row = new float[64];
        for (int slot = 0; slot < 300; slot++) {
            floats[0].readKey(slot, row);
            for (int i = 0; i < 64; i++) {
                row[i] *= 0.3f * size;
            }
            halves[0].writeKey(slot, row);
            halves[0].readKey(slot, row);
            floats[0].writeKey(slot, row);
            halves[0].writeValue(slot, row);
            floats[0].writeValue(slot, row);
        }
        Tensor query = random.queries(shape, 1);
        for (int i = 0; i < 192; i++) {
            query.set(0, i, query.get(0, i) * querySize);
        }
        Tensor probabilities = Tensor.allocate(arena, DType.F32, 3, 300);
        Tensor expectedProbabilities = Tensor.allocate(arena, DType.F32, 3, 300);
        Tensor expected = Tensor.allocate(arena, DType.F32, 1, 192);
        scalar.attendOne(shape, floats, query, 300, expected, expectedProbabilities, alone);
        Tensor out = attend(shape, halves, query, 300, probabilities, alone);
        assertThat(out.toArray()).containsExactly(expected.toArray(), within(2e-5f * size));
        assertThat(probabilities.toArray()).containsExactly(expectedProbabilities.toArray(), within(2e-5f));
    }

    /** Pages that a sliding window has left behind may go. */
    @ParameterizedTest
    @CsvSource({"64, 100, 64", "64, 700, 64", "16, 7, 32", "31, 300, 48", "64, 513, 256"})
    void bitsDoNotDependOnEntriesOutOfReach(int rowsPerPage, int slidingWindow, int headDim) {
        AttentionShape shape = new AttentionShape(6, 2, headDim, 0.2f, 0, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, rowsPerPage);
        for (KvRows head : rows) {
            random.append(head, 1500, 0);
        }
        Tensor query = random.queries(shape, 1);
        for (int position : new int[] {1499, 1500, 1507}) {
            Tensor probabilities = Tensor.allocate(arena, DType.F32, 6, 1500);
            Tensor whole = attend(shape, rows, query, position, probabilities, alone);
            int pages = (position + 1 - slidingWindow) / rowsPerPage;
            KvRows[] fewer = RandomEntries.withoutPages(rows, pages);
            Tensor fewerProbabilities = Tensor.allocate(arena, DType.F32, 6, fewer[0].length());
            assertThat(attend(shape, fewer, query, position, fewerProbabilities, alone)
                            .toArray())
                    .isEqualTo(whole.toArray());
            for (int head = 0; head < 6; head++) {
                float[] all = probabilities.slice(head, 1).toArray();
                assertThat(fewerProbabilities.slice(head, 1).toArray())
                        .isEqualTo(Arrays.copyOfRange(all, pages * rowsPerPage, 1500));
            }
        }
    }

    /** The heads that see nothing lie between others, and one has no entries at all. */
    @Test
    void aQueryThatSeesNothingGetsZeros() {
        AttentionShape shape = new AttentionShape(8, 4, 32, 0.2f, 0, 10);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        random.append(rows[0], 700, 0);
        random.append(rows[1], 1301, 0);
        random.append(rows[3], 90, 1300);
        check(shape, rows, 1390, 1e-5f);
        Tensor out = attend(shape, rows, random.queries(shape, 1), 1390, null, alone);
        for (int i = 0; i < 6 * 32; i++) {
            assertThat(out.get(0, i)).isZero();
        }
    }

    @Test
    void hugeLogitsDoNotOverflow() {
        AttentionShape shape = new AttentionShape(4, 1, 64, 30, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        random.append(rows[0], 600, 0);
        check(shape, rows, 600, 1e-3f);
    }

    @ParameterizedTest
    @CsvSource({"16, 64", "16, 8", "24, 32", "5, 64", "64, 64"})
    void withheldRunsAreNotRead(int run, int rowsPerPage) {
        AttentionShape shape = new AttentionShape(6, 2, 64, 0.2f, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, rowsPerPage);
        for (int head = 0; head < 2; head++) {
            random.append(rows[head], 900 + head, 0);
            BitSet withheld = new BitSet();
            for (int first = 0; first + run < 900; first += run) {
                withheld.set(first, first + run, (first / run + head) % 3 != 1);
            }
            rows[head].withhold(withheld, run);
        }
        check(shape, rows, 901, 1e-5f);
    }

    @ParameterizedTest
    @CsvSource({"8, 2, 64, BF16", "6, 2, 80, F16", "5, 1, 96, F32", "16, 1, 32, BF16", "3, 3, 17, F32", "13, 1, 1, F32"
    })
    void upperBoundsAgreeWithTheSpecification(int queryHeads, int kvHeads, int headDim, DType type) {
        AttentionShape shape = new AttentionShape(queryHeads, kvHeads, headDim, 0.2f, 0, 0);
        KvRows[] bounds = RandomEntries.rows(shape, type, type, 32);
        for (int head = 0; head < kvHeads; head++) {
            random.append(bounds[head], 300 - 7 * head, 0);
            order(bounds[head]);
        }
        Tensor query = random.queries(shape, 1);
        Tensor expected = Tensor.allocate(arena, DType.F32, kvHeads, 310);
        scalar.upperBounds(shape, bounds, query, expected, alone);
        for (int threads = 1; threads <= 3; threads++) {
            try (Workers workers = new Workers(threads)) {
                Tensor scores = Tensor.allocate(arena, DType.F32, kvHeads, 310);
                new SimdKernels().upperBounds(shape, bounds, query, scores, workers);
                assertThat(scores.toArray()).containsExactly(expected.toArray(), within(1e-4f));
            }
        }
    }

    /** Makes a row's key the larger of key and value, element by element, and its value the smaller. */
    private static void order(KvRows rows) {
        float[] high = new float[rows.headDim()];
        float[] low = new float[rows.headDim()];
        for (int slot = 0; slot < rows.length(); slot++) {
            rows.readKey(slot, high);
            rows.readValue(slot, low);
            for (int i = 0; i < high.length; i++) {
                float larger = Math.max(high[i], low[i]);
                low[i] = Math.min(high[i], low[i]);
                high[i] = larger;
            }
            rows.writeKey(slot, high);
            rows.writeValue(slot, low);
        }
    }

    /** A bound is never below what any key between the extremes gives. */
    @Test
    void noKeyOfAPageExceedsItsBound() {
        AttentionShape shape = new AttentionShape(2, 1, 8, 1, 0, 0);
        KvRows[] keys = RandomEntries.rows(shape, DType.F32, DType.F32, 16);
        random.append(keys[0], 16, 0);
        KvRows[] bounds = RandomEntries.rows(shape, DType.F32, DType.F32, 16);
        random.append(bounds[0], 1, 0);
        float[] high = new float[8];
        float[] low = new float[8];
        Arrays.fill(high, Float.NEGATIVE_INFINITY);
        Arrays.fill(low, Float.POSITIVE_INFINITY);
        float[] key = new float[8];
        for (int slot = 0; slot < 16; slot++) {
            keys[0].readKey(slot, key);
            for (int i = 0; i < 8; i++) {
                high[i] = Math.max(high[i], key[i]);
                low[i] = Math.min(low[i], key[i]);
            }
        }
        bounds[0].writeKey(0, high);
        bounds[0].writeValue(0, low);
        Tensor query = random.queries(shape, 1);
        Tensor scores = Tensor.allocate(arena, DType.F32, 1, 1);
        new SimdKernels().upperBounds(shape, bounds, query, scores, alone);
        float best = Float.NEGATIVE_INFINITY;
        for (int slot = 0; slot < 16; slot++) {
            keys[0].readKey(slot, key);
            for (int head = 0; head < 2; head++) {
                float product = 0;
                for (int i = 0; i < 8; i++) {
                    product += key[i] * query.get(0, head * 8L + i);
                }
                best = Math.max(best, product);
            }
        }
        assertThat(scores.get(0, 0)).isGreaterThanOrEqualTo(best).isFinite();
    }

    private void check(AttentionShape shape, KvRows[] rows, int position, float tolerance) {
        Tensor query = random.queries(shape, 1);
        int longest = 0;
        for (KvRows head : rows) {
            longest = Math.max(longest, head.length());
        }
        Tensor expected = Tensor.allocate(arena, DType.F32, 1, query.columns());
        Tensor expectedProbabilities = Tensor.allocate(arena, DType.F32, shape.queryHeads(), longest + 5);
        scalar.attendOne(shape, rows, query, position, expected, expectedProbabilities, alone);
        Tensor firstProbabilities = Tensor.allocate(arena, DType.F32, shape.queryHeads(), longest + 5);
        Tensor first = attend(shape, rows, query, position, firstProbabilities, alone);
        assertThat(first.toArray()).containsExactly(expected.toArray(), within(tolerance));
        assertThat(firstProbabilities.toArray()).containsExactly(expectedProbabilities.toArray(), within(tolerance));
        for (int threads = 2; threads <= 5; threads++) {
            try (Workers workers = new Workers(threads)) {
                Tensor probabilities = Tensor.allocate(arena, DType.F32, shape.queryHeads(), longest + 5);
                Tensor out = attend(shape, rows, query, position, probabilities, workers);
                assertThat(out.toArray()).isEqualTo(first.toArray());
                assertThat(probabilities.toArray()).isEqualTo(firstProbabilities.toArray());
                Tensor again = attend(shape, rows, query, position, null, workers);
                assertThat(again.toArray()).isEqualTo(out.toArray());
            }
        }
    }

    private Tensor attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            @Nullable Tensor probabilities,
            Workers workers) {
        Tensor out = Tensor.allocate(arena, DType.F32, 1, query.columns());
        out.data().fill((byte) 0x7F);
        SimdAttention.attendOne(shape, rows, query, position, out, probabilities, workers);
        return out;
    }
}
