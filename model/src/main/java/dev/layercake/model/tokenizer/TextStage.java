package dev.layercake.model.tokenizer;

/** A step on the way from a text to words: takes a part of a text and hands smaller parts to the next step. Immutable. */
@FunctionalInterface
interface TextStage {
    /**
     * Takes a part of a text, which is not empty.
     *
     * @param first whether the part begins the whole text
     */
    void accept(String text, int from, int to, boolean first, Workspace work);
}
