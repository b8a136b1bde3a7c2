package dev.layercake.model.tokenizer;

/**
 * How a text is cut into tokens.
 *
 * @param addSpecialTokens whether to add what the model wants around every text, such as a beginning-of-text token
 * @param guarded whether the text has marks of {@link Tokenizer#guard}
 * @param before what the text goes on after, in the same form, empty at the beginning: vocabularies that put a blank before
 *     a text put none in the middle of one
 * @param mostTokens a text of more is refused as soon as that is known, which is long before all of it is cut
 * @param room how many tokens there is room for, which a refusal names; no more than {@code mostTokens}
 * @param progress told how far the cutting is, and asked whether to go on
 */
public record EncodeOptions(
        boolean addSpecialTokens, boolean guarded, String before, int mostTokens, int room, TokenizeProgress progress) {
    public EncodeOptions {
        if (room < 0 || mostTokens < room) {
            throw new IllegalArgumentException("at most " + mostTokens + " tokens, room for " + room);
        }
    }

    /** A whole text of any length, without marks. */
    public static EncodeOptions of(boolean addSpecialTokens) {
        return new EncodeOptions(
                addSpecialTokens, false, "", Integer.MAX_VALUE, Integer.MAX_VALUE, TokenizeProgress.NONE);
    }

    /** The same for a text with marks. */
    public EncodeOptions withGuarded() {
        return new EncodeOptions(addSpecialTokens, true, before, mostTokens, room, progress);
    }

    /** The same for a text that goes on after another. */
    public EncodeOptions after(String text) {
        return new EncodeOptions(addSpecialTokens, guarded, text, mostTokens, room, progress);
    }

    /** The same with a limit. */
    public EncodeOptions atMost(int tokens) {
        return atMost(tokens, tokens);
    }

    /** The same with a limit beyond the room that there is, for whom the exact number is worth knowing if it is a little more. */
    public EncodeOptions atMost(int tokens, int room) {
        return new EncodeOptions(addSpecialTokens, guarded, before, tokens, room, progress);
    }

    /** The same with somebody who is told of the progress. */
    public EncodeOptions with(TokenizeProgress listener) {
        return new EncodeOptions(addSpecialTokens, guarded, before, mostTokens, room, listener);
    }
}
