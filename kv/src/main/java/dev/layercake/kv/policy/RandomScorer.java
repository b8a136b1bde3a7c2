package dev.layercake.kv.policy;

/**
 * The bound from below that a policy has to beat: every token has a random score that depends on nothing but the seed, the
 * layer, the head and the position. So what is kept, in a prompt and while decoding, is at every moment a uniform sample
 * of all tokens so far outside the window (reservoir sampling), and the same seed keeps the same tokens.
 *
 * @param window last tokens kept unjudged
 * @param seed of the scores
 * @param sinks first tokens, always kept
 */
record RandomScorer(int window, long seed, int sinks) implements TokenScorer {
    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        long headSeed = headSeed(head.layer(), head.kvHead());
        for (int i = 0; i < head.count(); i++) {
            scores[i] = score(headSeed, head.position(i));
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        long headSeed = headSeed(layer, kvHead);
        for (int i = 0; i < count; i++) {
            scores[i] = score(headSeed, positions[i]);
        }
    }

    private long headSeed(int layer, int kvHead) {
        return mix(seed + mix(layer * 0x1_0000_0001L + kvHead));
    }

    private float score(long headSeed, int position) {
        return position < sinks ? Float.POSITIVE_INFINITY : (mix(headSeed + position) >>> 40) * 0x1p-24f;
    }

    /** The finaliser of SplitMix64: every bit of the result depends on every bit of the argument. */
    private static long mix(long bits) {
        long z = bits + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
