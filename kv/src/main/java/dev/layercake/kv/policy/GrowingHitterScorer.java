package dev.layercake.kv.policy;

/**
 * As {@link HeavyHitterScorer}, for a budget that grows with the text: half of it, rounded down, are the most recent
 * tokens, and the attention got so far, summed over the group, decides about the others (MiKV, arXiv 2402.18096).
 *
 * @param budget what a text of so many tokens may keep
 */
record GrowingHitterScorer(RatioBudget budget) implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    @Override
    public boolean usesAllQueries() {
        return true;
    }

    @Override
    public boolean usesStepAttention() {
        return true;
    }

    @Override
    public boolean countsAttention() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int firstRecent = firstRecent(head.position(head.count() - 1));
        for (int i = 0; i < head.count(); i++) {
            double sum = 0;
            for (int member = 0; member < head.attentionSums(); member++) {
                sum += head.attentionSum(member)[i];
            }
            scores[i] = head.position(i) >= firstRecent ? Float.POSITIVE_INFINITY : (float) sum;
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        int firstRecent = firstRecent(positions[count - 1]);
        for (int i = 0; i < count; i++) {
            scores[i] = positions[i] >= firstRecent ? Float.POSITIVE_INFINITY : attention[0][i];
        }
    }

    private int firstRecent(int lastPosition) {
        return lastPosition + 1 - budget.budget(lastPosition + 1) / 2;
    }
}
