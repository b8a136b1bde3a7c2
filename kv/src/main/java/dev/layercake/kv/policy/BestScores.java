package dev.layercake.kv.policy;

/** The candidates with the highest scores. */
record BestScores() implements Selection {
    @Override
    public boolean nested() {
        return true;
    }

    @Override
    public boolean looksAgain() {
        return false;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        return best(scores, scores.length, count);
    }

    /** Indices of the {@code kept} highest of the first {@code count} scores, in descending order. */
    static int[] best(float[] scores, int count, int kept) {
        long[] keys = new long[count];
        for (int i = 0; i < count; i++) {
            keys[i] = Ranking.key(scores[i], i);
        }
        int taken = Math.min(Math.max(0, kept), count);
        Ranking.select(keys, count, taken);
        int[] chosen = new int[taken];
        for (int i = 0; i < taken; i++) {
            chosen[i] = Ranking.tieBreaker(keys[i]);
        }
        return chosen;
    }
}
