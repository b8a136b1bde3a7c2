package dev.layercake.model.tokenizer;

import java.util.Arrays;

/** Merges that a file lists, best first. Two tokens are one key of a hash table. */
final class ListedMerges implements Merges {
    // No pair of tokens is all ones.
    private static final long FREE = -1;

    private final long[] pairs;
    private final long[] merges;
    private final int mask;

    /** @param most merges that will be added at most */
    ListedMerges(int most) {
        int capacity = 16;
        while (capacity < most * 3L / 2) {
            capacity <<= 1;
        }
        pairs = new long[capacity];
        Arrays.fill(pairs, FREE);
        merges = new long[capacity];
        mask = capacity - 1;
    }

    /** Adds the merge of two tokens; of a pair given twice the last counts. */
    void add(int left, int right, int rank, int whole) {
        long pair = ((long) left << 32) | right;
        int slot = slot(pair);
        while (pairs[slot] != FREE && pairs[slot] != pair) {
            slot = (slot + 1) & mask;
        }
        pairs[slot] = pair;
        merges[slot] = ((long) rank << ID_BITS) | whole;
    }

    @Override
    public long of(int left, int right) {
        long pair = ((long) left << 32) | right;
        for (int slot = slot(pair); pairs[slot] != FREE; slot = (slot + 1) & mask) {
            if (pairs[slot] == pair) {
                return merges[slot];
            }
        }
        return NONE;
    }

    private int slot(long pair) {
        long mixed = pair * 0x9E3779B97F4A7C15L;
        return (int) ((mixed >>> 32) ^ (mixed >>> 15)) & mask;
    }
}
