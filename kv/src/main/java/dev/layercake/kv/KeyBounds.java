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
    /** Slots that have been forgotten before slot 0. */
    private int gone;

    /** Pages of them that were forgotten as a whole. */
    private int pagesGone;

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

    /** By how many slots the first page is shorter than the others, because these have been forgotten. */
    int offset() {
        return gone % pageEntries;
    }

    /** Forgets the first slots, and pages that are then empty. */
    void dropFirst(int slots) {
        gone = Math.addExact(gone, slots);
        int emptied = gone / pageEntries - pagesGone;
        pagesGone += emptied;
        pages.dropFirst(Math.min(emptied, pages.length()), null);
    }

    /** Bounds the pages that have become full. */
    void follow(KvRows entries) {
        int full = (offset() + entries.length()) / pageEntries;
        if (full > pages.length()) {
            pages.reserve(full - pages.length());
        }
        for (int page = pages.length(); page < full; page++) {
            int end = (page + 1) * pageEntries - offset();
            bound(entries, Math.max(0, end - pageEntries), end);
        }
    }

    private void bound(KvRows entries, int firstSlot, int end) {
        Arrays.fill(high, Float.NEGATIVE_INFINITY);
        Arrays.fill(low, Float.POSITIVE_INFINITY);
        for (int slot = firstSlot; slot < end; slot++) {
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
        gone = 0;
        pagesGone = 0;
        pages.clear();
    }

    /** Takes what another holds, on pages of its own; this one must be empty. */
    void copyFrom(KeyBounds other) {
        gone = other.gone;
        pagesGone = other.pagesGone;
        pages.copyFrom(other.pages);
    }
}
