package dev.layercake.kv.policy;

/**
 * Entries with short keys matter (Devoto et al., arXiv 2406.11430; KnormPress of kvpress 8bb29b9): the score is minus the
 * Euclidean norm of the key. Looks at no query, so a text can be compressed before the question is known.
 *
 * @param window last tokens, kept unjudged
 * @param kept first tokens, always kept
 */
record KeyNormScorer(int window, FirstTokens kept) implements TokenScorer {
    @Override
    public boolean judgesVectors() {
        return true;
    }

    @Override
    public boolean scoresBelowZero() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        float[] key = new float[head.headDim()];
        for (int i = 0; i < head.count(); i++) {
            head.key(i, key);
            scores[i] = kept.holds(head, i) ? Float.POSITIVE_INFINITY : (float) -Math.sqrt(dot(key, key));
        }
    }

    static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }
}
