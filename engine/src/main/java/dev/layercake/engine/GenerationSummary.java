package dev.layercake.engine;

import java.util.List;

/**
 * What became of a generation.
 *
 * @param text the answer
 * @param tokens of the answer, the one that ended it left out
 * @param finishReason why it ended
 * @param promptTokens tokens read before the answer, those of earlier turns not counted again
 * @param prefillNanos time to read the prompt
 * @param firstTokenNanos time from the start until the first token was chosen; 0 if there was none
 * @param decodeSteps tokens that passed through the model one by one
 * @param decodeNanos time for these
 * @param plan what memory was expected
 * @param kv what KV memory was used
 */
public record GenerationSummary(
        String text,
        List<Integer> tokens,
        FinishReason finishReason,
        int promptTokens,
        long prefillNanos,
        long firstTokenNanos,
        int decodeSteps,
        long decodeNanos,
        MemoryPlan plan,
        KvUsage kv) {
    public GenerationSummary {
        tokens = List.copyOf(tokens);
    }

    /** Prompt tokens per second. */
    public double prefillSpeed() {
        return perSecond(promptTokens, prefillNanos);
    }

    /** Decoded tokens per second; 0 if none was. */
    public double decodeSpeed() {
        return perSecond(decodeSteps, decodeNanos);
    }

    private static double perSecond(int count, long nanos) {
        return nanos == 0 ? 0 : count * 1e9 / nanos;
    }
}
