package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.BitSet;

/**
 * The end of a text that goes on later. What follows may change how the last words are cut into tokens, and what a word is
 * differs from vocabulary to vocabulary; but in all of them a word that begins with a blank after a letter, a digit or the end
 * of a sentence is cut without regard to what stands before it, unless the vocabulary has a piece that goes across that place.
 * Text after the last such place is held back, however long it is. Immutable.
 */
final class TextEnd {
    private static final String ENDS = ".,;:!?";

    private final boolean bytes;
    private final boolean anywhere;
    /** Characters, as pieces write them, behind which a piece has a blank. */
    private final BitSet beforeBlanks = new BitSet();

    private TextEnd(TokenizerParts parts) {
        bytes = parts.decoder() instanceof PieceDecoder.ByteLevel;
        // A rule that takes white space from the ends of a text would take it from the ends of its parts.
        anywhere = parts.normalizer() == null || !parts.normalizer().looksAtEnds();
    }

    static TextEnd of(TokenizerParts parts) {
        TextEnd end = new TextEnd(parts);
        for (int id = 0; id < parts.pieces().size(); id++) {
            String piece = parts.pieces().piece(id);
            if (piece != null) {
                end.note(piece);
            }
        }
        for (AddedToken token : parts.added()) {
            end.note(token.content());
        }
        return end;
    }

    private void note(String piece) {
        for (int i = 1; i < piece.length(); i++) {
            char c = piece.charAt(i);
            if (c == ' ' || c == (bytes ? ByteAlphabet.characterOf(' ') : '\u2581')) {
                beforeBlanks.set(piece.charAt(i - 1));
            }
        }
    }

    /** How many characters at the beginning of a text are cut into the same tokens whatever follows the text. */
    int settled(String text) {
        for (int at = anywhere ? text.length() - 2 : 0; at > 0; at--) {
            if (text.charAt(at) == ' '
                    && !Character.isWhitespace(text.charAt(at + 1))
                    && endsWord(text.charAt(at - 1))) {
                return at;
            }
        }
        return 0;
    }

    private boolean endsWord(char last) {
        if (!Character.isLetterOrDigit(last) && ENDS.indexOf(last) < 0) {
            return false;
        }
        if (!bytes) {
            return !beforeBlanks.get(last);
        }
        byte[] utf8 = String.valueOf(last).getBytes(StandardCharsets.UTF_8);
        return !beforeBlanks.get(ByteAlphabet.characterOf(utf8[utf8.length - 1] & 0xFF));
    }
}
