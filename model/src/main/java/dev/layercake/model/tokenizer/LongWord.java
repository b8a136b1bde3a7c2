package dev.layercake.model.tokenizer;

import java.util.Arrays;

/**
 * The symbols of a word of any length while they merge: a list linked both ways, and the waiting merges in a queue, so that
 * n symbols take n log n steps. A blank text of ten million characters is one word to most tokenizers.
 */
final class LongWord {
    private static final int REMOVED = -1;
    private static final int KEPT_SYMBOLS = 1 << 18;
    private static final int STEPS_BETWEEN_LOOKS = 1 << 16;

    private final MergeQueue queue = new MergeQueue();
    private int[] symbols = new int[256];
    private int[] next = new int[256];
    private int[] previous = new int[256];
    private int size;

    void clear() {
        size = 0;
    }

    void add(int symbol) {
        if (size == symbols.length) {
            symbols = Arrays.copyOf(symbols, size * 2);
        }
        symbols[size++] = symbol;
    }

    int size() {
        return size;
    }

    /** The symbols added since {@link #clear}; the first {@link #size} count. */
    int[] symbols() {
        return symbols;
    }

    /** Merges the symbols until nothing can be merged and appends what is left. */
    void merge(Merges rule, Workspace work) {
        link();
        long[] keys = new long[size];
        int count = 0;
        for (int i = 0; i + 1 < size; i++) {
            long merge = rule.of(symbols[i], symbols[i + 1]);
            if (merge != Merges.NONE) {
                keys[count++] = (merge & ~Merges.ID_MASK) | i;
            }
        }
        queue.start(keys, count);
        int steps = 0;
        for (long key = queue.poll(); key >= 0; key = queue.poll()) {
            if (++steps % STEPS_BETWEEN_LOOKS == 0) {
                work.watch.look(work.tokens.size());
            }
            apply((int) (key & Merges.ID_MASK), key & ~Merges.ID_MASK, rule);
        }
        for (int i = 0; i < size; i = next[i]) {
            work.tokens.add(symbols[i]);
        }
        queue.trim();
        if (symbols.length > KEPT_SYMBOLS) {
            symbols = new int[256];
            next = new int[256];
            previous = new int[256];
        }
    }

    private void link() {
        if (next.length < symbols.length) {
            next = new int[symbols.length];
            previous = new int[symbols.length];
        }
        for (int i = 0; i < size; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
        }
    }

    private void apply(int at, long rank, Merges rule) {
        if (symbols[at] == REMOVED || next[at] >= size) {
            return;
        }
        int right = next[at];
        long merge = rule.of(symbols[at], symbols[right]);
        if ((merge & ~Merges.ID_MASK) != rank || merge == Merges.NONE) {
            // One of the two has been merged with another neighbour since.
            return;
        }
        symbols[at] = (int) (merge & Merges.ID_MASK);
        symbols[right] = REMOVED;
        int after = next[right];
        next[at] = after;
        if (after < size) {
            previous[after] = at;
            enqueue(at, after, rule);
        }
        if (previous[at] >= 0) {
            enqueue(previous[at], at, rule);
        }
    }

    private void enqueue(int left, int right, Merges rule) {
        long merge = rule.of(symbols[left], symbols[right]);
        if (merge != Merges.NONE) {
            queue.add((merge & ~Merges.ID_MASK) | left);
        }
    }
}
