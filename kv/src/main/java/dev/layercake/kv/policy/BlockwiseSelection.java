package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * Block after block, as if the text came in and room were made each time: BlockPress of kvpress 8bb29b9 (Park et al., KeyDiff,
 * arXiv 2504.15364). The first candidates fill the count; then each block of {@code length} joins what is kept, all of it is
 * judged anew as if there were nothing else, and the best stay.
 *
 * @param length candidates of a block
 */
record BlockwiseSelection(int length) implements Selection {
    @Override
    public boolean nested() {
        return false;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        int candidates = scores.length;
        if (candidates <= count) {
            return BestScores.best(scores, candidates, count);
        }
        int[] kept = new int[count];
        Arrays.setAll(kept, i -> i);
        for (int first = count; first < candidates; first += length) {
            int[] judged = Arrays.copyOf(kept, count + Math.min(length, candidates - first));
            // Parts of a head are in the order of positions.
            Arrays.sort(judged, 0, count);
            for (int i = count; i < judged.length; i++) {
                judged[i] = first + i - count;
            }
            float[] partScores = new float[judged.length];
            scorer.scorePrompt(head.part(judged), partScores);
            kept = BestScores.best(partScores, judged.length, count);
            for (int i = 0; i < count; i++) {
                kept[i] = judged[kept[i]];
            }
        }
        return kept;
    }
}
