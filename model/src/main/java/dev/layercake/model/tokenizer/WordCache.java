package dev.layercake.model.tokenizer;

import java.util.Arrays;

/**
 * Tokens of the words seen lately, by the words' bytes: text repeats its words, and looking one up is much quicker than
 * merging it again. Bounded: a full cache begins anew. Not for use by several threads.
 */
final class WordCache {
    /** Longer words seldom come twice. */
    static final int LONGEST_WORD = 48;

    private static final int MOST_WORDS = 1 << 16;
    private static final int MOST_PASSED = 64;

    private int[] slots = new int[1 << 10];
    private int[] hashes = new int[1 << 8];
    private int[] byteEnds = new int[1 << 8];
    private int[] tokenEnds = new int[1 << 8];
    private byte[] bytes = new byte[1 << 11];
    private int[] tokens = new int[1 << 9];
    private int words;

    /** Appends the tokens of a word to {@code out}; false if the word is not here. */
    boolean append(byte[] text, int from, int to, int hash, TokenList out) {
        int mask = slots.length - 1;
        int passed = 0;
        for (int slot = PieceTable.spread(hash) & mask;
                slots[slot] != 0 && passed < MOST_PASSED;
                slot = (slot + 1) & mask, passed++) {
            int word = slots[slot] - 1;
            if (hashes[word] == hash && Arrays.equals(bytes, start(byteEnds, word), byteEnds[word], text, from, to)) {
                int start = start(tokenEnds, word);
                out.addAll(tokens, start, tokenEnds[word] - start);
                return true;
            }
        }
        return false;
    }

    /** Keeps the tokens that {@code out} has from {@code firstToken} on as those of a word that is not here. */
    void put(byte[] text, int from, int to, int hash, TokenList out, int firstToken) {
        if (words == MOST_WORDS) {
            words = 0;
            Arrays.fill(slots, 0);
        }
        makeRoom(to - from, out.size() - firstToken);
        int byteStart = words == 0 ? 0 : byteEnds[words - 1];
        int tokenStart = words == 0 ? 0 : tokenEnds[words - 1];
        System.arraycopy(text, from, bytes, byteStart, to - from);
        out.copyTo(firstToken, tokens, tokenStart);
        hashes[words] = hash;
        byteEnds[words] = byteStart + to - from;
        tokenEnds[words] = tokenStart + out.size() - firstToken;
        insert(words++);
    }

    private static int start(int[] ends, int word) {
        return word == 0 ? 0 : ends[word - 1];
    }

    private void insert(int word) {
        int mask = slots.length - 1;
        int slot = PieceTable.spread(hashes[word]) & mask;
        for (int passed = 0; slots[slot] != 0; passed++) {
            if (passed == MOST_PASSED) {
                // Words of one hash can be made on purpose; those beyond a few are merged each time they come.
                return;
            }
            slot = (slot + 1) & mask;
        }
        slots[slot] = word + 1;
    }

    private void makeRoom(int moreBytes, int moreTokens) {
        if (words == hashes.length) {
            hashes = Arrays.copyOf(hashes, words * 2);
            byteEnds = Arrays.copyOf(byteEnds, words * 2);
            tokenEnds = Arrays.copyOf(tokenEnds, words * 2);
            slots = new int[words * 4];
            for (int word = 0; word < words; word++) {
                insert(word);
            }
        }
        int byteStart = words == 0 ? 0 : byteEnds[words - 1];
        if (bytes.length - byteStart < moreBytes) {
            bytes = Arrays.copyOf(bytes, bytes.length * 2);
        }
        int tokenStart = words == 0 ? 0 : tokenEnds[words - 1];
        if (tokens.length - tokenStart < moreTokens) {
            tokens = Arrays.copyOf(tokens, tokens.length * 2);
        }
    }
}
