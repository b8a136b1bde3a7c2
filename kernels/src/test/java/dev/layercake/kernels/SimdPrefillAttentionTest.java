package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Prefill attention on vectors against the specification. */
class SimdPrefillAttentionTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers alone = new Workers(1);
    private final ScalarKernels scalar = new ScalarKernels();
    private final RandomEntries random = new RandomEntries(arena, 4712);

    @AfterEach
    void close() {
        alone.close();
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 64, BF16, BF16, 16",
        "4, 1, 64, BF16, BF16, 256",
        "8, 2, 64, BF16, F16, 32",
        "6, 2, 80, F16, BF16, 64",
        "5, 1, 96, F32, F32, 7",
        "7, 1, 64, Q8_0, Q8_0, 128",
        "16, 1, 32, Q8_0, BF16, 100",
        "14, 2, 24, BF16, BF16, 17",
        "2, 1, 16, F32, BF16, 1",
        "3, 3, 17, F32, F16, 64",
        "2, 1, 256, BF16, BF16, 64",
        "13, 1, 1, F32, F32, 5",
    })
    void agreesWithTheSpecification(
            int queryHeads, int kvHeads, int headDim, DType keyType, DType valueType, int rowsPerPage) {
        AttentionShape shape = new AttentionShape(queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        for (int tokens : new int[] {1, 13, 41}) {
            for (int past : new int[] {0, 61, 131}) {
                KvRows[] rows = RandomEntries.rows(shape, keyType, valueType, rowsPerPage);
                for (KvRows head : rows) {
                    random.append(head, past + tokens, 0);
                }
                check(shape, rows, tokens, past, 1e-5f);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 50", "40, 0", "300, 20", "1, 0", "150, 30"})
    void slidingWindowSoftcapGapsAndRaggedLengths(int slidingWindow, float softcap) {
        AttentionShape shape = new AttentionShape(6, 3, 48, 0.2f, softcap, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.F16, 32);
        int tokens = 101;
        int firstPosition = 1000;
        random.appendWithGaps(rows[0], 151, firstPosition);
        random.appendWithGaps(rows[1], 3, firstPosition);
        random.append(rows[2], 307, firstPosition - 307);
        for (KvRows head : rows) {
            random.append(head, tokens, firstPosition);
        }
        check(shape, rows, tokens, firstPosition, 2e-5f);
    }

    /** The window has passed everything that one head kept, and another one starts after the first queries. */
    @Test
    void queriesThatSeeNothingGetZeros() {
        AttentionShape shape = new AttentionShape(4, 2, 32, 0.2f, 0, 10);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        random.append(rows[0], 200, 0);
        random.append(rows[1], 50, 1020);
        Tensor out = check(shape, rows, 40, 1000, 1e-5f);
        for (int i = 0; i < 64; i++) {
            assertThat(out.get(0, i)).isZero();
            assertThat(out.get(39, i)).isZero();
            assertThat(out.get(19, 64 + i)).isZero();
            assertThat(out.get(20, 64 + i)).isNotZero();
        }
        check(shape, RandomEntries.rows(shape, DType.BF16, DType.BF16, 32), 3, 0, 0);
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 2", "40, 0, 3", "0, 30, 1", "7, 0, 1"})
    void hiddenSlotsAreSeenByTheirOwnTokenOnly(int slidingWindow, float softcap, int everyOther) {
        AttentionShape shape = new AttentionShape(6, 2, 32, 0.2f, softcap, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 16);
        for (int head = 0; head < 2; head++) {
            random.append(rows[head], 140 + 71, 0);
            for (int slot = head; slot < 140 + 71; slot += everyOther) {
                rows[head].hide(slot);
            }
        }
        Tensor hidden = check(shape, rows, 71, 140, 2e-5f);
        if (everyOther == 1) {
            // Alone with itself a query reads its own value.
            float[] value = new float[32];
            rows[0].readValue(140 + 30, value);
            for (int i = 0; i < 32; i++) {
                assertThat(hidden.get(30, i)).isCloseTo(value[i], within(1e-6f));
            }
        }
        for (KvRows head : rows) {
            head.showAll();
        }
        assertThat(check(shape, rows, 71, 140, 2e-5f).toArray()).isNotEqualTo(hidden.toArray());
    }

    @Test
    void hugeLogitsDoNotOverflow() {
        AttentionShape shape = new AttentionShape(4, 1, 64, 30, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        random.append(rows[0], 300, 0);
        check(shape, rows, 20, 280, 1e-3f);
    }

    /** Pages that a sliding window has left behind may go, and queries may come together or one by one. */
    @ParameterizedTest
    @CsvSource({"64, 100, 64", "16, 7, 32", "31, 200, 48"})
    void bitsDoNotDependOnEntriesOutOfReach(int rowsPerPage, int slidingWindow, int headDim) {
        AttentionShape shape = new AttentionShape(6, 2, headDim, 0.2f, 0, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, rowsPerPage);
        int past = 511;
        int tokens = 90;
        for (KvRows head : rows) {
            random.append(head, past + tokens, 0);
        }
        Tensor queries = random.queries(shape, tokens);
        Tensor whole = attend(shape, rows, queries, past, null, alone);
        KvRows[] fewer = RandomEntries.withoutPages(rows, (past + 1 - slidingWindow) / rowsPerPage);
        assertThat(fewer[0].length()).isLessThan(rows[0].length() - rowsPerPage);
        assertThat(attend(shape, fewer, queries, past, null, alone).toArray()).isEqualTo(whole.toArray());
        for (int token = 0; token < tokens; token++) {
            Tensor one = attend(shape, rows, queries.slice(token, 1), past + token, null, alone);
            assertThat(one.toArray()).isEqualTo(whole.slice(token, 1).toArray());
        }
    }

    @Test
    void noTokensAreNoWork() {
        AttentionShape shape = new AttentionShape(4, 1, 64, 1, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.BF16, DType.BF16, 32);
        check(shape, rows, 0, 0, 0);
    }

    private Tensor check(AttentionShape shape, KvRows[] rows, int tokens, int firstPosition, float tolerance) {
        Tensor queries = random.queries(shape, tokens);
        Tensor expected = Tensor.allocate(arena, DType.F32, tokens, queries.columns());
        scalar.attend(shape, rows, queries, firstPosition, expected, alone);
        Tensor first = attend(shape, rows, queries, firstPosition, null, alone);
        assertThat(first.toArray()).containsExactly(expected.toArray(), within(tolerance));
        Tensor softmax = Tensor.allocate(arena, DType.F32, tokens, 2L * shape.queryHeads());
        softmax.data().fill((byte) 0x7F);
        double[][] expectedSums = sums(shape, rows);
        scalar.attentionSums(shape, rows, queries, firstPosition, softmax, expectedSums, alone);
        try (Workers workers = new Workers(3)) {
            Tensor again = attend(shape, rows, queries, firstPosition, softmax, workers);
            assertThat(again.toArray()).isEqualTo(first.toArray());
            double[][] actualSums = sums(shape, rows);
            SimdAttention.attentionSums(shape, rows, queries, firstPosition, softmax, actualSums, workers);
            for (int head = 0; head < actualSums.length; head++) {
                assertThat(actualSums[head]).containsExactly(expectedSums[head], within((double) tolerance));
            }
        }
        return first;
    }

    /** Not zero: sums are added to. */
    private static double[][] sums(AttentionShape shape, KvRows[] rows) {
        double[][] sums = new double[shape.queryHeads()][];
        for (int head = 0; head < sums.length; head++) {
            sums[head] = new double[rows[head / shape.group()].length()];
            Arrays.fill(sums[head], 0.5);
        }
        return sums;
    }

    private Tensor attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            @Nullable Tensor softmax,
            Workers workers) {
        Tensor out = Tensor.allocate(arena, DType.F32, queries.rows(), queries.columns());
        out.data().fill((byte) 0x7F);
        SimdAttention.attend(shape, rows, queries, firstPosition, out, softmax, workers);
        return out;
    }
}
