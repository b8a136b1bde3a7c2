package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The most attention that judged slots get, on vectors and by the specification, against the definition in double precision. */
class SimdAttentionMaximaTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers workers = new Workers(2);
    private final RandomEntries random = new RandomEntries(arena, 4714);

    @AfterEach
    void close() {
        workers.close();
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "4, 2, 64, BF16, 33, 4, 150, 300, 0, 0",
        "4, 1, 64, BF16, 1, 0, 0, 1, 0, 0",
        "3, 3, 48, F16, 131, 4, 4, 200, 0, 30",
        "2, 1, 128, Q8_0, 64, 3, 40, 40, 0, 0",
        "2, 2, 17, F32, 7, 0, 11, 293, 0, 0",
        "4, 2, 80, BF16, 32, 4, 100, 280, 90, 0",
        "2, 2, 16, F32, 129, 2, 9, 291, 500, 50",
        "2, 1, 32, F32, 40, 4, 20, 60, 25, 0",
    })
    void agreesWithTheDefinition(
            int queryHeads,
            int kvHeads,
            int headDim,
            DType type,
            int tokens,
            int sinks,
            int from,
            int to,
            int slidingWindow,
            float softcap) {
        AttentionShape shape = new AttentionShape(
                queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), softcap, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, type, type, 50);
        int firstPosition = 401;
        JudgedSlots[] judged = new JudgedSlots[kvHeads];
        for (int head = 0; head < kvHeads; head++) {
            // The first head holds every token, the others what an earlier turn has left.
            if (head == 0) {
                random.append(rows[head], firstPosition, 0);
            } else {
                random.appendWithGaps(rows[head], 300, firstPosition);
            }
            judged[head] = new JudgedSlots(sinks, from, to, rows[head].length());
            random.append(rows[head], tokens, firstPosition);
        }
        Tensor queries = random.queries(shape, tokens);
        float[][] actual = new float[queryHeads][to - from];
        float[][] specified = new float[queryHeads][to - from];
        if (to > from) {
            actual[0][0] = 7;
            specified[0][0] = 7;
        }
        SimdAttention.attentionMaxima(shape, rows, queries, firstPosition, judged, actual, workers);
        new ScalarKernels().attentionMaxima(shape, rows, queries, firstPosition, judged, specified, workers);
        for (int head = 0; head < queryHeads; head++) {
            int kvHead = head / shape.group();
            double[] expected = maxima(shape, rows[kvHead], judged[kvHead], queries, head, firstPosition);
            for (int index = head == 0 ? 1 : 0; index < expected.length; index++) {
                assertThat((double) actual[head][index])
                        .as("head %d, slot %d", head, from + index)
                        .isCloseTo(expected[index], within(6e-6 * expected[index] + 1e-30));
                assertThat((double) specified[head][index])
                        .isCloseTo(expected[index], within(6e-6 * expected[index] + 1e-30));
            }
        }
        if (to > from) {
            assertThat(actual[0][0]).as("what was more before").isEqualTo(7);
            assertThat(specified[0][0]).isEqualTo(7);
        }
    }

    /** The largest softmax attention of any query, over the slots that count alone, in double precision. */
    private static double[] maxima(
            AttentionShape shape, KvRows entries, JudgedSlots judged, Tensor queries, int head, int firstPosition) {
        double[] most = new double[judged.count()];
        double[][] weights = ExactAttention.weights(shape, entries, queries, head, firstPosition);
        for (double[] row : weights) {
            for (int slot = 0; slot < row.length; slot++) {
                if (slot >= judged.sinks() && (slot < judged.from() || slot >= judged.to()) && slot < judged.own()) {
                    row[slot] = 0;
                }
            }
        }
        for (double[] row : weights) {
            double sum = 0;
            for (double weight : row) {
                sum += weight;
            }
            for (int index = 0; index < most.length && sum > 0; index++) {
                most[index] = Math.max(most[index], row[judged.from() + index] / sum);
            }
        }
        return most;
    }

    @Test
    void slotsThatAreNotThereAreRefused() {
        AttentionShape shape = new AttentionShape(2, 1, 16, 1, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.F32, DType.F32, 8);
        random.append(rows[0], 20, 0);
        Tensor queries = random.queries(shape, 2);
        float[][] room = new float[2][10];
        for (Kernels kernels : new Kernels[] {new ScalarKernels(), new SimdKernels()}) {
            assertThatThrownBy(() -> kernels.attentionMaxima(
                            shape, rows, queries, 18, new JudgedSlots[] {new JudgedSlots(0, 0, 10, 21)}, room, workers))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> kernels.attentionMaxima(
                            shape, rows, queries, 18, new JudgedSlots[] {new JudgedSlots(0, 0, 11, 18)}, room, workers))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> new JudgedSlots(4, 3, 5, 9)).isInstanceOf(IllegalArgumentException.class);
    }
}
