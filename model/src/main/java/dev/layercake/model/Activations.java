package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Tensor;
import java.lang.foreign.Arena;

/**
 * The working memory of a layer for a chunk of tokens, one row per token, reused by every chunk and layer.
 *
 * @param normed [tokens x hidden], a block's input
 * @param queries [tokens x queryHeads * headDim]
 * @param keys [tokens x kvHeads * headDim]
 * @param values as {@code keys}
 * @param attended as {@code queries}
 * @param projected [tokens x hidden], a block's output
 * @param gate [tokens x feedForward]
 * @param up as {@code gate}
 */
record Activations(
        Tensor normed,
        Tensor queries,
        Tensor keys,
        Tensor values,
        Tensor attended,
        Tensor projected,
        Tensor gate,
        Tensor up) {

    static Activations allocate(ModelConfig config, int feedForwardSize, int tokens, Arena arena) {
        int queryElements = config.queryHeads() * config.headDim();
        int kvElements = config.kvHeads() * config.headDim();
        return new Activations(
                matrix(arena, tokens, config.hiddenSize()),
                matrix(arena, tokens, queryElements),
                matrix(arena, tokens, kvElements),
                matrix(arena, tokens, kvElements),
                matrix(arena, tokens, queryElements),
                matrix(arena, tokens, config.hiddenSize()),
                matrix(arena, tokens, feedForwardSize),
                matrix(arena, tokens, feedForwardSize));
    }

    static long bytes(ModelConfig config, int feedForwardSize, int tokens) {
        long elements = 2L * config.hiddenSize()
                + 2L * config.queryHeads() * config.headDim()
                + 2L * config.kvHeads() * config.headDim()
                + 2L * feedForwardSize;
        return elements * tokens * Float.BYTES;
    }

    /** The first {@code tokens} rows of each. */
    Activations first(int tokens) {
        if (tokens == normed.rows()) {
            return this;
        }
        return new Activations(
                normed.slice(0, tokens),
                queries.slice(0, tokens),
                keys.slice(0, tokens),
                values.slice(0, tokens),
                attended.slice(0, tokens),
                projected.slice(0, tokens),
                gate.slice(0, tokens),
                up.slice(0, tokens));
    }

    private static Tensor matrix(Arena arena, long rows, long columns) {
        return Tensor.allocate(arena, DType.F32, rows, columns);
    }
}
