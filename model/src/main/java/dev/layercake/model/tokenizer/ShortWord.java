package dev.layercake.model.tokenizer;

/** The symbols of a word of few bytes while they merge: the best pair is searched again after each merge. */
final class ShortWord {
    static final int MOST_SYMBOLS = 48;

    private final int[] symbols = new int[MOST_SYMBOLS];
    /** The merge of each symbol with the next. */
    private final long[] merges = new long[MOST_SYMBOLS];

    private int count;

    /** Merges symbols until nothing can be merged and appends what is left. */
    void merge(int[] from, int size, Merges rule, TokenList out) {
        System.arraycopy(from, 0, symbols, 0, size);
        count = size;
        for (int i = 0; i + 1 < count; i++) {
            merges[i] = rule.of(symbols[i], symbols[i + 1]);
        }
        while (count > 1) {
            int best = best();
            if (best < 0) {
                break;
            }
            symbols[best] = (int) (merges[best] & Merges.ID_MASK);
            remove(best + 1);
            if (best > 0) {
                merges[best - 1] = rule.of(symbols[best - 1], symbols[best]);
            }
            if (best + 1 < count) {
                merges[best] = rule.of(symbols[best], symbols[best + 1]);
            }
        }
        out.addAll(symbols, 0, count);
    }

    /** The leftmost pair of the lowest rank, or -1. */
    private int best() {
        int best = -1;
        long lowest = Merges.NONE >>> Merges.ID_BITS;
        for (int i = 0; i + 1 < count; i++) {
            long rank = merges[i] >>> Merges.ID_BITS;
            if (rank < lowest) {
                lowest = rank;
                best = i;
            }
        }
        return best;
    }

    private void remove(int index) {
        System.arraycopy(symbols, index + 1, symbols, index, count - index - 1);
        System.arraycopy(merges, index + 1, merges, index, count - index - 1);
        count--;
    }
}
