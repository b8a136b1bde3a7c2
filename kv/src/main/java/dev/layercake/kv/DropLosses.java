package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What a layer's last queries would lose with each entry: the sum over the queries of the squared length by which a query's
 * attention output moves if that entry alone is dropped and the softmax goes over the others. With the probability p and the
 * output o that is (p / (1 - p))^2 |v - o|^2. Keys and values are widened once for all queries of a group, block by block, and
 * meet them in matrix products.
 */
final class DropLosses {
    /** A query that looks at one entry only would lose everything; so much is left for the others. */
    private static final double LEAST_REST = 1e-6;

    private static final int BLOCK = 256;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final Kernels kernels;
    private final Workers workers;
    private final int headDim;
    private final int perHead;

    /** @param queries [queries x queryHeads * headDim] of consecutive tokens, rotary embedding applied */
    DropLosses(
            AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition, Kernels kernels, Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
        this.kernels = kernels;
        this.workers = workers;
        this.headDim = shape.headDim();
        this.perHead = (int) queries.rows();
    }

    /** For each query head and slot the sum of the losses. */
    double[][] compute() {
        double[][] losses = new double[shape.queryHeads()][];
        try (Arena arena = Arena.ofShared()) {
            Tensor outputs = Tensor.allocate(arena, DType.F32, perHead, queries.columns());
            Tensor softmax = Tensor.allocate(arena, DType.F32, perHead, 2L * shape.queryHeads());
            kernels.attend(shape, rows, queries, firstPosition, outputs, softmax, workers);
            Block block = new Block(arena);
            for (int kvHead = 0; kvHead < rows.length; kvHead++) {
                block.begin(kvHead, outputs);
                int length = rows[kvHead].length();
                for (int head = kvHead * shape.group(); head < (kvHead + 1) * shape.group(); head++) {
                    losses[head] = new double[length];
                }
                for (int first = 0; first < length; first += BLOCK) {
                    block.add(kvHead, first, Math.min(BLOCK, length - first), softmax, losses);
                }
            }
        }
        return losses;
    }

    /** The queries of a group, head by head, what they read, and so many of the entries that they look at. */
    private final class Block {
        private final Tensor query;
        private final Tensor output;
        private final Tensor keys;
        private final Tensor values;
        private final Tensor scores;
        private final Tensor products;
        private final double[] outputSquares = new double[shape.group() * perHead];
        private final double[] valueSquares = new double[BLOCK];
        private final float[] vector = new float[headDim];

        Block(Arena arena) {
            int groupQueries = shape.group() * perHead;
            query = Tensor.allocate(arena, DType.F32, groupQueries, headDim);
            output = Tensor.allocate(arena, DType.F32, groupQueries, headDim);
            keys = Tensor.allocate(arena, DType.F32, BLOCK, headDim);
            values = Tensor.allocate(arena, DType.F32, BLOCK, headDim);
            scores = Tensor.allocate(arena, DType.F32, groupQueries, BLOCK);
            products = Tensor.allocate(arena, DType.F32, groupQueries, BLOCK);
        }

        void begin(int kvHead, Tensor outputs) {
            for (int member = 0; member < shape.group(); member++) {
                long from = (long) (kvHead * shape.group() + member) * headDim * Float.BYTES;
                for (int row = 0; row < perHead; row++) {
                    int to = member * perHead + row;
                    copy(queries, row * queries.rowBytes() + from, query, to);
                    copy(outputs, row * outputs.rowBytes() + from, output, to);
                    outputSquares[to] = squares(output, to);
                }
            }
        }

        private void copy(Tensor source, long offset, Tensor target, int row) {
            MemorySegment.copy(source.data(), offset, target.data(), row * target.rowBytes(), target.rowBytes());
        }

        private double squares(Tensor tensor, int row) {
            read(tensor, row);
            double sum = 0;
            for (float element : vector) {
                sum += (double) element * element;
            }
            return sum;
        }

        private void read(Tensor tensor, int row) {
            MemorySegment.copy(
                    tensor.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, row * tensor.rowBytes(), vector, 0, headDim);
        }

        private void write(Tensor tensor, int row) {
            MemorySegment.copy(
                    vector, 0, tensor.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, row * tensor.rowBytes(), headDim);
        }

        void add(int kvHead, int first, int count, Tensor softmax, double[][] losses) {
            KvRows entries = rows[kvHead];
            for (int i = 0; i < count; i++) {
                entries.readKey(first + i, vector);
                write(keys, i);
                entries.readValue(first + i, vector);
                write(values, i);
                valueSquares[i] = squares(values, i);
            }
            kernels.matmul(keys, query, scores, workers);
            kernels.matmul(values, output, products, workers);
            workers.run((worker, team) -> {
                for (int member = worker; member < shape.group(); member += team) {
                    int head = kvHead * shape.group() + member;
                    for (int row = 0; row < perHead; row++) {
                        add(entries, head, member * perHead + row, row, first, count, softmax, losses[head]);
                    }
                }
            });
        }

        private float[] row(Tensor tensor, int row, int count) {
            float[] copy = new float[count];
            MemorySegment.copy(
                    tensor.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, row * tensor.rowBytes(), copy, 0, count);
            return copy;
        }

        private void add(
                KvRows entries, int head, int at, int row, int first, int count, Tensor softmax, double[] losses) {
            int position = firstPosition + row;
            long oldest = shape.slidingWindow() == 0 ? 0 : (long) position - shape.slidingWindow() + 1;
            double largest = softmax.get(row, head);
            double inverseSum = softmax.get(row, (long) shape.queryHeads() + head);
            float[] keyProducts = row(scores, at, count);
            float[] valueProducts = row(products, at, count);
            for (int i = 0; i < count; i++) {
                int token = entries.position(first + i);
                if (token <= position && token >= oldest) {
                    double logit = (double) shape.scale() * keyProducts[i];
                    if (shape.softcap() != 0) {
                        logit = shape.softcap() * Math.tanh(logit / shape.softcap());
                    }
                    double probability = Math.exp(logit - largest) * inverseSum;
                    double odds = probability / Math.max(LEAST_REST, 1 - probability);
                    double distance = valueSquares[i] - 2 * valueProducts[i] + outputSquares[at];
                    losses[first + i] += odds * odds * Math.max(0, distance);
                }
            }
        }
    }
}
