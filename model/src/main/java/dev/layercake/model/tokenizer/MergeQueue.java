package dev.layercake.model.tokenizer;

import java.util.Arrays;

/**
 * The merges that wait in a long word, as keys of rank and position; the smallest comes out first. Keys mostly come in
 * rising order (one kind of merge made along the word begets another kind along the word), so each goes behind the first
 * of a few rows whose last key it does not undercut, and only keys that fit nowhere go into a heap.
 */
final class MergeQueue {
    private static final int ROWS = 6;
    private static final int NOTHING = -1;

    private final long[][] rows = new long[ROWS][];
    private final int[] heads = new int[ROWS];
    private final int[] tails = new int[ROWS];
    private long[] heap = new long[64];
    private int heapSize;

    MergeQueue() {
        Arrays.fill(rows, new long[0]);
    }

    /** Begins with keys in any order, whose array is used up. */
    void start(long[] keys, int count) {
        Arrays.sort(keys, 0, count);
        Arrays.fill(heads, 0);
        Arrays.fill(tails, 0);
        heapSize = 0;
        rows[0] = keys;
        tails[0] = count;
    }

    void add(long key) {
        for (int row = 1; row < ROWS; row++) {
            if (heads[row] == tails[row] || rows[row][tails[row] - 1] <= key) {
                append(row, key);
                return;
            }
        }
        push(key);
    }

    /** The smallest key, or -1 if none is left. */
    long poll() {
        int best = NOTHING;
        long least = heapSize > 0 ? heap[0] : Long.MAX_VALUE;
        for (int row = 0; row < ROWS; row++) {
            if (heads[row] < tails[row] && rows[row][heads[row]] < least) {
                least = rows[row][heads[row]];
                best = row;
            }
        }
        if (best != NOTHING) {
            heads[best]++;
            return least;
        }
        return heapSize > 0 ? pop() : NOTHING;
    }

    /** Gives back the memory of a very long word. */
    void trim() {
        Arrays.fill(rows, new long[0]);
        if (heap.length > 1 << 16) {
            heap = new long[64];
        }
    }

    private void append(int row, long key) {
        long[] keys = rows[row];
        if (heads[row] == tails[row]) {
            heads[row] = 0;
            tails[row] = 0;
        } else if (tails[row] == keys.length && heads[row] > keys.length / 2) {
            System.arraycopy(keys, heads[row], keys, 0, tails[row] - heads[row]);
            tails[row] -= heads[row];
            heads[row] = 0;
        }
        if (tails[row] == keys.length) {
            keys = Arrays.copyOf(keys, Math.max(64, keys.length * 2));
            rows[row] = keys;
        }
        keys[tails[row]++] = key;
    }

    private void push(long key) {
        if (heapSize == heap.length) {
            heap = Arrays.copyOf(heap, heapSize * 2);
        }
        int at = heapSize++;
        while (at > 0 && heap[(at - 1) >> 1] > key) {
            heap[at] = heap[(at - 1) >> 1];
            at = (at - 1) >> 1;
        }
        heap[at] = key;
    }

    private long pop() {
        long least = heap[0];
        long key = heap[--heapSize];
        int at = 0;
        while (2 * at + 1 < heapSize) {
            int child = 2 * at + 1;
            if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= key) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = key;
        return least;
    }
}
