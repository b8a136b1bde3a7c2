package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.LowBits;
import dev.layercake.kernels.Tensor;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * The entries of one head that its policy does not keep in full: in few bits, in the order in which they came. What is
 * here stays here. Keys are balanced as the head's first prompt told, if it did.
 */
final class LowTier {
    private final PagedRows entries;
    private final int headDim;
    /** Freed by the garbage collector with this: one row. */
    private final Tensor room;

    private boolean settled;

    LowTier(KvLease lease, LowBits type, int headDim, int rowsPerPage) {
        this.entries = new PagedRows(lease, type, type, headDim, rowsPerPage);
        this.headDim = headDim;
        this.room = Tensor.allocate(Arena.ofAuto(), DType.F32, 1, headDim);
    }

    KvRows rows() {
        return entries.rows();
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
        entries.copyFrom(other.entries);
        settled = other.settled;
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
