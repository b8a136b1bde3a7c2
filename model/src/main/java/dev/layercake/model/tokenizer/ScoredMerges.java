package dev.layercake.model.tokenizer;

import java.util.BitSet;

/**
 * SentencePiece's merges: any two neighbours that make a piece together may merge, the piece of the highest score first.
 * Nothing is listed; what two tokens make is looked up in the vocabulary.
 *
 * <p>Pieces that the model's maker defined (runs of blanks, for example) come before all others, the one with the longer
 * left part first, as SentencePiece finds them before it merges anything.
 */
final class ScoredMerges implements Merges {
    private static final int LENGTH_BITS = 11;
    private static final int LONGEST = (1 << LENGTH_BITS) - 1;

    private final PieceTable pieces;
    private final float[] scores;
    private final BitSet mergeable;
    private final BitSet definedByUser;

    /**
     * @param scores one for each number of {@code pieces}
     * @param mergeable the numbers that take part in merges
     * @param definedByUser those of them that come before all others
     */
    ScoredMerges(PieceTable pieces, float[] scores, BitSet mergeable, BitSet definedByUser) {
        this.pieces = pieces;
        this.scores = scores;
        this.mergeable = mergeable;
        this.definedByUser = definedByUser;
    }

    @Override
    public long of(int left, int right) {
        if (!mergeable.get(left) || !mergeable.get(right)) {
            return NONE;
        }
        int whole = pieces.findJoined(left, right);
        if (whole < 0 || !mergeable.get(whole)) {
            return NONE;
        }
        return (rank(left, right, whole) << ID_BITS) | whole;
    }

    private long rank(int left, int right, int whole) {
        if (definedByUser.get(whole)) {
            return ((long) (LONGEST - Math.min(LONGEST, pieces.length(left))) << LENGTH_BITS)
                    | (LONGEST - Math.min(LONGEST, pieces.length(right)));
        }
        // The bits of a float, turned so that they rise with it as an unsigned number. Those of minus infinity are
        // above
        // all ranks of the pieces that the maker defined.
        int bits = Float.floatToIntBits(-scores[whole]);
        return (bits ^ ((bits >> 31) | Integer.MIN_VALUE)) & 0xFFFF_FFFFL;
    }
}
