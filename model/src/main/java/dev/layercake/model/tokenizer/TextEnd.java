package dev.layercake.model.tokenizer;

/**
 * The end of a text that goes on later. What follows may change how the last word is cut into tokens, and what a word is
 * differs from vocabulary to vocabulary; but in all of them a word that begins with a blank after a letter, a digit or the
 * end of a sentence is cut without regard to what stands before it.
 */
public final class TextEnd {
    /** Texts without blanks are not held back for ever. */
    private static final int LONGEST_OPEN = 256;

    private static final String ENDS = ".,;:!?";

    private TextEnd() {}

    /**
     * How many characters at the beginning of a text are cut into the same tokens whatever follows the text. All of them
     * where that cannot be known within some hundred characters from the end: in text without blanks.
     */
    public static int settled(String text) {
        int earliest = Math.max(0, text.length() - LONGEST_OPEN);
        for (int at = text.length() - 2; at > earliest; at--) {
            if (text.charAt(at) == ' '
                    && !Character.isWhitespace(text.charAt(at + 1))
                    && endsWord(text.charAt(at - 1))) {
                return at;
            }
        }
        return earliest == 0 ? 0 : text.length();
    }

    private static boolean endsWord(char last) {
        return Character.isLetterOrDigit(last) || ENDS.indexOf(last) >= 0;
    }
}
