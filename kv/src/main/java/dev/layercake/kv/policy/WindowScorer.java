package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What the last tokens of the prompt look at: mean + gamma x variance of the attention that an entry gets from the window's
 * queries, pooled along the text, averaged over the query heads of the group. With gamma 200 and average pooling of width 5
 * this is CAKE's indicator (arXiv 2503.12491, section 4.3; antgroup/cakekv c4675ce); with gamma 0 it is SnapKV's (arXiv
 * 2404.14469; FasterDecoding/SnapKV e216ddc).
 *
 * <p>In a decode step the new token's attention takes the place of the mean, as in CAKE's published code; there is no
 * variance then, and nothing is accumulated over steps.
 *
 * <p>Deviations: statistics are float32 and sums double, where the published codes use the model's 16 bits; SnapKV selects
 * per query head, here and in later code per KV head.
 *
 * @param window last tokens, kept unjudged
 * @param gamma weight of the variance
 * @param pooling along the cache
 * @param kernel width of the pooling, odd
 */
record WindowScorer(int window, float gamma, Pooling pooling, int kernel) implements TokenScorer {
    @Override
    public boolean usesWindowAttention() {
        return true;
    }

    @Override
    public boolean usesStepAttention() {
        return true;
    }

    @Override
    public void scorePrompt(
            int layer, int kvHead, int[] positions, int count, @Nullable WindowStatistics statistics, float[] scores) {
        WindowStatistics given = Objects.requireNonNull(statistics, "window statistics");
        int group = given.group();
        double[] row = new double[count];
        double[] sums = new double[count];
        for (int member = 0; member < group; member++) {
            float[] mean = given.mean(kvHead * group + member);
            float[] variance = given.variance(kvHead * group + member);
            for (int i = 0; i < count; i++) {
                row[i] = mean[i] + (double) gamma * variance[i];
            }
            pooling.addPooled(row, count, kernel, 1.0 / group, sums);
        }
        for (int i = 0; i < count; i++) {
            scores[i] = (float) sums[i];
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        if (pooling == Pooling.AVG) {
            averageStep(count, attention, scores);
            return;
        }
        double[] row = new double[count];
        double[] sums = new double[count];
        for (float[] probabilities : attention) {
            for (int i = 0; i < count; i++) {
                row[i] = probabilities[i];
            }
            pooling.addPooled(row, count, kernel, 1.0 / attention.length, sums);
        }
        for (int i = 0; i < count; i++) {
            scores[i] = (float) sums[i];
        }
    }

    /** Averages over the group and along the cache are one sum; this runs for every token and allocates nothing. */
    private void averageStep(int count, float[][] attention, float[] scores) {
        int reach = kernel / 2;
        double divisor = (double) kernel * attention.length;
        for (int i = 0; i < count; i++) {
            int last = Math.min(count - 1, i + reach);
            double sum = 0;
            for (float[] probabilities : attention) {
                for (int j = Math.max(0, i - reach); j <= last; j++) {
                    sum += probabilities[j];
                }
            }
            scores[i] = (float) (sum / divisor);
        }
    }
}
