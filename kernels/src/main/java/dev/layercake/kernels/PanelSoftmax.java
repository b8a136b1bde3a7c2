package dev.layercake.kernels;

/**
 * The softmax of many queries of one head over slots that pass twice, in blocks: the first time for each query's maximum and
 * sum ({@link #addUp}, then {@link #normalize}), and then for the probabilities, which are never kept beyond a block. One
 * worker's, in scratch memory.
 */
final class PanelSoftmax {
    static final int BLOCK = 128;
    private static final long PANEL_SCORES = BLOCK * PanelProduct.ROW_BYTES;

    private final AttentionShape shape;
    private final QueryPanels panel;
    private final long keyStride;
    private final long largest;
    private final long weightSums;
    private final long next;
    private final long factors;
    private final long scores;
    private final long keys;

    /**
     * @param panels the most of them
     * @param scratch address of {@link #bytes}
     */
    PanelSoftmax(AttentionShape shape, int panels, long scratch) {
        this.shape = shape;
        this.panel = new QueryPanels(shape, panels, scratch);
        this.keyStride = HeadPieces.rowStride(shape.headDim());
        this.largest = scratch + QueryPanels.bytes(shape, panels);
        this.weightSums = largest + panels * PanelProduct.ROW_BYTES;
        this.next = weightSums + panels * PanelProduct.ROW_BYTES;
        this.factors = next + Lanes.BYTES;
        this.scores = factors + Lanes.BYTES;
        this.keys = scores + panels * PANEL_SCORES;
    }

    static long bytes(AttentionShape shape, int panels) {
        return QueryPanels.bytes(shape, panels)
                + 2L * panels * PanelProduct.ROW_BYTES
                + 2 * Lanes.BYTES
                + panels * PANEL_SCORES
                + BLOCK * HeadPieces.rowStride(shape.headDim());
    }

    /** Takes the queries of some consecutive tokens, of which the first is at {@code firstPosition}. */
    void begin(Tensor queries, int firstToken, int tokens, int head, int firstPosition) {
        panel.fill(queries, firstToken, tokens, head, 1, firstPosition);
        Columns.fill(largest, panel.panels() * PanelProduct.ROW_BYTES, Columns.LOWEST);
        Columns.fill(weightSums, panel.panels() * PanelProduct.ROW_BYTES, 0f);
    }

    QueryPanels panel() {
        return panel;
    }

    /** Scores of all queries on a block of slots. */
    private void score(KvRows entries, int slot, int count) {
        RowDecoder.decodeKeys(entries, slot, count, keys, keyStride, shape.headDim());
        for (int i = 0; i < panel.panels(); i++) {
            panel.score(i, entries, slot, count, keys, keyStride, column(i));
        }
    }

    private long column(int i) {
        return scores + i * PANEL_SCORES;
    }

    /** Adds slots of one run to the running maxima and sums, as far as the queries see them. */
    void addUp(KvRows entries, int from, int to) {
        int last = panel.visibleTo(panel.panels() - 1, entries, from, to);
        int first = panel.visibleFrom(0, entries, from, last);
        for (int slot = first; slot < last; slot += BLOCK) {
            int count = Math.min(BLOCK, last - slot);
            score(entries, slot, count);
            for (int i = 0; i < panel.panels(); i++) {
                for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                    long state = i * PanelProduct.ROW_BYTES + half;
                    long column = column(i) + half;
                    Columns.maximum(column, PanelProduct.ROW_BYTES, count, largest + state, next);
                    Columns.rescale(largest + state, next, weightSums + state, factors);
                    Columns.exponentiate(column, PanelProduct.ROW_BYTES, count, next);
                    Columns.addUp(column, PanelProduct.ROW_BYTES, count, weightSums + state);
                }
            }
        }
    }

    /** Makes factors of the sums: the inverse, and 0 for a lane without a query or one that sees nothing. */
    void normalize() {
        for (int lane = 0; lane < panel.panels() * PanelProduct.LANES; lane++) {
            long address = weightSums + (long) lane * Float.BYTES;
            float sum = Memory.float32(address);
            Memory.putFloat32(address, lane < panel.lanes() && sum > 0 ? 1 / sum : 0);
        }
    }

    /** Computes the probabilities of all queries on a block of slots; lanes without a query hold 0. */
    void probabilities(KvRows entries, int slot, int count) {
        score(entries, slot, count);
        for (int i = 0; i < panel.panels(); i++) {
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long state = i * PanelProduct.ROW_BYTES + half;
                Columns.exponentiate(column(i) + half, PanelProduct.ROW_BYTES, count, largest + state);
                Columns.multiply(column(i) + half, PanelProduct.ROW_BYTES, count, weightSums + state);
            }
        }
    }

    /** The entropy of the block's probabilities. */
    double entropy(int count) {
        double entropy = 0;
        for (int i = 0; i < panel.panels(); i++) {
            double ofPanel = 0;
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                ofPanel += Columns.entropy(column(i) + half, PanelProduct.ROW_BYTES, count, factors);
            }
            entropy += ofPanel;
        }
        return entropy;
    }

    /** Where the probabilities of a lane and those after it on one key of the block lie. */
    long laneAddress(int key, int lane) {
        return column(lane / PanelProduct.LANES)
                + key * PanelProduct.ROW_BYTES
                + (long) (lane % PanelProduct.LANES) * Float.BYTES;
    }

    /** A vector to work with. */
    long room() {
        return factors;
    }
}
