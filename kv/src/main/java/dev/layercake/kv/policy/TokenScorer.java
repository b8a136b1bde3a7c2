package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import org.jspecify.annotations.Nullable;

/**
 * How much each entry matters: statistics in, one score per entry and head out; higher is kept, of equal scores
 * the earlier in the given order is preferred, NaN ranks last. The last {@link #window} tokens are never scored and always kept; an entry that must
 * stay for another reason (a sink) gets an infinite score.
 *
 * <p>Stateless: the same arguments give the same scores, from any thread. It declares what it needs, so that nothing else
 * is computed.
 */
public interface TokenScorer {
    /** Last tokens that are kept unjudged, and whose queries judge the others if attention is used. */
    int window();

    /** Whether {@link #scorePrompt} needs the statistics of the window's attention. */
    boolean usesWindowAttention();

    /** Whether {@link #scoreStep} needs the attention that the new token pays. */
    boolean usesStepAttention();

    /**
     * Scores the candidates of one head after a prompt.
     *
     * @param positions of the candidates, ascending; valid in {@code [0, count)}
     * @param statistics of the layer, over the same candidates; null unless {@link #usesWindowAttention}
     * @param scores receives a score for each candidate
     */
    void scorePrompt(
            int layer, int kvHead, int[] positions, int count, @Nullable WindowStatistics statistics, float[] scores);

    /**
     * Scores the candidates of one head in a decode step.
     *
     * @param positions of the candidates in the cache's logical order; valid in {@code [0, count)}
     * @param attention for each query head of the group the probability that the new token gives to each candidate, in the
     *     same order; empty unless {@link #usesStepAttention}
     * @param scores receives a score for each candidate
     */
    void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores);
}
