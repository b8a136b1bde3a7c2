package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * WordPiece (Devlin et al. 2018): the longest piece that begins the word, then the longest that goes on, and so forth; a word
 * that cannot be covered is one unknown token.
 */
final class WordPieceModel implements TokenModel {
    private final PieceTable pieces;
    private final int unknown;
    private final byte[] continuation;
    private final int longestWord;

    /**
     * @param continuation stands before every piece but a word's first in the vocabulary
     * @param longestWord in characters; a longer word is unknown
     */
    WordPieceModel(PieceTable pieces, int unknown, String continuation, int longestWord) {
        this.pieces = pieces;
        this.unknown = unknown;
        this.continuation = continuation.getBytes(StandardCharsets.UTF_8);
        this.longestWord = longestWord;
    }

    @Override
    public void encode(byte[] utf8, int from, int to, Workspace work) {
        work.watch.passed(to - from, work.tokens.size());
        int first = work.tokens.size();
        if (characters(utf8, from, to) > longestWord || !cover(utf8, from, to, work.tokens)) {
            work.tokens.truncate(first);
            work.tokens.add(unknown);
        }
    }

    private boolean cover(byte[] utf8, int from, int to, TokenList out) {
        int at = from;
        while (at < to) {
            int room = pieces.longest() - (at == from ? 0 : continuation.length);
            int end = Math.min(to, at + Math.max(0, room));
            int id = -1;
            while (end > at && id < 0) {
                boolean whole = end == to || (utf8[end] & 0xC0) != 0x80;
                id = whole ? find(utf8, at, end, at > from) : -1;
                end -= id < 0 ? 1 : 0;
            }
            if (id < 0) {
                return false;
            }
            out.add(id);
            at = end;
        }
        return true;
    }

    private int find(byte[] utf8, int from, int to, boolean continues) {
        if (!continues || continuation.length == 0) {
            return pieces.find(utf8, from, to);
        }
        byte[] piece = Arrays.copyOf(continuation, continuation.length + to - from);
        System.arraycopy(utf8, from, piece, continuation.length, to - from);
        return pieces.find(piece, 0, piece.length);
    }

    private static int characters(byte[] utf8, int from, int to) {
        int count = 0;
        for (int i = from; i < to; i++) {
            count += (utf8[i] & 0xC0) == 0x80 ? 0 : 1;
        }
        return count;
    }
}
