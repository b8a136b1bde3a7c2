package dev.layercake.kv.policy;

/**
 * What the tokens of a chunk look at if they may look ahead: the attention half of Compactor (Chari and Van Durme, arXiv
 * 2507.08143; NonCausalAttnPress of kvpress 8bb29b9). In each chunk all queries attend to all keys, without mask and without the
 * factor on q.k; an entry's score is the sum of what it gets, the mean over the group, times the length of its value, averaged
 * with its two neighbours. Attention inside chunks knows no question, so a text can be compressed before one is asked.
 *
 * <p>Deviations: a last chunk that is short is short, where kvpress fills it up with zeros that draw attention
 * ({@code padding=official}); scores are not made to have mean 0 and deviation 1 over the layer, which changes no choice;
 * entries of earlier turns are looked at by the first chunk of a later one.
 *
 * @param window last tokens, kept unjudged
 * @param chunkAttention chunks
 */
record NonCausalScorer(int window, ChunkAttention chunkAttention) implements TokenScorer {
    private static final int POOLED = 3;

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int entries = head.entries();
        double[] sums = new double[entries];
        int members = head.attentionSums();
        for (int member = 0; member < members; member++) {
            Reduction.MEAN.add(head.attentionSum(member), entries, members, member == 0, sums);
        }
        float[] value = new float[head.headDim()];
        for (int i = 0; i < entries; i++) {
            head.value(i, value);
            sums[i] *= Math.sqrt(KeyNormScorer.dot(value, value));
        }
        double[] pooled = Pooling.AVG.pooled(sums, entries, POOLED);
        for (int i = 0; i < head.count(); i++) {
            scores[i] = (float) pooled[i];
        }
    }
}
