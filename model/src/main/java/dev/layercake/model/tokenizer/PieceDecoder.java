package dev.layercake.model.tokenizer;

import java.util.List;

/** What a tokenizer's {@code decoder} section says about turning pieces back into text. */
sealed interface PieceDecoder {

    /** Whether malformed UTF-8 becomes one U+FFFD per byte (byte fallback) instead of one per maximal subpart. */
    boolean replacesEachByte();

    /** What to take away from the beginning of the whole text. */
    LeadingStrip leadingStrip();

    /**
     * Appends one piece.
     *
     * @param first whether the piece begins the text
     */
    void append(String piece, boolean first, Utf8Assembler bytes, StringBuilder out);

    /** Whether a piece means something else at the end of a text, so that it is known only with the next one. */
    default boolean waitsForNext(String piece) {
        return false;
    }

    /** Appends a piece that waited for a next one, and none came. */
    default void appendLast(String piece, StringBuilder out) {
        throw new IllegalStateException("no piece waits");
    }

    /** Up to {@code count} characters {@code content} at the beginning of a text that are not part of it. */
    record LeadingStrip(char content, int count) {
        static final LeadingStrip NONE = new LeadingStrip(' ', 0);
    }

    /** Byte-level BPE: every character of a piece stands for one byte (GPT-2's table). */
    record ByteLevel() implements PieceDecoder {
        @Override
        public boolean replacesEachByte() {
            return false;
        }

        @Override
        public LeadingStrip leadingStrip() {
            return LeadingStrip.NONE;
        }

        @Override
        public void append(String piece, boolean first, Utf8Assembler bytes, StringBuilder out) {
            for (int i = 0; i < piece.length(); i++) {
                if (ByteAlphabet.byteOf(piece.charAt(i)) < 0) {
                    appendLiterally(piece, bytes, out);
                    return;
                }
            }
            for (int i = 0; i < piece.length(); i++) {
                bytes.accept(ByteAlphabet.byteOf(piece.charAt(i)), out);
            }
        }

        // A piece with a character outside the table (a control token with typographic bars) was never bytes.
        private static void appendLiterally(String piece, Utf8Assembler bytes, StringBuilder out) {
            bytes.finish(out);
            out.append(piece);
        }
    }

    /**
     * SentencePiece: pieces are text with a stand-in for the space, and where {@code byteFallback} is set a piece
     * {@code <0x41>} is one byte.
     *
     * @param firstSpaceDropped whether stand-ins in the first piece vanish (the Metaspace rule)
     */
    record SentencePiece(
            List<Replacement> replacements, boolean byteFallback, boolean firstSpaceDropped, LeadingStrip leadingStrip)
            implements PieceDecoder {
        public SentencePiece {
            replacements = List.copyOf(replacements);
        }

        @Override
        public boolean replacesEachByte() {
            return true;
        }

        @Override
        public void append(String piece, boolean first, Utf8Assembler bytes, StringBuilder out) {
            int octet = byteFallback ? byteOf(piece) : -1;
            if (octet >= 0) {
                bytes.accept(octet, out);
                return;
            }
            bytes.finish(out);
            String text = piece;
            for (Replacement replacement : replacements) {
                text = text.replace(replacement.from(), first && firstSpaceDropped ? "" : replacement.to());
            }
            out.append(text);
        }

        /** The byte that {@code <0x41>} names, or -1. */
        static int byteOf(String piece) {
            if (piece.length() != 6 || !piece.startsWith("<0x") || piece.charAt(5) != '>') {
                return -1;
            }
            int high = Character.digit(piece.charAt(3), 16);
            int low = Character.digit(piece.charAt(4), 16);
            return high < 0 || low < 0 ? -1 : high << 4 | low;
        }
    }

    /**
     * WordPiece: a piece goes on a word if it begins with {@code prefix}, else it begins one after a blank.
     *
     * @param tidied whether the blanks go that stand before marks and English contractions
     */
    record WordPiece(String prefix, boolean tidied) implements PieceDecoder {
        @Override
        public boolean replacesEachByte() {
            return false;
        }

        @Override
        public LeadingStrip leadingStrip() {
            return LeadingStrip.NONE;
        }

        @Override
        public void append(String piece, boolean first, Utf8Assembler bytes, StringBuilder out) {
            String text = piece;
            if (!first) {
                text = piece.startsWith(prefix) ? piece.substring(prefix.length()) : " " + piece;
            }
            if (tidied) {
                for (Replacement blank : BLANKS) {
                    text = text.replace(blank.from(), blank.to());
                }
            }
            out.append(text);
        }

        // In the order of the library: what one makes, the next may change.
        private static final List<Replacement> BLANKS = List.of(
                new Replacement(" .", "."),
                new Replacement(" ?", "?"),
                new Replacement(" !", "!"),
                new Replacement(" ,", ","),
                new Replacement(" ' ", "'"),
                new Replacement(" n't", "n't"),
                new Replacement(" 'm", "'m"),
                new Replacement(" do not", " don't"),
                new Replacement(" 's", "'s"),
                new Replacement(" 've", "'ve"),
                new Replacement(" 're", "'re"));
    }

    /** Pieces that end in {@code suffix} end a word, and a blank follows unless the text ends there. */
    record WordEnds(String suffix) implements PieceDecoder {
        @Override
        public boolean replacesEachByte() {
            return false;
        }

        @Override
        public LeadingStrip leadingStrip() {
            return LeadingStrip.NONE;
        }

        @Override
        public boolean waitsForNext(String piece) {
            return piece.contains(suffix);
        }

        @Override
        public void append(String piece, boolean first, Utf8Assembler bytes, StringBuilder out) {
            out.append(piece.replace(suffix, " "));
        }

        @Override
        public void appendLast(String piece, StringBuilder out) {
            out.append(piece.replace(suffix, ""));
        }
    }

    /** One literal substitution. */
    record Replacement(String from, String to) {}
}
