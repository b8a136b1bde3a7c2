package dev.layercake.kv.policy;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Entries that stand out against the text that follows them: LagKV (Liang et al., arXiv 2504.04704; LagKVPress of kvpress
 * 8bb29b9). After the sinks the entries are cut into partitions of {@code lag}; in each but the last, keys and values are scaled,
 * channel by channel, to the range of the next partition, and an entry's score is the softmax over its partition of the spread
 * over its channels, the mean of key and value. Looks at no query.
 *
 * <p>The last partition and what follows have nothing after them to compare with: they are recent, and all score 1, the newest
 * a little more. A text too short for two partitions is judged by recency.
 *
 * <p>Deviations: sinks are never dropped, where kvpress gives them 1 like the recent entries; channels that do not vary in the
 * next partition are left out instead of making every score NaN.
 *
 * @param sinks first entries, always kept
 * @param lag entries of a partition
 * @param cross whether partitions compete by their scores; otherwise by the ranks inside them, so that each keeps its share
 */
record LagScorer(int sinks, int lag, boolean cross) implements TokenScorer {
    @Override
    public boolean judgesVectors() {
        return true;
    }

    @Override
    public int window() {
        return 0;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int entries = head.count();
        int first = 0;
        while (first < entries && head.position(first) < sinks) {
            scores[first++] = Float.POSITIVE_INFINITY;
        }
        int partitions = (entries - first) / lag;
        if (partitions < 2) {
            for (int i = first; i < entries; i++) {
                scores[i] = (float) (i - first) / (entries - first);
            }
            return;
        }
        for (int partition = 0; partition < partitions - 1; partition++) {
            score(head, first + partition * lag, scores);
        }
        int recent = first + (partitions - 1) * lag;
        for (int i = recent; i < entries; i++) {
            scores[i] = Float.intBitsToFloat(Float.floatToIntBits(1) + i - recent);
        }
    }

    private void score(PromptHead head, int first, float[] scores) {
        double[] keys = new double[lag];
        double[] values = new double[lag];
        spread(head::key, head.headDim(), first, keys);
        spread(head::value, head.headDim(), first, values);
        softmax(keys);
        softmax(values);
        for (int i = 0; i < lag; i++) {
            scores[first + i] = (float) ((keys[i] + values[i]) / 2);
        }
        if (!cross) {
            int[] best = BestScores.best(Arrays.copyOfRange(scores, first, first + lag), lag, lag);
            IntStream.range(0, lag).forEach(rank -> scores[first + best[rank]] = (float) (lag - 1 - rank) / lag);
        }
    }

    /** Reads the key or the value of an entry. */
    private interface Vectors {
        void read(int entry, float[] target);
    }

    /** Of each entry of a partition the unbiased standard deviation over its scaled channels. */
    private void spread(Vectors vectors, int channels, int first, double[] target) {
        float[] vector = new float[channels];
        float[] least = new float[channels];
        float[] most = new float[channels];
        Arrays.fill(least, Float.POSITIVE_INFINITY);
        Arrays.fill(most, Float.NEGATIVE_INFINITY);
        for (int i = 0; i < lag; i++) {
            vectors.read(first + lag + i, vector);
            for (int channel = 0; channel < channels; channel++) {
                least[channel] = Math.min(least[channel], vector[channel]);
                most[channel] = Math.max(most[channel], vector[channel]);
            }
        }
        for (int i = 0; i < lag; i++) {
            vectors.read(first + i, vector);
            double sum = 0;
            double squares = 0;
            int counted = 0;
            for (int channel = 0; channel < channels; channel++) {
                double range = (double) most[channel] - least[channel];
                if (range > 0) {
                    double scaled = (vector[channel] - least[channel]) / range;
                    sum += scaled;
                    squares += scaled * scaled;
                    counted++;
                }
            }
            double variance = counted < 2 ? 0 : (squares - sum * sum / counted) / (counted - 1);
            target[i] = Math.sqrt(Math.max(0, variance));
        }
    }

    private static void softmax(double[] row) {
        double largest = Arrays.stream(row).max().orElse(0);
        double sum = 0;
        for (int i = 0; i < row.length; i++) {
            row[i] = Math.exp(row[i] - largest);
            sum += row[i];
        }
        for (int i = 0; i < row.length; i++) {
            row[i] /= sum;
        }
    }
}
