package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Window statistics on vectors against the definition in double precision, and against the specification. */
class SimdWindowAttentionTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers workers = new Workers(2);
    private final RandomEntries random = new RandomEntries(arena, 4713);

    @AfterEach
    void close() {
        workers.close();
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "4, 2, 64, BF16, 32, 0, 0",
        "4, 1, 64, BF16, 8, 0, 0",
        "3, 3, 48, F16, 33, 0, 30",
        "2, 1, 128, Q8_0, 64, 0, 0",
        "2, 2, 17, F32, 1, 0, 0",
        "4, 2, 80, BF16, 32, 100, 0",
        "2, 2, 16, F32, 7, 3, 50",
        "2, 1, 32, F32, 2, 0, 0",
    })
    void agreesWithTheDefinition(
            int queryHeads, int kvHeads, int headDim, DType type, int window, int slidingWindow, float softcap) {
        AttentionShape shape = new AttentionShape(
                queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), softcap, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, type, type, 50);
        int firstPosition = 701;
        int[] candidates = new int[kvHeads];
        for (int head = 0; head < kvHeads; head++) {
            // The first head holds every token, the others what an earlier turn has left.
            if (head == 0) {
                random.append(rows[head], firstPosition, 0);
            } else {
                random.appendWithGaps(rows[head], 293, firstPosition);
            }
            candidates[head] = rows[head].length();
            random.append(rows[head], window, firstPosition);
        }
        candidates[0] += window / 2;
        Tensor queries = random.queries(shape, window);

        WindowStatistics actual = new WindowStatistics(shape, candidates);
        for (int head = 0; head < queryHeads; head++) {
            Arrays.fill(actual.mean(head), 9f);
            Arrays.fill(actual.variance(head), 9f);
        }
        SimdAttention.windowStatistics(shape, rows, queries, firstPosition, actual, workers);
        WindowStatistics specified = new WindowStatistics(shape, candidates);
        new ScalarKernels().windowStatistics(shape, rows, queries, firstPosition, specified, workers);

        double entropy = 0;
        double varianceSum = 0;
        for (int head = 0; head < queryHeads; head++) {
            KvRows entries = rows[head / shape.group()];
            double[][] attention = attention(shape, entries, queries, head, firstPosition);
            for (int slot = 0; slot < actual.candidates(head / shape.group()); slot++) {
                double mean = 0;
                for (double[] row : attention) {
                    mean += row[slot] / window;
                    entropy -= row[slot] * Math.log(row[slot] + 1e-10);
                }
                double variance = 0;
                for (double[] row : attention) {
                    variance += window == 1 ? 0 : (row[slot] - mean) * (row[slot] - mean) / (window - 1);
                }
                varianceSum += variance;
                assertThat((double) actual.mean(head)[slot])
                        .as("mean of head %d, slot %d", head, slot)
                        .isCloseTo(mean, within(3e-6 * mean));
                // A probability's relative error is that of its logit, about 1e-6 of its own size.
                assertThat((double) actual.variance(head)[slot])
                        .as("variance of head %d, slot %d", head, slot)
                        .isCloseTo(variance, within(8e-6 * Math.sqrt(variance) * (Math.sqrt(variance) + mean)));
            }
            assertThat(actual.mean(head)).containsExactly(specified.mean(head), within(2e-6f));
            assertThat(actual.variance(head)).containsExactly(specified.variance(head), within(2e-6f));
        }
        assertThat(actual.entropy()).isCloseTo(entropy, Percentage.withPercentage(1e-4));
        assertThat(actual.varianceSum()).isCloseTo(varianceSum, Percentage.withPercentage(5e-4));
    }

    /** Softmax attention of the window's queries of one head, in double precision. */
    private double[][] attention(AttentionShape shape, KvRows entries, Tensor queries, int head, int firstPosition) {
        int headDim = shape.headDim();
        Tensor key = Tensor.allocate(arena, DType.F32, 1, headDim);
        double[][] attention = new double[(int) queries.rows()][entries.length()];
        for (int slot = 0; slot < entries.length(); slot++) {
            BlockCodec.decode(entries.keyType(), entries.keyAddress(slot), key.address(), headDim);
            for (int query = 0; query < attention.length; query++) {
                double logit = 0;
                for (int i = 0; i < headDim; i++) {
                    logit += (double) key.get(0, i) * queries.get(query, (long) head * headDim + i);
                }
                logit *= shape.scale();
                if (shape.softcap() > 0) {
                    logit = shape.softcap() * Math.tanh(logit / shape.softcap());
                }
                int distance = firstPosition + query - entries.position(slot);
                boolean hidden = distance < 0 || (shape.slidingWindow() > 0 && distance >= shape.slidingWindow());
                attention[query][slot] = hidden ? 0 : Math.exp(logit);
            }
        }
        for (double[] row : attention) {
            double sum = Arrays.stream(row).sum();
            for (int slot = 0; slot < row.length; slot++) {
                row[slot] = sum > 0 ? row[slot] / sum : 0;
            }
        }
        return attention;
    }

    @ParameterizedTest
    @CsvSource({"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void storesWhatTheSpecificationStores(DType type) {
        AttentionShape shape = new AttentionShape(3, 3, 96, 1, 0, 0);
        for (int tokens : new int[] {1, 29}) {
            Tensor keys = random.queries(shape, tokens);
            Tensor values = random.queries(shape, tokens);
            KvRows[] expected = RandomEntries.rows(shape, type, DType.F16, 16);
            KvRows[] actual = RandomEntries.rows(shape, type, DType.F16, 16);
            for (int head = 0; head < 3; head++) {
                random.append(expected[head], 40 + 5 * head, 0);
                random.append(actual[head], 40 + 5 * head, 0);
            }
            new ScalarKernels().store(expected, 31, keys, values, workers);
            SimdAttention.store(actual, 31, keys, values, workers);
            for (int head = 0; head < 3; head++) {
                for (int slot = 9 + 5 * head; slot < 9 + 5 * head + tokens; slot++) {
                    assertThat(bytes(actual[head].keyAddress(slot), actual[head].keyRowBytes()))
                            .isEqualTo(bytes(expected[head].keyAddress(slot), actual[head].keyRowBytes()));
                    assertThat(bytes(actual[head].valueAddress(slot), actual[head].valueRowBytes()))
                            .isEqualTo(bytes(expected[head].valueAddress(slot), actual[head].valueRowBytes()));
                }
            }
        }
    }

    private static byte[] bytes(long address, long count) {
        byte[] bytes = new byte[(int) count];
        for (int i = 0; i < count; i++) {
            bytes[i] = Memory.int8(address + i);
        }
        return bytes;
    }
}
