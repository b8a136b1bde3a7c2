package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.ChunkAttention;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The attention that the tokens of a chunk of a prompt pay to each other without causal mask, summed up for each entry.
 * Queries of the running chunk are kept until it is complete, no others. Entries from before the prompt belong to its first
 * chunk.
 */
final class ChunkSums {
    private final ChunkAttention kind;
    private final AttentionShape shape;
    private final KvRows[] rows;
    private final int newTokens;
    private final float[] queries;
    private final double[][] sums;
    private int chunkStart;
    private int held;

    /** @param rows one per KV head, of which the last {@code newTokens} slots are the prompt's */
    ChunkSums(ChunkAttention kind, AttentionShape shape, KvRows[] rows, int newTokens) {
        this.kind = kind;
        this.shape = shape;
        this.rows = rows;
        this.newTokens = newTokens;
        this.queries = new float[Math.min(kind.tokens(), newTokens) * shape.queryHeads() * shape.headDim()];
        this.sums = new double[shape.queryHeads()][];
        for (int head = 0; head < sums.length; head++) {
            sums[head] = new double[rows[head / shape.group()].length()];
        }
    }

    /** For each query head and slot the sum. */
    double[][] sums() {
        return sums;
    }

    /** Takes the queries of tokens whose keys, and those of all before, have been stored. */
    void add(Tensor more, Workers workers) {
        int width = shape.queryHeads() * shape.headDim();
        for (int row = 0; row < more.rows(); row++) {
            MemorySegment.copy(
                    more.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, row * more.rowBytes(), queries, held * width, width);
            held++;
            if (held == kind.tokens() || chunkStart + held == newTokens) {
                attend(workers);
                chunkStart += held;
                held = 0;
            }
        }
    }

    private void attend(Workers workers) {
        workers.run((worker, team) -> {
            for (int kvHead = worker; kvHead < rows.length; kvHead += team) {
                KvRows entries = rows[kvHead];
                int end = entries.length() - newTokens + chunkStart + held;
                int first = chunkStart == 0 ? 0 : end - held;
                float[][] keys = new float[end - first][shape.headDim()];
                for (int slot = first; slot < end; slot++) {
                    entries.readKey(slot, keys[slot - first]);
                }
                for (int member = 0; member < shape.group(); member++) {
                    int head = kvHead * shape.group() + member;
                    attend(head, keys, sums[head], first);
                }
            }
        });
    }

    private void attend(int head, float[][] keys, double[] target, int first) {
        int padding = kind.padded() ? kind.tokens() - held : 0;
        double[] weights = new double[keys.length];
        for (int token = 0; token < held; token++) {
            int query = (token * shape.queryHeads() + head) * shape.headDim();
            double largest = padding > 0 ? 0 : Double.NEGATIVE_INFINITY;
            for (int key = 0; key < keys.length; key++) {
                weights[key] = dot(query, keys[key]);
                largest = Math.max(largest, weights[key]);
            }
            double sum = padding * Math.exp(-largest);
            for (int key = 0; key < keys.length; key++) {
                weights[key] = Math.exp(weights[key] - largest);
                sum += weights[key];
            }
            for (int key = 0; key < keys.length; key++) {
                target[first + key] += weights[key] / sum;
            }
        }
        // A query of zeros looks at everything alike.
        for (int key = 0; key < keys.length; key++) {
            target[first + key] += (double) padding / (keys.length + padding);
        }
    }

    private double dot(int query, float[] key) {
        double sum = 0;
        for (int i = 0; i < key.length; i++) {
            sum += queries[query + i] * (double) key[i];
        }
        return sum;
    }
}
