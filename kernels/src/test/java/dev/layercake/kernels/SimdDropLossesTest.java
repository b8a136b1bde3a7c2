package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What queries lose with a slot, on vectors and by the specification, against what really happens when it is left out. Sharp
 * attention leaves little beside one slot, and that little comes of float32 probabilities.
 */
class SimdDropLossesTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers workers = new Workers(2);
    private final RandomEntries random = new RandomEntries(arena, 1905);

    @AfterEach
    void close() {
        workers.close();
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "4, 2, 64, BF16, 64, 300, 0, 0, 1, 1e-3",
        "4, 1, 64, BF16, 1, 40, 0, 0, 1, 1e-3",
        "3, 3, 48, F16, 40, 150, 0, 30, 1, 1e-3",
        "2, 1, 128, Q8_0, 64, 90, 0, 0, 1, 1e-3",
        "2, 2, 17, F32, 7, 23, 0, 0, 1, 1e-3",
        "6, 2, 80, BF16, 33, 200, 90, 0, 1, 1e-3",
        "2, 1, 16, F32, 300, 20, 120, 50, 1, 1e-3",
        "2, 1, 32, F32, 40, 60, 25, 0, 6, 1e-3",
        "4, 2, 64, BF16, 32, 140, 0, 0, 4, 3e-2",
    })
    void isWhatTheOutputsMove(
            int queryHeads,
            int kvHeads,
            int headDim,
            DType type,
            int tokens,
            int past,
            int slidingWindow,
            float softcap,
            float sharpness,
            double tolerance) {
        AttentionShape shape = new AttentionShape(
                queryHeads, kvHeads, headDim, (float) (sharpness / Math.sqrt(headDim)), softcap, slidingWindow);
        KvRows[] rows = RandomEntries.rows(shape, type, type, 50);
        for (KvRows head : rows) {
            random.append(head, past + tokens, 0);
        }
        Tensor queries = random.queries(shape, tokens);
        double[][] actual = losses(new SimdKernels(), shape, rows, queries, past);
        double[][] specified = losses(new ScalarKernels(), shape, rows, queries, past);
        for (int head = 0; head < queryHeads; head++) {
            double[] moved = moved(shape, rows[head / shape.group()], queries, head, past);
            for (int slot = 0; slot < past; slot++) {
                assertThat(actual[head][slot])
                        .as("head %d, slot %d", head, slot)
                        .isCloseTo(moved[slot], within(tolerance * moved[slot] + 1e-6));
                assertThat(specified[head][slot]).isCloseTo(moved[slot], within(tolerance * moved[slot] + 1e-6));
            }
        }
    }

    private double[][] losses(Kernels kernels, AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition) {
        Tensor outputs = Tensor.allocate(arena, DType.F32, queries.rows(), queries.columns());
        Tensor softmax = Tensor.allocate(arena, DType.F32, queries.rows(), 2L * shape.queryHeads());
        kernels.attend(shape, rows, queries, firstPosition, outputs, softmax, workers);
        double[][] losses = new double[shape.queryHeads()][rows[0].length()];
        losses[0][0] = 7;
        kernels.dropLosses(shape, rows, queries, firstPosition, outputs, softmax, losses, workers);
        losses[0][0] -= 7;
        return losses;
    }

    /** For each slot, the sum over the queries of the squared length by which the output moves without it. */
    private static double[] moved(AttentionShape shape, KvRows entries, Tensor queries, int head, int firstPosition) {
        double[][] values = new double[entries.length()][];
        Arrays.setAll(values, slot -> ExactAttention.value(entries, slot));
        double[][] weights = ExactAttention.weights(shape, entries, queries, head, firstPosition);
        double[] moved = new double[entries.length()];
        for (double[] row : weights) {
            double[] whole = output(row, values, -1);
            for (int slot = 0; slot < moved.length; slot++) {
                if (row[slot] > 0) {
                    double[] without = output(row, values, slot);
                    double capped = Math.min(1, rest(row, slot) / DropLosses.LEAST_REST);
                    for (int i = 0; i < whole.length; i++) {
                        moved[slot] += capped * capped * (whole[i] - without[i]) * (whole[i] - without[i]);
                    }
                }
            }
        }
        return moved;
    }

    /** The attention that a slot leaves for the others. */
    private static double rest(double[] weights, int slot) {
        double others = 0;
        for (int i = 0; i < weights.length; i++) {
            others += i == slot ? 0 : weights[i];
        }
        return others / (others + weights[slot]);
    }

    private static double[] output(double[] weights, double[][] values, int dropped) {
        double[] output = new double[values[0].length];
        double sum = 0;
        for (int slot = 0; slot < weights.length; slot++) {
            if (slot != dropped && weights[slot] > 0) {
                sum += weights[slot];
                for (int i = 0; i < output.length; i++) {
                    output[i] += weights[slot] * values[slot][i];
                }
            }
        }
        for (int i = 0; i < output.length && sum > 0; i++) {
            output[i] /= sum;
        }
        return output;
    }

    @Test
    void roomForFewerSlotsIsRefused() {
        AttentionShape shape = new AttentionShape(2, 1, 16, 1, 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, DType.F32, DType.F32, 8);
        random.append(rows[0], 20, 0);
        Tensor queries = random.queries(shape, 2);
        Tensor softmax = Tensor.allocate(arena, DType.F32, 2, 4);
        for (Kernels kernels : new Kernels[] {new ScalarKernels(), new SimdKernels()}) {
            assertThatThrownBy(() ->
                            kernels.dropLosses(shape, rows, queries, 18, queries, softmax, new double[2][19], workers))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
