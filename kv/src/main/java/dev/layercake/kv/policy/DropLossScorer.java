package dev.layercake.kv.policy;

/**
 * What the last tokens of the prompt would lose with an entry: the squared length by which their attention outputs move if it
 * alone is dropped, summed over them, the mean over the group (DropKVPress, NVIDIA/kvpress issue 284 and pull request 285,
 * which are open; built from their formula). Losses are lengths in the same units in all heads, so heads can compete by them.
 *
 * <p>Deviation: a probability of 1 is taken for one that leaves a millionth to the others.
 *
 * @param window last tokens, kept unjudged; their queries judge the others
 */
record DropLossScorer(int window) implements TokenScorer {
    @Override
    public int queries() {
        return window;
    }

    @Override
    public boolean usesDropLosses() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        double[] losses = new double[head.count()];
        int members = head.attentionSums();
        for (int member = 0; member < members; member++) {
            Reduction.MEAN.add(head.attentionSum(member), head.count(), members, member == 0, losses);
        }
        for (int i = 0; i < head.count(); i++) {
            scores[i] = (float) losses[i];
        }
    }
}
