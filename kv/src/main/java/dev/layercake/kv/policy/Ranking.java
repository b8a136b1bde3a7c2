package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The one order in which entries are preferred: higher score first, at equal scores the earlier place in the order that is
 * ranked (in a prompt: the lower position), NaN last. An entry is a {@code long} key, so that ascending keys are descending preference and sorting needs no comparator.
 */
public final class Ranking {
    private Ranking() {}

    /**
     * The key of an entry.
     *
     * @param tieBreaker not negative; lower is preferred at equal scores. It can be read back by {@link #tieBreaker}
     */
    public static long key(float score, int tieBreaker) {
        int bits = Integer.MIN_VALUE;
        if (!Float.isNaN(score)) {
            // Adding zero turns -0 into 0; then the bits of a float, negative ones flipped, are in numeric order.
            int raw = Float.floatToRawIntBits(score + 0f);
            bits = raw ^ ((raw >> 31) & Integer.MAX_VALUE);
        }
        return ((long) ~bits << 32) | tieBreaker;
    }

    /** The tie breaker that a key was made with. */
    public static int tieBreaker(long key) {
        return (int) key;
    }

    /** Brings the {@code kept} smallest keys to the front, in ascending order; the rest is left in any order. */
    public static void select(long[] keys, int count, int kept) {
        if (kept <= 0) {
            return;
        }
        if (kept < count) {
            partition(keys, count, kept);
        }
        Arrays.sort(keys, 0, Math.min(kept, count));
    }

    /** Hoare's selection with the median of three as pivot; keys are distinct, so it always makes progress. */
    private static void partition(long[] keys, int count, int kept) {
        int low = 0;
        int high = count - 1;
        int budget = 64;
        while (low < high) {
            if (budget-- == 0) {
                Arrays.sort(keys, low, high + 1);
                return;
            }
            long pivot = median(keys[low], keys[(low + high) >>> 1], keys[high]);
            int i = low;
            int j = high;
            while (i <= j) {
                while (keys[i] < pivot) {
                    i++;
                }
                while (keys[j] > pivot) {
                    j--;
                }
                if (i <= j) {
                    long swapped = keys[i];
                    keys[i++] = keys[j];
                    keys[j--] = swapped;
                }
            }
            if (kept - 1 <= j) {
                high = j;
            } else if (kept - 1 >= i) {
                low = i;
            } else {
                return;
            }
        }
    }

    private static long median(long a, long b, long c) {
        return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    }
}
