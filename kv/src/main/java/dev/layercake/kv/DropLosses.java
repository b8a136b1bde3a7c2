package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * What a layer's last queries would lose with each entry: the sum over the queries of the squared length by which a query's
 * attention output moves if that entry alone is dropped and the softmax goes over the others. With the probability p and the
 * output o that is (p / (1 - p))^2 |v - o|^2. Memory is one row of probabilities per worker.
 */
final class DropLosses {
    /** A query that looks at one entry only would lose everything; so much is left for the others. */
    private static final double LEAST_REST = 1e-6;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;

    /** @param queries [queries x queryHeads * headDim] of consecutive tokens, rotary embedding applied */
    DropLosses(AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
    }

    /** For each query head and slot the sum of the losses. */
    double[][] compute(Workers workers) {
        double[][] losses = new double[shape.queryHeads()][];
        workers.run((worker, team) -> {
            for (int head = worker; head < losses.length; head += team) {
                losses[head] = losses(head);
            }
        });
        return losses;
    }

    private double[] losses(int head) {
        KvRows entries = rows[head / shape.group()];
        int headDim = shape.headDim();
        double[] losses = new double[entries.length()];
        double[] probabilities = new double[entries.length()];
        double[] output = new double[headDim];
        float[] query = new float[headDim];
        float[] vector = new float[headDim];
        for (int row = 0; row < queries.rows(); row++) {
            long offset = row * queries.rowBytes() + (long) head * headDim * Float.BYTES;
            MemorySegment.copy(queries.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, offset, query, 0, headDim);
            probabilities(entries, query, firstPosition + row, vector, probabilities);
            Arrays.fill(output, 0);
            for (int slot = 0; slot < losses.length; slot++) {
                if (probabilities[slot] > 0) {
                    entries.readValue(slot, vector);
                    for (int i = 0; i < headDim; i++) {
                        output[i] += probabilities[slot] * vector[i];
                    }
                }
            }
            for (int slot = 0; slot < losses.length; slot++) {
                if (probabilities[slot] > 0) {
                    entries.readValue(slot, vector);
                    double distance = 0;
                    for (int i = 0; i < headDim; i++) {
                        distance += (vector[i] - output[i]) * (vector[i] - output[i]);
                    }
                    double odds = probabilities[slot] / Math.max(LEAST_REST, 1 - probabilities[slot]);
                    losses[slot] += odds * odds * distance;
                }
            }
        }
        return losses;
    }

    private void probabilities(KvRows entries, float[] query, int position, float[] key, double[] target) {
        long oldest = shape.slidingWindow() == 0 ? Long.MIN_VALUE : (long) position - shape.slidingWindow() + 1;
        double largest = Double.NEGATIVE_INFINITY;
        for (int slot = 0; slot < target.length; slot++) {
            target[slot] = Double.NEGATIVE_INFINITY;
            if (entries.position(slot) <= position && entries.position(slot) >= oldest) {
                entries.readKey(slot, key);
                double logit = 0;
                for (int i = 0; i < key.length; i++) {
                    logit += (double) query[i] * key[i];
                }
                logit *= shape.scale();
                target[slot] = shape.softcap() == 0 ? logit : shape.softcap() * Math.tanh(logit / shape.softcap());
                largest = Math.max(largest, target[slot]);
            }
        }
        double sum = 0;
        for (int slot = 0; slot < target.length; slot++) {
            target[slot] = target[slot] == Double.NEGATIVE_INFINITY ? 0 : Math.exp(target[slot] - largest);
            sum += target[slot];
        }
        for (int slot = 0; slot < target.length && sum > 0; slot++) {
            target[slot] /= sum;
        }
    }
}
