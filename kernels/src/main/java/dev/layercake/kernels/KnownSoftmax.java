package dev.layercake.kernels;

/**
 * Each query's maximum and inverse sum, which {@link Kernels#attend} left, beside the panels of the queries: with them scores
 * become probabilities at once. Lanes without a query count nothing.
 */
final class KnownSoftmax {
    private final Tensor softmax;
    private final long largest;
    private final long inverseSums;

    /** @param scratch address of {@link #bytes} */
    KnownSoftmax(Tensor softmax, int panels, long scratch) {
        this.softmax = softmax;
        this.largest = scratch;
        this.inverseSums = largest + panels * PanelProduct.ROW_BYTES;
    }

    static long bytes(int panels) {
        return 2L * panels * PanelProduct.ROW_BYTES;
    }

    /** Takes what belongs to the queries that were filled into a panel. */
    void begin(QueryPanels panel, int head, int firstToken) {
        long inverseColumn = softmax.columns() / 2 * Float.BYTES;
        for (int lane = 0; lane < panel.panels() * PanelProduct.LANES; lane++) {
            boolean used = lane < panel.lanes();
            long row = softmax.rowAddress(used ? firstToken + lane : 0) + (long) head * Float.BYTES;
            Memory.putFloat32(largest + (long) lane * Float.BYTES, used ? Memory.float32(row) : 0);
            Memory.putFloat32(inverseSums + (long) lane * Float.BYTES, used ? Memory.float32(row + inverseColumn) : 0);
        }
    }

    /** Where the maxima of a panel's queries lie. */
    long largest(int panel) {
        return largest + panel * PanelProduct.ROW_BYTES;
    }

    long inverseSums(int panel) {
        return inverseSums + panel * PanelProduct.ROW_BYTES;
    }
}
