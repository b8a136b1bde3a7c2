package dev.layercake.kv.policy;

/**
 * Which candidates of a head stay after a prompt, given their scores and how many may stay. {@link BestScores} is the usual
 * one; others keep whole passages, or judge a second time.
 *
 * <p>Stateless, like the scorer.
 */
public interface Selection {
    /** Whether a smaller count chooses the first of what a larger count chooses, as a cascade needs it. */
    boolean nested();

    /** Whether the heads are given the mean of their scores, so that all of them choose the same. */
    default boolean sharedByHeads() {
        return false;
    }

    /** Whether {@link #choose} looks at the head, not only at its scores. */
    default boolean looksAgain() {
        return true;
    }

    /** Whether {@link #choose} looks at {@link PromptHead#outputNorms}. */
    default boolean usesOutput() {
        return false;
    }

    /** Whether as many are chosen as may stay, if there are as many. */
    default boolean fillsBudget() {
        return true;
    }

    /**
     * Chooses.
     *
     * @param scorer that gave the scores
     * @param scores of the candidates
     * @param count of candidates that may stay, at least 0
     * @return the chosen candidates, the most important first, none twice
     */
    int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count);
}
