package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/** Attention on the JDK's vectors: the attention part of {@link Kernels}, shapes checked by the caller. */
final class SimdAttention {
    private SimdAttention() {}

    static void attend(
            AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition, Tensor out, Workers workers) {
        new PrefillAttention(shape, rows, queries, firstPosition, out, workers).run();
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
}
