package dev.layercake.kv.policy;

/**
 * Judges an entry by what it is worth to a model that repeats the text: the most attention that any query of the repetition
 * pays to it. KVzip (arXiv 2505.23416; NVIDIA/kvpress 00dd63a, kvzip_press.py). Knows nothing of any question, and so has no
 * window: the last tokens of a text are judged like all others.
 *
 * <p>Deviations: kvpress masks what it drops, here its memory is freed; exactly as many entries stay as the budget has,
 * where kvpress compares with a threshold; what a chat template writes before the text is judged like the text; layers with
 * a sliding window are judged too, by what the repetition sees through it.
 *
 * @param sinks first tokens that are always kept, and that every query of the repetition looks at
 * @param replayTokens of the text that are repeated at a time
 */
record ReplayScorer(int sinks, int replayTokens) implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    /** What passes through the layers tells nothing yet; scores come of the repetition. */
    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        throw new UnsupportedOperationException("a replay judges, not the prompt");
    }
}
