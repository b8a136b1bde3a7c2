package dev.layercake.kernels;

/**
 * What the attention of the observation window tells about a layer (CAKE, section 3; SnapKV, section 4). Filled by
 * {@link Kernels#windowStatistics}.
 *
 * <p>With A[h][i][j] the softmax attention of window query i in query head h on slot j, over all visible slots, and the
 * candidates j of a head being its first slots, not renormalised:
 *
 * <ul>
 *   <li>{@link #mean}[h][j] is the mean over i of A[h][i][j];
 *   <li>{@link #variance}[h][j] its variance over i, unbiased (divisor queries - 1; 0 for a single query);
 *   <li>{@link #entropy} is -sum over h, i, j of A ln(A + 1e-10);
 *   <li>{@link #varianceSum} is the sum over h, j of the variance.
 * </ul>
 */
public final class WindowStatistics {
    private final int[] candidates;
    private final float[][] mean;
    private final float[][] variance;
    private double entropy;
    private double varianceSum;

    /**
     * @param shape of the layer
     * @param candidates for each KV head the number of slots to judge, from slot 0
     */
    public WindowStatistics(AttentionShape shape, int[] candidates) {
        if (candidates.length != shape.kvHeads()) {
            throw new IllegalArgumentException(candidates.length + " counts for " + shape.kvHeads() + " KV heads");
        }
        this.candidates = candidates.clone();
        this.mean = new float[shape.queryHeads()][];
        this.variance = new float[shape.queryHeads()][];
        for (int head = 0; head < mean.length; head++) {
            mean[head] = new float[candidates[head / shape.group()]];
            variance[head] = new float[candidates[head / shape.group()]];
        }
    }

    /** Candidates of a KV head. */
    public int candidates(int kvHead) {
        return candidates[kvHead];
    }

    public int queryHeads() {
        return mean.length;
    }

    /** Query heads that share a KV head. */
    public int group() {
        return mean.length / candidates.length;
    }

    /** Per candidate, the mean attention that a query head pays to it. */
    public float[] mean(int queryHead) {
        return mean[queryHead];
    }

    /** Per candidate, the unbiased variance over the window's queries. */
    public float[] variance(int queryHead) {
        return variance[queryHead];
    }

    public double entropy() {
        return entropy;
    }

    public double varianceSum() {
        return varianceSum;
    }

    /** Sets the two sums over all heads; called by the kernel. */
    public void sums(double newEntropy, double newVarianceSum) {
        entropy = newEntropy;
        varianceSum = newVarianceSum;
    }
}
