package dev.layercake.kv;

import dev.layercake.kernels.ChannelBits;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LowBits;
import dev.layercake.kernels.RowType;
import dev.layercake.kernels.SomeChannels;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Retention;
import org.jspecify.annotations.Nullable;

/**
 * How a policy's entries lie in a pool's pages: those it keeps in full, and those it keeps in few bits, if it does. Pages
 * have one size whatever lies in them, so the tiers have different numbers of entries to a page.
 *
 * @param headDim elements of a key and of a value
 * @param keyType of the entries kept in full; {@code valueType} likewise
 * @param rowsPerPage of them
 * @param low the others; null if they are dropped
 * @param bounds what is known of keys without reading them; null if attention reads all of them
 */
record TierLayout(
        int headDim,
        RowType keyType,
        RowType valueType,
        int rowsPerPage,
        @Nullable Low low,
        @Nullable Bounds bounds) {

    /**
     * Entries in few bits, or in part.
     *
     * @param block how many come at a time
     */
    record Low(RowType keyType, RowType valueType, int rowsPerPage, int block) {}

    /**
     * The bounds of keys.
     *
     * @param type of an element
     * @param page entries that share a row of bounds
     * @param rowsPerPage rows of bounds in a page of the pool
     */
    record Bounds(DType type, int page, int rowsPerPage) {}

    /**
     * The tiers of a policy in a pool of a layout.
     *
     * @throws LayercakeException bad input if the layout's heads cannot be kept as the policy says
     */
    static TierLayout of(KvLayout layout, int rowsPerPage, KvPolicy policy) {
        return switch (policy.retention()) {
            case Retention.Drop drop ->
                new TierLayout(layout.headDim(), layout.keyType(), layout.valueType(), rowsPerPage, null, null);
            case Retention.ReadFew retention -> bounded(layout, rowsPerPage, policy, retention);
            case Retention.LowBit retention -> lowBit(layout, rowsPerPage, policy, retention);
            case Retention.LowCopy retention -> lowCopy(layout, rowsPerPage, policy, retention);
            case Retention.FewChannels retention -> fewChannels(layout, rowsPerPage, policy, retention);
        };
    }

    private static TierLayout bounded(KvLayout layout, int rowsPerPage, KvPolicy policy, Retention.ReadFew retention) {
        DType type = layout.keyType().quantized() ? DType.F32 : layout.keyType();
        long fitting = KvPool.pageBytes(layout, rowsPerPage) / (2 * type.rowBytes(layout.headDim()));
        if (fitting == 0) {
            throw LayercakeException.badInput("Policy " + policy.spec() + ": a page of " + rowsPerPage + " entries in "
                    + layout.keyType() + " does not hold the bounds of a key; use another type of keys.");
        }
        Bounds bounds = new Bounds(type, retention.page(), Math.toIntExact(fitting));
        return new TierLayout(layout.headDim(), layout.keyType(), layout.valueType(), rowsPerPage, null, bounds);
    }

    private static TierLayout lowBit(KvLayout layout, int rowsPerPage, KvPolicy policy, Retention.LowBit retention) {
        KvLayout high = retention.high() == Retention.High.CACHE ? layout : layout.withTypes(DType.Q8_0, DType.Q8_0);
        LowBits low = new LowBits(retention.bits(), (layout.headDim() + 1) / 2);
        long lowBytes = 2 * low.rowBytes(layout.headDim());
        requireSmaller(lowBytes, high.entryBytes(), layout, policy);
        long pageBytes = KvPool.pageBytes(layout, rowsPerPage);
        return new TierLayout(
                layout.headDim(),
                high.keyType(),
                high.valueType(),
                Math.toIntExact(pageBytes / high.entryBytes()),
                new Low(low, low, Math.toIntExact(pageBytes / lowBytes), 1),
                null);
    }

    private static TierLayout fewChannels(
            KvLayout layout, int rowsPerPage, KvPolicy policy, Retention.FewChannels retention) {
        int kept = retention.kept(layout.headDim());
        DType type = layout.keyType();
        if (kept % type.blockElements() != 0) {
            throw LayercakeException.badInput("Policy " + policy.spec() + " would keep " + kept + " of "
                    + layout.headDim() + " channels, but keys in " + type + " come in blocks of "
                    + type.blockElements() + "; use another ratio, or another type of keys.");
        }
        SomeChannels keys = new SomeChannels(type, kept);
        long lowBytes = keys.rowBytes(layout.headDim()) + layout.valueType().rowBytes(layout.headDim());
        requireSmaller(lowBytes, layout.entryBytes(), layout, policy);
        int fitting = Math.toIntExact(KvPool.pageBytes(layout, rowsPerPage) / lowBytes);
        Low low = new Low(keys, layout.valueType(), fitting, 1);
        return new TierLayout(layout.headDim(), type, layout.valueType(), rowsPerPage, low, null);
    }

    private static TierLayout lowCopy(KvLayout layout, int rowsPerPage, KvPolicy policy, Retention.LowCopy retention) {
        int headDim = layout.headDim();
        int block = retention.group();
        RowType keys = new ChannelBits(retention.bits(), block);
        RowType values = new LowBits(retention.bits(), Math.min(block, headDim));
        long lowBytes = keys.rowBytes(headDim) + values.rowBytes(headDim);
        requireSmaller(lowBytes, layout.entryBytes(), layout, policy);
        long fitting = KvPool.pageBytes(layout, rowsPerPage) / lowBytes / block * block;
        if (fitting == 0) {
            throw LayercakeException.badInput("Policy " + policy.spec() + ": a page of " + rowsPerPage
                    + " entries does not hold a group of " + block + " tokens in few bits; use a smaller group.");
        }
        Low low = new Low(keys, values, Math.toIntExact(fitting), block);
        return new TierLayout(headDim, layout.keyType(), layout.valueType(), rowsPerPage, low, null);
    }

    private static void requireSmaller(long lowBytes, long highBytes, KvLayout layout, KvPolicy policy) {
        if (lowBytes >= highBytes || highBytes > layout.entryBytes()) {
            throw LayercakeException.badInput("Policy " + policy.spec() + " would not save memory: an entry of "
                    + layout.headDim() + " elements takes " + lowBytes + " bytes in the smaller form and " + highBytes
                    + " in full, with " + layout.entryBytes()
                    + " in the cache's own type; use fewer bits, or another type of keys and values.");
        }
    }

    /** Whether entries that are not kept in full stay in few bits. */
    boolean hasLow() {
        return low != null;
    }

    /** Pages that the bounds of a head's keys take. */
    long boundPages(long entries) {
        return bounds == null ? 0 : Math.ceilDiv(entries / bounds.page(), bounds.rowsPerPage());
    }

    /** Of the low tier; 1 if there is none. */
    int lowRowsPerPage() {
        return low == null ? 1 : low.rowsPerPage();
    }
}
