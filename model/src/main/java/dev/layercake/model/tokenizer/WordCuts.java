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

    /** Not worth a cut. */
    private static final int SHORT_WORD = 16;

    /** As many bytes are cut as they come before it is worth looking through the whole vocabulary for its neighbours. */
    private static final int UNCUT_BYTES = 1 << 11;

    /** Cuts nowhere. */
    static final WordCuts NONE = new WordCuts(null);

    private final @Nullable PieceTable pieces;
    /** Made from the pieces when a text is first cut; threads that make it twice do no harm. */
    private volatile @Nullable BitSet neighbours;

    /** Bytes that came before the neighbours were known; threads that lose some do no harm. */
    private int uncut;

    private WordCuts(@Nullable PieceTable pieces) {
        this.pieces = pieces;
    }

    /** Of a vocabulary whose merges make nothing but its pieces. */
    static WordCuts of(PieceTable pieces) {
        return new WordCuts(pieces);
    }

    private static BitSet neighbours(PieceTable pieces) {
        BitSet all = new BitSet(1 << NEIGHBOUR_BITS);
        pieces.eachNeighbours((left, right) -> all.set(slot(left, right)));
        return all;
    }

    /** The end of the part that begins at {@code start}. */
    int next(byte[] utf8, int start, int to) {
        if (pieces == null || to - start <= SHORT_WORD) {
            return to;
        }
        BitSet known = neighbours;
        if (known == null) {
            uncut += to - start;
            if (uncut >= 0 && uncut <= UNCUT_BYTES) {
                return to;
            }
            known = neighbours(pieces);
            neighbours = known;
        }
        int i = start;
        int left = 0;
        while (i < to) {
            int length = Math.min(to - i, CharacterSymbols.length(utf8[i]));
            int right = character(utf8, i, length);
            if (i > start && !known.get(slot(left, right))) {
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
