package dev.layercake.engine;

/** Follows a generation; called on the thread that runs it. */
public interface GenerationListener {
    /** Listens to nothing. */
    GenerationListener NONE = new GenerationListener() {};

    /**
     * The prompt is being read.
     *
     * @param done token-layers done, of {@code total}
     */
    default void prefill(long done, long total) {}

    /** More of the answer; whole characters, and never a part of a stop string. */
    default void text(String piece) {}
}
