package dev.layercake.model.tokenizer;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Places in a word that no merge reaches across, because no piece of the vocabulary has the two characters there side by
 * side. SentencePiece does not cut text into words before it merges; cutting it where nothing can change keeps a book
 * from being one word.
 */
final class WordCuts {
    private static final int NEIGHBOUR_BITS = 22;

    /** Cuts nowhere. */
    static final WordCuts NONE = new WordCuts(null);

    private final @Nullable BitSet neighbours;

    private WordCuts(@Nullable BitSet neighbours) {
        this.neighbours = neighbours;
    }

    /** Of a vocabulary whose merges make nothing but its pieces. */
    static WordCuts of(PieceTable pieces) {
        BitSet neighbours = new BitSet(1 << NEIGHBOUR_BITS);
        pieces.eachNeighbours((left, right) -> neighbours.set(slot(left, right)));
        return new WordCuts(neighbours);
    }

    /** The end of the part that begins at {@code start}. */
    int next(byte[] utf8, int start, int to) {
        if (neighbours == null) {
            return to;
        }
        int i = start;
        int left = 0;
        while (i < to) {
            int length = Math.min(to - i, CharacterSymbols.length(utf8[i]));
            int right = character(utf8, i, length);
            if (i > start && !neighbours.get(slot(left, right))) {
                return i;
            }
            left = right;
            i += length;
        }
        return to;
    }

    /** The bytes of a character as one number. */
    static int character(byte[] utf8, int at, int length) {
        int character = 0;
        for (int i = at; i < at + length; i++) {
            character = (character << 8) | (utf8[i] & 0xFF);
        }
        return character;
    }

    // Two pairs may share a slot, which only means one cut less.
    private static int slot(int left, int right) {
        int mixed = ((left * 0x9E3779B1) ^ right) * 0x85EBCA6B;
        return (mixed ^ (mixed >>> 15)) >>> (32 - NEIGHBOUR_BITS);
    }
}
