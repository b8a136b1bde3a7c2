package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * Whole passages of the text, the same in all heads of a layer: ChunkKV (Liu et al., arXiv 2502.00299; ChunkKVPress of
 * kvpress 8bb29b9). Entries are cut into passages of {@code length}, the last of which may be shorter; a passage's score is
 * the mean of its entries' scores, and the best passages stay until the next one does not fit.
 *
 * <p>Deviation: a passage that reaches into the window comes first, instead of by scores in which the window has the
 * maximum plus one; sinks stay even if their passage does not fit.
 *
 * @param length entries of a passage
 */
record PassageSelection(int length) implements Selection {
    @Override
    public boolean nested() {
        return false;
    }

    @Override
    public boolean sharedByHeads() {
        return true;
    }

    @Override
    public boolean fillsBudget() {
        return false;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        if (scores.length <= count) {
            return BestScores.best(scores, scores.length, count);
        }
        int[] chosen = new int[Math.min(count, scores.length)];
        boolean[] taken = new boolean[scores.length];
        int kept = 0;
        for (int i = 0; i < scores.length && kept < chosen.length; i++) {
            if (scores[i] == Float.POSITIVE_INFINITY) {
                // Sinks stay even where their passage does not.
                chosen[kept++] = i;
                taken[i] = true;
            }
        }
        float[] means = means(head, scores);
        for (int passage : BestScores.best(means, means.length, means.length)) {
            int end = Math.min(scores.length, (passage + 1) * length);
            int more = 0;
            for (int i = passage * length; i < end; i++) {
                more += taken[i] ? 0 : 1;
            }
            if (more > chosen.length - kept) {
                break;
            }
            for (int i = passage * length; i < end; i++) {
                if (!taken[i]) {
                    chosen[kept++] = i;
                }
            }
        }
        return Arrays.copyOf(chosen, kept);
    }

    private float[] means(PromptHead head, float[] scores) {
        boolean windowFollows = head.entries() > head.count();
        float[] means = new float[(scores.length + length - 1) / length];
        for (int passage = 0; passage < means.length; passage++) {
            int end = Math.min(scores.length, (passage + 1) * length);
            double sum = 0;
            for (int i = passage * length; i < end; i++) {
                sum += scores[i];
            }
            boolean cutByWindow = windowFollows && end < (passage + 1) * length;
            means[passage] = cutByWindow ? Float.POSITIVE_INFINITY : (float) (sum / (end - passage * length));
        }
        return means;
    }
}
