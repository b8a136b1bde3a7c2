package dev.layercake.kv.policy;

import org.jspecify.annotations.Nullable;

/**
 * How much each entry matters: statistics in, one score per entry and head out; higher is kept, of equal scores
 * the earlier in the given order is preferred, NaN ranks last. The last {@link #window} tokens are never scored and always kept; an
 * entry that must stay for another reason (a sink) gets an infinite score.
 *
 * <p>Stateless: the same arguments give the same scores, from any thread. It declares what it needs, so that nothing else
 * is computed.
 */
public interface TokenScorer {
    /** Last tokens that are kept unjudged. */
    int window();

    /** First tokens of the text that are always kept. */
    default int sinks() {
        return 0;
    }

    /** How many of the last tokens' queries {@link #scorePrompt} needs the attention of; 0 for none. */
    default int queries() {
        return 0;
    }

    /** Whether {@link #scorePrompt} needs the attention of all new tokens, summed up for each entry. */
    default boolean usesAllQueries() {
        return false;
    }

    /**
     * Whether {@link PromptHead#attentionSum} is the attention that tokens of one chunk pay to each other, later ones
     * included, instead of the causal attention of all; null if not. Entries of earlier turns belong to the first chunk.
     */
    default @Nullable ChunkAttention chunkAttention() {
        return null;
    }

    /**
     * Whether {@link PromptHead#attentionSum} is what the last {@link #queries} would lose with an entry, instead of
     * attention: the squared length by which their outputs move if it alone is dropped.
     */
    default boolean usesDropLosses() {
        return false;
    }

    /** Whether {@link #scorePrompt} needs {@link PromptHead#queries}, and from which position of the text on; -1 if not. */
    default int plainQueriesFrom() {
        return -1;
    }

    /** Whether {@link #scorePrompt} needs {@link PromptHead#rotary}. */
    default boolean usesRotary() {
        return false;
    }

    /** Whether {@link #scoreStep} needs the attention that the new token pays. */
    default boolean usesStepAttention() {
        return false;
    }

    /**
     * Whether {@link #scorePrompt} looks at nothing but positions, keys and values. Then entries can be judged by it again
     * while decoding, whatever {@link #scoreStep} knows.
     */
    default boolean judgesVectors() {
        return false;
    }

    /** Whether scores may lie below zero, so that they cannot be weighed or multiplied. */
    default boolean scoresBelowZero() {
        return false;
    }

    /**
     * Whether attention is counted: each entry remembers what it has got from all queries since it came, summed over the
     * group, and {@link #scoreStep} is given that instead of the new token's attention. Needs {@link #usesAllQueries} and
     * {@link #usesStepAttention}.
     */
    default boolean countsAttention() {
        return false;
    }

    /** Whether attention or vectors decide; otherwise positions alone, and all heads of a layer keep the same. */
    default boolean judgesEntries() {
        return true;
    }

    /** Whether all heads of a layer keep the same tokens: they are judged by the mean of the heads' scores. */
    default boolean sharedByHeads() {
        return false;
    }

    /**
     * How many tokens of the text the model repeats at a time so that entries are judged by that, instead of by {@link
     * #scorePrompt}; 0 if it does not.
     */
    default int replayTokens() {
        return 0;
    }

    /** Gates that reject entries before a layer's attention; null for none. */
    default @Nullable Gating gating() {
        return null;
    }

    /**
     * Scores the candidates of one head after a prompt.
     *
     * @param scores receives a score for each candidate
     */
    void scorePrompt(PromptHead head, float[] scores);

    /**
     * Scores the candidates of one head in a decode step. A scorer that judges a prompt and never again need not know how.
     *
     * @param positions of the candidates in the cache's logical order; valid in {@code [0, count)}
     * @param attention for each query head of the group the probability that the new token gives to each candidate, in the
     *     same order; one row of what was counted if {@link #countsAttention}; empty unless {@link #usesStepAttention}
     * @param scores receives a score for each candidate
     */
    default void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        throw new UnsupportedOperationException(this + " judges after a prompt only");
    }
}
