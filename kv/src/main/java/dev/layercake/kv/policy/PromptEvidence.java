package dev.layercake.kv.policy;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.WindowStatistics;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What was computed about a layer while a prompt passed it: what its policy's parts ask for and no more. What nobody asked
 * for is null or empty.
 *
 * @param shape of the layer's attention
 * @param firstPosition position of the prompt's first new token
 * @param newTokens of the prompt
 * @param window statistics of the last queries' attention
 * @param queries mean and covariance of the queries before the rotary embedding
 * @param rotary the layer's rotary embedding
 * @param nextRotation the position that the rotary embedding of the next token will have
 * @param outputNorms for each query head and candidate the sum of magnitudes of W_O v, its value through the head's
 *     columns of the output projection
 * @param global whether the layer sees everything and others do not, as sliding windows leave it
 */
public record PromptEvidence(
        AttentionShape shape,
        int firstPosition,
        int newTokens,
        @Nullable WindowStatistics window,
        @Nullable QueryStatistics queries,
        @Nullable Rotary rotary,
        long nextRotation,
        List<float[]> outputNorms,
        boolean global) {
    public PromptEvidence {
        outputNorms = List.copyOf(outputNorms);
    }

    /** Of a layer whose policy asks for nothing but perhaps the window. */
    public static PromptEvidence of(AttentionShape shape, int tokens, @Nullable WindowStatistics window) {
        return new PromptEvidence(shape, 0, tokens, window, null, null, tokens, List.of(), false);
    }
}
