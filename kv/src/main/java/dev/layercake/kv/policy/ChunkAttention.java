package dev.layercake.kv.policy;

/**
 * Attention inside chunks of a prompt, without causal mask and without the factor on q.k.
 *
 * @param tokens of a chunk; the last one of a prompt may have fewer
 * @param padded whether a short chunk is filled up with vectors of zeros that take part, as a published code has it
 */
public record ChunkAttention(int tokens, boolean padded) {
    public ChunkAttention {
        if (tokens < 1) {
            throw new IllegalArgumentException("chunks of " + tokens + " tokens");
        }
    }
}
