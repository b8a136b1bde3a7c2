package dev.layercake.kernels;

/**
 * What attention needs to know of a layer. Query head {@code h} reads KV head {@code h / group()}.
 *
 * @param queryHeads number of query heads
 * @param kvHeads number of KV heads, a divisor of {@code queryHeads}
 * @param headDim elements of one key, value or query vector
 * @param scale factor on q.k, usually {@code 1 / sqrt(headDim)}
 * @param softcap logits become {@code softcap * tanh(logit / softcap)}; 0 for none (Gemma 2)
 * @param slidingWindow a query at position p sees positions in {@code (p - slidingWindow, p]}; 0 for no limit
 */
public record AttentionShape(int queryHeads, int kvHeads, int headDim, float scale, float softcap, int slidingWindow) {
    public AttentionShape {
        if (kvHeads < 1 || headDim < 1 || queryHeads < 1 || queryHeads % kvHeads != 0) {
            throw new IllegalArgumentException(
                    queryHeads + " query heads on " + kvHeads + " KV heads of " + headDim + " elements");
        }
        if (softcap < 0 || slidingWindow < 0) {
            throw new IllegalArgumentException("softcap " + softcap + ", sliding window " + slidingWindow);
        }
    }

    /** Query heads that share a KV head. */
    public int group() {
        return queryHeads / kvHeads;
    }
}
