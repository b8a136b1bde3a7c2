package dev.layercake.engine;

/** Why a generation ended. */
public enum FinishReason {
    /** The model said that its answer is complete. */
    STOP,
    /** As many tokens were generated as were asked for. */
    LENGTH,
    /** One of {@link GenerationOptions#stopStrings} appeared. */
    STOP_STRING,
    /** {@link Session#cancel} was called. */
    CANCELLED
}
