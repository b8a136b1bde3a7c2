package dev.layercake.kv.policy;

/**
 * Entries whose keys point elsewhere than most matter: KeyDiff (Park et al., arXiv 2504.15364; KeyDiffPress of kvpress
 * 8bb29b9). The score is minus the cosine between a key and the mean direction of all keys of the head. Looks at no query.
 *
 * @param window last tokens, kept unjudged
 * @param kept first tokens, always kept
 */
record KeyDifferenceScorer(int window, FirstTokens kept) implements TokenScorer {
    /** Below it a vector has no direction. */
    private static final double NO_LENGTH = 1e-12;

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
        double[] direction = new double[head.headDim()];
        for (int i = 0; i < head.entries(); i++) {
            head.key(i, key);
            double length = Math.max(NO_LENGTH, Math.sqrt(KeyNormScorer.dot(key, key)));
            for (int d = 0; d < key.length; d++) {
                direction[d] += key[d] / length / head.entries();
            }
        }
        float[] anchor = new float[head.headDim()];
        for (int d = 0; d < anchor.length; d++) {
            anchor[d] = (float) direction[d];
        }
        double anchorLength = Math.max(NO_LENGTH, Math.sqrt(KeyNormScorer.dot(anchor, anchor)));
        for (int i = 0; i < head.count(); i++) {
            head.key(i, key);
            double length = Math.max(NO_LENGTH, Math.sqrt(KeyNormScorer.dot(key, key)));
            double cosine = KeyNormScorer.dot(key, anchor) / length / anchorLength;
            scores[i] = kept.holds(head, i) ? Float.POSITIVE_INFINITY : (float) -cosine;
        }
    }
}
