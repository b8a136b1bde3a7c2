package dev.layercake.kv.policy;

/**
 * The best by score first, and of the others those whose values change the layer's output most: CriticalKV (Feng et al.,
 * arXiv 2502.03805; CriticalKVPress and CriticalAdaKVPress of kvpress 8bb29b9). With c entries to keep, window included,
 * {@code share} x c are the best by score; the rest are the best by (score + epsilon) x the sum of magnitudes of W_O v, the
 * mean over the query heads of the group.
 *
 * <p>Deviation: the window counts as chosen by score, whatever the share; a norm after the output projection (Gemma) is not
 * looked at.
 *
 * @param share of what is kept that the score alone decides
 * @param epsilon added to scores
 */
record CriticalSelection(double share, double epsilon) implements Selection {
    @Override
    public boolean nested() {
        return false;
    }

    @Override
    public boolean usesOutput() {
        return true;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        int window = head.entries() - head.count();
        int kept = Math.min(count, scores.length);
        int first = Math.max(0, (int) ((kept + window) * share) - window);
        float[] changed = new float[scores.length];
        for (int member = 0; member < head.group(); member++) {
            float[] norms = head.outputNorms(member);
            for (int i = 0; i < changed.length; i++) {
                changed[i] += norms[i] / head.group();
            }
        }
        for (int i = 0; i < changed.length; i++) {
            changed[i] = (float) ((scores[i] + epsilon) * changed[i]);
            if (scores[i] == Float.POSITIVE_INFINITY) {
                // What must stay must stay, even with a value of zeros.
                changed[i] = Float.POSITIVE_INFINITY;
            }
        }
        for (int chosen : BestScores.best(scores, scores.length, Math.min(first, kept))) {
            changed[chosen] = Float.POSITIVE_INFINITY;
        }
        return BestScores.best(changed, changed.length, kept);
    }
}
