package dev.layercake.model.tokenizer;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The unigram language model of SentencePiece (Kudo 2018): of all ways to cut a word into pieces, the one whose scores
 * (logarithms of probabilities) have the greatest sum, found by Viterbi's algorithm. What no piece covers is unknown,
 * character by character, at a score of ten below the lowest.
 */
final class UnigramModel implements TokenModel {
    private static final double UNKNOWN_PENALTY = 10;
    private static final int NONE = -1;

    private final PieceTable pieces;
    private final PieceTrie trie;
    private final double[] scores;
    private final int unknown;
    private final double unknownScore;
    private final int @Nullable [] idOfByte;

    /**
     * @param scores one for each number of {@code pieces}
     * @param unknown the token for what the vocabulary does not have
     * @param idOfByte the tokens of single bytes, -1 where there is none; null if characters do not become bytes
     */
    UnigramModel(PieceTable pieces, double[] scores, int unknown, int @Nullable [] idOfByte) {
        this.pieces = pieces;
        this.scores = scores;
        this.unknown = unknown;
        this.idOfByte = idOfByte;
        unknownScore = Arrays.stream(scores).min().orElse(0) - UNKNOWN_PENALTY;
        trie = PieceTrie.of(pieces);
    }

    @Override
    public void encode(byte[] utf8, int from, int to, Workspace work) {
        int size = to - from;
        work.watch.passed(size, work.tokens.size());
        double[] best = new double[size + 1];
        int[] start = new int[size + 1];
        int[] token = new int[size + 1];
        Arrays.fill(start, NONE);
        int at = 0;
        while (at < size) {
            int length = Math.min(size - at, CharacterSymbols.length(utf8[from + at]));
            boolean whole = false;
            int node = PieceTrie.ROOT;
            int looked = 1;
            for (int end = at; end < size; looked++) {
                node = trie.child(node, utf8[from + end]);
                if (node < 0) {
                    break;
                }
                end++;
                int id = trie.piece(node);
                if (id >= 0 && !work.neverProduced.get(id)) {
                    offer(best, start, token, at, end, best[at] + scores[id], id);
                    whole |= end - at == length;
                }
            }
            work.watch.searched(looked, work.tokens.size());
            if (!whole) {
                offer(best, start, token, at, at + length, best[at] + unknownScore, unknown);
            }
            at += length;
        }
        collect(utf8, from, size, start, token, work);
    }

    private static void offer(double[] best, int[] start, int[] token, int at, int end, double score, int id) {
        if (start[end] == NONE || score > best[end]) {
            best[end] = score;
            start[end] = at;
            token[end] = id;
        }
    }

    private void collect(byte[] utf8, int from, int size, int[] start, int[] token, Workspace work) {
        // The best cut is known backwards: each piece's end is noted at its beginning.
        int[] end = new int[size + 1];
        for (int at = size; at > 0; at = start[at]) {
            end[start[at]] = at;
        }
        int at = 0;
        while (at < size) {
            int to = end[at];
            if (token[to] != unknown) {
                work.tokens.add(token[to]);
            } else {
                while (to < size && token[end[to]] == unknown) {
                    to = end[to];
                }
                addUnknown(utf8, from + at, from + to, work);
            }
            at = to;
        }
    }

    private void addUnknown(byte[] utf8, int from, int to, Workspace work) {
        int id = pieces.find(utf8, from, to);
        if (id >= 0 && !work.neverProduced.get(id)) {
            work.tokens.add(id);
            return;
        }
        if (idOfByte != null) {
            int[] ids = idOfByte;
            boolean all = true;
            for (int i = from; i < to && all; i++) {
                all = ids[utf8[i] & 0xFF] >= 0;
            }
            if (all) {
                for (int i = from; i < to; i++) {
                    work.tokens.add(ids[utf8[i] & 0xFF]);
                }
                return;
            }
        }
        work.tokens.add(unknown);
    }
}
