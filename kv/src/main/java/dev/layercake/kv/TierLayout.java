package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LowBits;
import dev.layercake.kernels.RowType;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Retention;
import org.jspecify.annotations.Nullable;

/**
 * How a policy's entries lie in a pool's pages: those it keeps, and those it keeps in few bits, if it does. Pages have one
 * size whatever lies in them, so the tiers have different numbers of entries to a page.
 *
 * @param keyType of the entries kept in full; {@code valueType} likewise
 * @param rowsPerPage of them
 * @param low type of the others' keys and values; null if they are dropped
 * @param lowRowsPerPage 0 if they are dropped
 */
record TierLayout(
        int headDim,
        RowType keyType,
        RowType valueType,
        int rowsPerPage,
        @Nullable LowBits low,
        int lowRowsPerPage) {

    /**
     * The tiers of a policy in a pool of a layout.
     *
     * @throws LayercakeException bad input if the layout's heads cannot be kept as the policy says
     */
    static TierLayout of(KvLayout layout, int rowsPerPage, KvPolicy policy) {
        if (!(policy.retention() instanceof Retention.LowBit retention)) {
            return new TierLayout(layout.headDim(), layout.keyType(), layout.valueType(), rowsPerPage, null, 0);
        }
        KvLayout high = retention.high() == Retention.High.CACHE
                ? layout
                : new KvLayout(layout.layers(), layout.kvHeads(), layout.headDim(), DType.Q8_0, DType.Q8_0);
        LowBits low = new LowBits(retention.bits(), (layout.headDim() + 1) / 2);
        long lowBytes = 2 * low.rowBytes(layout.headDim());
        if (high.entryBytes() > layout.entryBytes() || lowBytes >= high.entryBytes()) {
            throw LayercakeException.badInput("Policy " + policy.spec() + " would not save memory: an entry of "
                    + layout.headDim() + " elements takes " + lowBytes + " bytes in " + retention.bits() + " bits and "
                    + high.entryBytes() + " in full, with " + layout.entryBytes()
                    + " in the cache's own type; use fewer bits, or another type of keys and values.");
        }
        long pageBytes = KvPool.pageBytes(layout, rowsPerPage);
        return new TierLayout(
                layout.headDim(),
                high.keyType(),
                high.valueType(),
                Math.toIntExact(pageBytes / high.entryBytes()),
                low,
                Math.toIntExact(pageBytes / lowBytes));
    }

    /** Whether entries that are not kept in full stay in few bits. */
    boolean hasLow() {
        return low != null;
    }
}
