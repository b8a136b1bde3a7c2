package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/** Attention on the JDK's vectors: the attention part of {@link Kernels}, shapes checked by the caller. */
final class SimdAttention {
    private SimdAttention() {}

    static void attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor out,
            @Nullable Tensor softmax,
            Workers workers) {
        new PrefillAttention(shape, rows, queries, firstPosition, out, softmax, workers).run();
    }

    static void attentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers) {
        new AttentionSums(shape, rows, queries, firstPosition, softmax, sums, workers).run();
    }

    static void attentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers) {
        new AttentionMaxima(shape, rows, queries, firstPosition, judged, maxima, workers).run();
    }

    static void attendOne(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            Tensor out,
            @Nullable Tensor probabilities,
            Workers workers) {
        new DecodeAttention(shape, rows, query, position, out, probabilities, workers).run();
    }

    static void windowStatistics(
            AttentionShape shape,
            KvRows[] rows,
            Tensor windowQueries,
            int firstPosition,
            WindowStatistics statistics,
            Workers workers) {
        new WindowAttention(shape, rows, windowQueries, firstPosition, statistics, workers).run();
    }

    static void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values, Workers workers) {
        int tokens = (int) keys.rows();
        if (tokens == 1) {
            // A round of the team takes longer.
            store(rows, fromEnd, keys, values, 0, 1);
        } else {
            workers.run((worker, count) -> {
                int from = (int) ((long) tokens * worker / count);
                int to = (int) ((long) tokens * (worker + 1) / count);
                store(rows, fromEnd, keys, values, from, to);
            });
        }
    }

    /** Stores the entries of tokens {@code [from, to)}. */
    private static void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values, int from, int to) {
        for (int head = 0; head < rows.length; head++) {
            KvRows entries = rows[head];
            int headDim = entries.headDim();
            int firstSlot = entries.length() - fromEnd;
            long column = (long) head * headDim * Float.BYTES;
            for (int token = from; token < to; token++) {
                int slot = firstSlot + token;
                SimdCodec.encode(
                        (DType) entries.keyType(), keys.rowAddress(token) + column, entries.keyAddress(slot), headDim);
                SimdCodec.encode(
                        (DType) entries.valueType(),
                        values.rowAddress(token) + column,
                        entries.valueAddress(slot),
                        headDim);
            }
        }
    }
}
