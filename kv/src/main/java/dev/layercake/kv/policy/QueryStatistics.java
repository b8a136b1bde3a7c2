package dev.layercake.kv.policy;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.ValueLayout;

/**
 * Mean and covariance of a prompt's queries before the rotary embedding, for each query head of a layer. Sums are taken in
 * float64 as the queries come, so that no query is kept.
 */
public final class QueryStatistics {
    private final int heads;
    private final int headDim;
    private final double[][] sums;
    /** The lower triangle of each head's sum of products. */
    private final double[][] products;

    private long count;

    public QueryStatistics(AttentionShape shape) {
        this.heads = shape.queryHeads();
        this.headDim = shape.headDim();
        this.sums = new double[heads][headDim];
        this.products = new double[heads][headDim * headDim];
    }

    /** Bytes that the statistics of one layer take. */
    public static long bytes(int queryHeads, int headDim) {
        return (long) queryHeads * headDim * (headDim + 1L) * Double.BYTES;
    }

    /**
     * Counts more queries in.
     *
     * @param queries [tokens x queryHeads * headDim], rotary embedding not applied
     * @param first the rows before it are left out
     */
    public void add(Tensor queries, int first, Workers workers) {
        int rows = (int) queries.rows();
        if (first >= rows) {
            return;
        }
        count += rows - first;
        workers.run((worker, team) -> {
            float[] query = new float[headDim];
            for (int head = worker; head < heads; head += team) {
                for (int row = first; row < rows; row++) {
                    long offset = row * queries.rowBytes() + (long) head * headDim * Float.BYTES;
                    for (int i = 0; i < headDim; i++) {
                        query[i] =
                                queries.data().get(ValueLayout.JAVA_FLOAT_UNALIGNED, offset + (long) i * Float.BYTES);
                    }
                    add(query, sums[head], products[head]);
                }
            }
        });
    }

    private void add(float[] query, double[] sum, double[] product) {
        for (int i = 0; i < headDim; i++) {
            double x = query[i];
            sum[i] += x;
            int row = i * headDim;
            for (int j = 0; j <= i; j++) {
                product[row + j] += x * query[j];
            }
        }
    }

    /** Queries counted so far, per head. */
    public long count() {
        return count;
    }

    /** The mean query of a head; zeros if there was none. */
    public double[] mean(int queryHead) {
        double[] mean = sums[queryHead].clone();
        for (int i = 0; i < headDim; i++) {
            mean[i] = count == 0 ? 0 : mean[i] / count;
        }
        return mean;
    }

    /** The covariance of a head's queries (divisor: their number), [headDim x headDim]. */
    public double[] covariance(int queryHead) {
        double[] mean = mean(queryHead);
        double[] covariance = new double[headDim * headDim];
        for (int i = 0; i < headDim && count > 0; i++) {
            for (int j = 0; j <= i; j++) {
                double value = products[queryHead][i * headDim + j] / count - mean[i] * mean[j];
                covariance[i * headDim + j] = value;
                covariance[j * headDim + i] = value;
            }
        }
        return covariance;
    }
}
