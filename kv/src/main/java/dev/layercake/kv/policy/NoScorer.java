package dev.layercake.kv.policy;

import java.util.Arrays;

/** The scorer of a policy that never cuts: all entries are equal. */
record NoScorer() implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        Arrays.fill(scores, 0, head.count(), 0);
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        Arrays.fill(scores, 0, count, 0);
    }
}
