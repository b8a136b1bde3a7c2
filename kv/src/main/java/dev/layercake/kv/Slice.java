package dev.layercake.kv;

import java.util.List;

/**
 * What a layer got of the cake.
 *
 * @param layer index
 * @param entries held now, per KV head
 * @param limit entries that each KV head may hold while decoding, on average; {@link Integer#MAX_VALUE} for no limit
 * @param dispersion entropy of the window's attention in the last prompt; 0 if the policy did not ask
 * @param shift sum of its variances; 0 if the policy did not ask
 * @param preference the layer's claim; 0 if the policy knows none
 */
public record Slice(int layer, List<Integer> entries, int limit, double dispersion, double shift, float preference) {
    public Slice {
        entries = List.copyOf(entries);
    }

    /** Entries held now by all heads together. */
    public long total() {
        long sum = 0;
        for (int count : entries) {
            sum += count;
        }
        return sum;
    }
}
