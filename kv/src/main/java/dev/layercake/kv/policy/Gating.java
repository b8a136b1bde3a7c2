package dev.layercake.kv.policy;

import java.nio.file.Path;
import java.util.OptionalDouble;

/**
 * Gates that reject entries of a prompt before a layer's attention sees them. Whoever runs the model evaluates them; the
 * cache drops what they reject.
 *
 * @param weights the file of the gates
 * @param threshold a score must exceed it; if empty, the file says it
 * @param sinks first tokens of the text that no gate rejects
 * @param recent last tokens of a prompt that no gate rejects
 */
public record Gating(Path weights, OptionalDouble threshold, int sinks, int recent) {
    /** Whether a token is kept whatever its gates say. */
    public boolean protects(int position, int tokensAfter) {
        return position < sinks || tokensAfter < recent;
    }
}
