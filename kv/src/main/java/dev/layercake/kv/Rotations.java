package dev.layercake.kv;

/**
 * The positions that the rotary embeddings of the next tokens have. They are those of the text unless the policy's {@link
 * dev.layercake.kv.policy.PositionRule} says otherwise.
 *
 * @param first of the first token; the others follow
 * @param count tokens
 * @param length positions that the text may use, or uses with them if nobody said; some models' frequencies depend on it
 * @param exact whether angles must not be rounded to float32, as a stream of any length needs it
 */
public record Rotations(int first, int count, int length, boolean exact) {}
