package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.model.ModelConfig.Experts;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * Chooses experts for tokens: softmax over the router's logits, the most probable {@code perToken} of them, their
 * probabilities as weights (Mixtral; Qwen 3 MoE).
 */
final class MixtureRouter {
    private final Experts experts;
    /** Per expert, the tokens it was chosen for and with what weight. */
    private final int[][] tokens;

    private final float[][] weights;
    private final int[] counts;

    MixtureRouter(Experts experts) {
        this.experts = experts;
        this.tokens = new int[experts.count()][4];
        this.weights = new float[experts.count()][4];
        this.counts = new int[experts.count()];
    }

    /** @param x [tokens x hidden] */
    void route(Tensor router, Tensor x, Kernels kernels, Workers workers) {
        Arrays.fill(counts, 0);
        try (Arena arena = Arena.ofConfined()) {
            Tensor logits = Tensor.allocate(arena, DType.F32, x.rows(), experts.count());
            kernels.matmul(router, x, logits, workers);
            float[] row = new float[experts.count()];
            int[] chosen = new int[experts.perToken()];
            for (int token = 0; token < x.rows(); token++) {
                for (int expert = 0; expert < row.length; expert++) {
                    row[expert] = logits.get(token, expert);
                }
                softmax(row);
                choose(row, chosen);
                assign(token, row, chosen);
            }
        }
    }

    int count(int expert) {
        return counts[expert];
    }

    int token(int expert, int index) {
        return tokens[expert][index];
    }

    float weight(int expert, int index) {
        return weights[expert][index];
    }

    private void assign(int token, float[] probabilities, int[] chosen) {
        float sum = 1;
        if (experts.normalized()) {
            sum = 0;
            for (int expert : chosen) {
                sum += probabilities[expert];
            }
        }
        for (int expert : chosen) {
            int index = counts[expert]++;
            if (index == tokens[expert].length) {
                tokens[expert] = Arrays.copyOf(tokens[expert], index * 2);
                weights[expert] = Arrays.copyOf(weights[expert], index * 2);
            }
            tokens[expert][index] = token;
            weights[expert][index] = probabilities[expert] / sum;
        }
    }

    /** The largest first; of equals the lower expert. */
    private static void choose(float[] probabilities, int[] chosen) {
        for (int rank = 0; rank < chosen.length; rank++) {
            int best = -1;
            for (int expert = 0; expert < probabilities.length; expert++) {
                if (!contains(chosen, rank, expert) && (best < 0 || probabilities[expert] > probabilities[best])) {
                    best = expert;
                }
            }
            chosen[rank] = best;
        }
    }

    private static boolean contains(int[] chosen, int count, int expert) {
        for (int rank = 0; rank < count; rank++) {
            if (chosen[rank] == expert) {
                return true;
            }
        }
        return false;
    }

    private static void softmax(float[] row) {
        float max = Float.NEGATIVE_INFINITY;
        for (float logit : row) {
            max = Math.max(max, logit);
        }
        float sum = 0;
        for (int index = 0; index < row.length; index++) {
            row[index] = (float) Math.exp(row[index] - max);
            sum += row[index];
        }
        for (int index = 0; index < row.length; index++) {
            row[index] /= sum;
        }
    }
}
