package dev.layercake.kv.policy;

/**
 * Sinks forever, then the newest: StreamingLLM (arXiv 2309.17453; mit-han-lab/streaming-llm 2e50426).
 *
 * <p>Deviations: unless {@link PositionRule#SLOT} is asked for, entries keep their positions in the text instead of being
 * renumbered by their place in the cache, as in every later paper that takes StreamingLLM for a baseline. A token looks at
 * budget + 1 entries, itself included, before one goes.
 *
 * @param sinks first tokens that always stay
 */
record RecencyScorer(int sinks) implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    @Override
    public boolean judgesEntries() {
        return false;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        for (int i = 0; i < head.count(); i++) {
            scores[i] = score(head.position(i));
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        for (int i = 0; i < count; i++) {
            scores[i] = score(positions[i]);
        }
    }

    private float score(int position) {
        // Adjacent positions above 2^24 would be equal as floats; their bits, read as a float, stay in order.
        return position < sinks ? Float.POSITIVE_INFINITY : Float.intBitsToFloat(position);
    }
}
