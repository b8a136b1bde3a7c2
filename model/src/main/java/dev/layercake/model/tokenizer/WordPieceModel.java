package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;

/**
 * WordPiece (Devlin et al. 2018): the longest piece that begins the word, then the longest that goes on, and so forth; a word
 * that cannot be covered is one unknown token.
 */
final class WordPieceModel implements TokenModel {
    private final PieceTrie trie;
    private final int unknown;
    /** Where in the trie the pieces begin that go on with a word; -1 if there are none. */
    private final int continued;

    private final int longestWord;

    /**
     * @param continuation stands before every piece but a word's first in the vocabulary
     * @param longestWord in characters; a longer word is unknown
     */
    WordPieceModel(PieceTable pieces, int unknown, String continuation, int longestWord) {
        trie = PieceTrie.of(pieces);
        this.unknown = unknown;
        this.longestWord = longestWord;
        int node = PieceTrie.ROOT;
        for (byte octet : continuation.getBytes(StandardCharsets.UTF_8)) {
            node = node < 0 ? node : trie.child(node, octet);
        }
        continued = node;
    }

    @Override
    public void encode(byte[] utf8, int from, int to, Workspace work) {
        work.watch.passed(to - from, work.tokens.size());
        int first = work.tokens.size();
        if (characters(utf8, from, to) > longestWord || !cover(utf8, from, to, work)) {
            work.tokens.truncate(first);
            work.tokens.add(unknown);
        }
    }

    private boolean cover(byte[] utf8, int from, int to, Workspace work) {
        int at = from;
        while (at < to) {
            int node = at == from ? PieceTrie.ROOT : continued;
            int id = -1;
            int end = at;
            int looked = at;
            while (looked < to && node >= 0) {
                node = trie.child(node, utf8[looked++]);
                if (node >= 0 && trie.piece(node) >= 0) {
                    id = trie.piece(node);
                    end = looked;
                }
            }
            work.watch.searched(looked - at, work.tokens.size());
            if (id < 0) {
                return false;
            }
            work.tokens.add(id);
            at = end;
        }
        return true;
    }

    private static int characters(byte[] utf8, int from, int to) {
        int count = 0;
        for (int i = from; i < to; i++) {
            count += (utf8[i] & 0xC0) == 0x80 ? 0 : 1;
        }
        return count;
    }
}
