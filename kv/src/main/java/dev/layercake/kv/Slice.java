package dev.layercake.kv;

import java.util.List;

/**
 * What a layer got of the cake.
 *
 * @param layer index
 * @param entries held in full now, per KV head
 * @param lowEntries held in few bits now, per KV head
 * @param limit entries that each KV head may hold while decoding, on average; {@link Integer#MAX_VALUE} for no limit
 * @param dispersion entropy of the window's attention in the last prompt; 0 if the policy did not ask
 * @param shift sum of its variances; 0 if the policy did not ask
 * @param preference the layer's claim; 0 if the policy knows none
 */
public record Slice(
        int layer,
        List<Integer> entries,
        List<Integer> lowEntries,
        int limit,
        double dispersion,
        double shift,
        float preference) {
    public Slice {
        entries = List.copyOf(entries);
        lowEntries = List.copyOf(lowEntries);
    }

    /** Entries held in full now by all heads together. */
    public long total() {
        return sum(entries);
    }

    /** Entries held in few bits now by all heads together. */
    public long lowTotal() {
        return sum(lowEntries);
    }

    private static long sum(List<Integer> counts) {
        long sum = 0;
        for (int count : counts) {
            sum += count;
        }
        return sum;
    }
}
