package dev.layercake.kv.policy;

/**
 * The attention that an entry has got on average from the queries that see it: ObservedAttentionPress of kvpress 8bb29b9, the
 * sums of H2O without their bias for old tokens.
 *
 * @param window last tokens, kept unjudged
 * @param reduction over the group
 */
record ObservedAttentionScorer(int window, Reduction reduction) implements TokenScorer {
    @Override
    public boolean usesAllQueries() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        double[] reduced = new double[head.count()];
        int members = head.attentionSums();
        for (int member = 0; member < members; member++) {
            reduction.add(head.attentionSum(member), head.count(), members, member == 0, reduced);
        }
        for (int i = 0; i < head.count(); i++) {
            int queries = head.seenBy(i);
            scores[i] = queries == 0 ? 0 : (float) (reduced[i] / queries);
        }
    }
}
