package dev.layercake.kv.policy;

/**
 * The candidates with the highest scores, the same in all heads of a layer: each is judged by the mean of the heads' scores, as TOVA
 * (arXiv 2401.06104) does it for its own. A head that looks elsewhere cannot lose what the others need.
 */
record SharedScores() implements Selection {
    @Override
    public boolean nested() {
        return true;
    }

    @Override
    public boolean sharedByHeads() {
        return true;
    }

    @Override
    public boolean looksAgain() {
        return false;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        return BestScores.best(scores, scores.length, count);
    }
}
