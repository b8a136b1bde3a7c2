package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import java.util.Arrays;

/**
 * What is known of a head's keys without reading them: the largest and the smallest element of each channel, for each page of
 * so many consecutive slots that is full (Quest, Tang et al., ICML 2024, arXiv 2406.10774). Lies in the pool like the entries
 * themselves, in a type that holds every element of a key exactly. Entries must not move while they are bounded.
 */
final class KeyBounds {
    private final PagedRows pages;
    private final int pageEntries;
    private final float[] key;
    private final float[] high;
    private final float[] low;

    KeyBounds(KvLease lease, TierLayout.Bounds layout, int headDim) {
        this.pages = new PagedRows(lease, layout.type(), layout.type(), headDim, layout.rowsPerPage());
        this.pageEntries = layout.page();
        this.key = new float[headDim];
        this.high = new float[headDim];
        this.low = new float[headDim];
    }

    /** A row for each full page: the largest elements are its key, the smallest its value. */
    KvRows rows() {
        return pages.rows();
    }

    /** Pages of the pool that the bounds take. */
    int pageCount() {
        return pages.rows().pageCount();
    }

    /** Bounds the pages that have become full. */
    void follow(KvRows entries) {
        int full = entries.length() / pageEntries;
        if (full > pages.length()) {
            pages.reserve(full - pages.length());
        }
        for (int page = pages.length(); page < full; page++) {
            bound(entries, page * pageEntries);
        }
    }

    private void bound(KvRows entries, int firstSlot) {
        Arrays.fill(high, Float.NEGATIVE_INFINITY);
        Arrays.fill(low, Float.POSITIVE_INFINITY);
        for (int slot = firstSlot; slot < firstSlot + pageEntries; slot++) {
            entries.readKey(slot, key);
            for (int channel = 0; channel < key.length; channel++) {
                high[channel] = Math.max(high[channel], key[channel]);
                low[channel] = Math.min(low[channel], key[channel]);
            }
        }
        int row = pages.length();
        pages.append(entries.position(firstSlot));
        pages.rows().writeKey(row, high);
        pages.rows().writeValue(row, low);
    }

    void clear() {
        pages.clear();
    }

    /** Takes what another holds, on pages of its own; this one must be empty. */
    void copyFrom(KeyBounds other) {
        pages.copyFrom(other.pages);
    }
}
