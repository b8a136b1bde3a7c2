package dev.layercake.kv.policy;

/**
 * The attention that an entry has got from all queries so far: H2O (arXiv 2306.14048; FMInference/H2O ac75c2a), with the
 * most recent tokens kept unjudged.
 *
 * <p>Deviations: per KV head instead of per query head, which the published code does not need to decide since it runs on
 * models without groups; {@code counting=false} is the one-shot form that later papers measure as H2O
 * (KVCache-Factory c97f9d7): judged once, after the prompt.
 *
 * @param window recent tokens, kept unjudged
 * @param reduction over the group
 * @param countsAttention whether attention is counted on and judged again in each decode step
 */
record HeavyHitterScorer(int window, Reduction reduction, boolean countsAttention) implements TokenScorer {
    @Override
    public boolean usesAllQueries() {
        return true;
    }

    @Override
    public boolean usesStepAttention() {
        return countsAttention;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        double[] reduced = new double[head.count()];
        for (int member = 0; member < head.attentionSums(); member++) {
            reduction.add(head.attentionSum(member), head.count(), head.attentionSums(), member == 0, reduced);
        }
        for (int i = 0; i < head.count(); i++) {
            scores[i] = (float) reduced[i];
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        System.arraycopy(attention[0], 0, scores, 0, count);
    }
}
