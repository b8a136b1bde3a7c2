package dev.layercake.kv;

import dev.layercake.kernels.ChannelBits;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * The entries of one head that its policy does not keep in full: in few bits or without some channels, about in the order in
 * which they came. What is here stays here. Keys are balanced, or lose channels, as the head's first prompt told.
 */
final class LowTier {
    private final PagedRows entries;
    private final int headDim;
    /** Freed by the garbage collector with this: as many rows as come at a time. */
    private final Tensor room;

    private boolean settled;
    /** How many entries were here at the last mark and still are: the first slots. */
    private int marked;

    LowTier(KvLease lease, TierLayout.Low layout, int headDim) {
        this.entries = new PagedRows(lease, layout.keyType(), layout.valueType(), headDim, layout.rowsPerPage());
        this.headDim = headDim;
        this.room = Tensor.allocate(Arena.ofAuto(), DType.F32, layout.block(), headDim);
    }

    KvRows rows() {
        return entries.rows();
    }

    /** How many entries come at a time. */
    int block() {
        return (int) room.rows();
    }

    int length() {
        return entries.length();
    }

    /** Whether the balancer, or that there is none, can no longer change. */
    boolean settled() {
        return settled || entries.length() > 0;
    }

    /**
     * Sets what keys are multiplied with.
     *
     * @param largestQueries for each channel the largest magnitude of the group's queries; {@code largestKeys} likewise
     */
    void balance(float[] largestQueries, float[] largestKeys) {
        settled = true;
        Tensor balancer = Tensor.allocate(Arena.ofAuto(), DType.F32, 2, headDim);
        for (int channel = 0; channel < headDim; channel++) {
            float factor = factor(largestQueries[channel], largestKeys[channel]);
            balancer.set(0, channel, factor);
            balancer.set(1, channel, 1 / factor);
        }
        entries.rows().balancer(balancer);
    }

    /** Says which channels of keys are stored, ascending; nothing may be stored yet. */
    void channels(int[] kept) {
        settled = true;
        entries.rows().channels(kept);
    }

    /** sqrt(max |q| / max |k|) within four decimal orders of 1; 1 for a channel that nobody uses. */
    private static float factor(float largestQuery, float largestKey) {
        if (!(largestQuery > 0 && largestKey > 0)) {
            return 1;
        }
        return (float) Math.clamp(Math.sqrt((double) largestQuery / largestKey), 1e-4, 1e4);
    }

    /** What keys are multiplied with; null for nothing. */
    @Nullable
    Tensor balancer() {
        return entries.rows().balancer();
    }

    /** Takes the entry at a slot of other rows in. */
    void add(KvRows source, int slot) {
        entries.reserve(1);
        entries.append(source.position(slot));
        entries.rows().copyEntry(source, slot, entries.length() - 1, room);
    }

    /** Takes what another holds, on pages of its own; this one must be empty. */
    void copyFrom(LowTier other) {
        // Nobody writes to a balancer once it is set.
        entries.rows().balancer(other.balancer());
        if (other.rows().channels().length > 0) {
            entries.rows().channels(other.rows().channels());
        }
        entries.copyFrom(other.entries);
        settled = other.settled;
    }

    /** Takes a block of entries in, those at consecutive slots of other rows. */
    void addBlock(KvRows source, int firstSlot) {
        if (!(entries.rows().keyType() instanceof ChannelBits)) {
            add(source, firstSlot);
            return;
        }
        int first = entries.length();
        entries.reserve((int) room.rows());
        for (int i = 0; i < room.rows(); i++) {
            entries.append(source.position(firstSlot + i));
        }
        entries.rows().copyBlock(source, firstSlot, first, room);
    }

    /** Forgets entries as {@link PagedRows#dropBelow}; returns how many. Those of blocks must be the first ones. */
    int dropBelow(int oldest) {
        int gone = entries.dropBelow(oldest, null);
        // What has come since the mark is younger.
        marked -= gone;
        return gone;
    }

    /** Remembers which entries are here. */
    void mark() {
        marked = entries.length();
    }

    /** How many of the entries of the last mark are still here, in the first slots. */
    int marked() {
        return marked;
    }

    void sortByPosition() {
        entries.sortByPosition();
    }

    void clear() {
        entries.truncate(0);
        entries.rows().balancer(null);
        settled = false;
    }
}
