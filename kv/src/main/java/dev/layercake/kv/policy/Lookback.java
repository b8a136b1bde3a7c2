package dev.layercake.kv.policy;

import java.util.Arrays;
import java.util.List;

/**
 * How many entries before a token each layer of a model can still see: one less than its sliding window, or {@link
 * #UNLIMITED}. What lies farther back no later token sees either, so that a layer never holds more than this between tokens,
 * whatever its policy, and what a budget would give it beyond that goes to the layers that can use it.
 */
public final class Lookback {
    /** Of a layer without sliding window. */
    public static final int UNLIMITED = Integer.MAX_VALUE;

    private final int[] entries;
    private final boolean limited;

    private Lookback(int[] entries) {
        this.entries = entries;
        this.limited = Arrays.stream(entries).anyMatch(most -> most != UNLIMITED);
    }

    /**
     * Of a model whose layers have sliding windows.
     *
     * @param slidingWindows for each layer the tokens that a token sees, itself included; 0 for no limit
     */
    public static Lookback of(List<Integer> slidingWindows) {
        return new Lookback(slidingWindows.stream()
                .mapToInt(window -> window == 0 ? UNLIMITED : window - 1)
                .toArray());
    }

    /** Of a model without sliding windows. */
    public static Lookback unlimited(int layers) {
        int[] entries = new int[layers];
        Arrays.fill(entries, UNLIMITED);
        return new Lookback(entries);
    }

    public int layers() {
        return entries.length;
    }

    /** The most entries before a token that it sees in a layer, and so the most that the layer holds. */
    public int of(int layer) {
        return entries[layer];
    }

    /** Of so many entries before a token, how many it sees in a layer. */
    public long of(int layer, long before) {
        return entries[layer] == UNLIMITED ? before : Math.min(before, entries[layer]);
    }

    /** Whether any layer has a limit. */
    public boolean limited() {
        return limited;
    }

    /** Whether a layer sees everything and others do not. */
    public boolean global(int layer) {
        return limited && entries[layer] == UNLIMITED;
    }

    /** The most that each layer can hold besides entries that are kept anyway. */
    public int[] beside(int kept) {
        int[] caps = new int[entries.length];
        for (int layer = 0; layer < caps.length; layer++) {
            caps[layer] = entries[layer] == UNLIMITED ? UNLIMITED : Math.max(0, entries[layer] - kept);
        }
        return caps;
    }

    /** Of so many entries that every layer has for sure, those that layers cannot hold. */
    public long unusable(int kept) {
        long sum = 0;
        for (int most : entries) {
            sum += Math.max(0, kept - most);
        }
        return sum;
    }
}
