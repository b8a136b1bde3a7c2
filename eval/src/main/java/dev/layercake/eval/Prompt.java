package dev.layercake.eval;

/**
 * A text and a question about it, as one message to a model.
 *
 * @param text what is read; begins with a space
 * @param question stands behind the text; begins with a space
 * @param askedBefore whether the question stands before the text as well
 */
public record Prompt(String text, String question, boolean askedBefore) {
    /** The whole message, without a space at its beginning. */
    public String message() {
        return (askedBefore ? question + text + question : text + question).strip();
    }
}
