package dev.layercake.kv.policy;

/**
 * What the last token looks at, on average over all heads of the layer, which then all keep the same tokens: TOVA (arXiv
 * 2401.06104; schwartz-lab-NLP/TOVA 9c7d09b). In a decode step the new token judges in the same way. Nothing is protected,
 * not even the newest token, unless a window is asked for.
 *
 * @param window last tokens, kept unjudged; 0 in the published code, 1 in kvpress 8bb29b9
 */
record TovaScorer(int window) implements TokenScorer {
    @Override
    public int queries() {
        return 1;
    }

    @Override
    public boolean usesStepAttention() {
        return true;
    }

    @Override
    public boolean sharedByHeads() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        float[][] attention = new float[head.group()][];
        for (int member = 0; member < attention.length; member++) {
            attention[member] = head.mean(member);
        }
        average(attention, head.count(), scores);
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        average(attention, count, scores);
    }

    private static void average(float[][] attention, int count, float[] scores) {
        for (int i = 0; i < count; i++) {
            double sum = 0;
            for (float[] row : attention) {
                sum += row[i];
            }
            scores[i] = (float) (sum / attention.length);
        }
    }
}
