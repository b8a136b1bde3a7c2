package dev.layercake.kernels;

/**
 * Queries of consecutive tokens packed for {@link PanelProduct}: lane {@code token * heads + head}, {@link
 * PanelProduct#LANES} lanes to a panel, multiplied by the scale. Lanes beyond the last query hold zeros and the last
 * query's position.
 */
final class QueryPanels {
    private final AttentionShape shape;
    private final long panelBytes;
    private final long address;
    private final long positions;
    private int heads;
    private int lanes;
    private int firstPosition;

    /** @param address of {@link #bytes} of scratch memory */
    QueryPanels(AttentionShape shape, int panels, long address) {
        this.shape = shape;
        this.panelBytes = (long) shape.headDim() * PanelProduct.ROW_BYTES;
        this.address = address;
        this.positions = address + panels * panelBytes;
    }

    static long bytes(AttentionShape shape, int panels) {
        return panels * (shape.headDim() + 1L) * PanelProduct.ROW_BYTES;
    }

    /** Packs {@code newHeads} query heads of {@code tokens} tokens, of which the first is at {@code newFirstPosition}. */
    void fill(Tensor queries, int firstToken, int tokens, int firstHead, int newHeads, int newFirstPosition) {
        heads = newHeads;
        lanes = tokens * newHeads;
        firstPosition = newFirstPosition;
        int all = panels() * PanelProduct.LANES;
        for (int lane = 0; lane < all; lane++) {
            long target =
                    address + lane / PanelProduct.LANES * panelBytes + (long) (lane % PanelProduct.LANES) * Float.BYTES;
            Memory.putInt32(positions + (long) lane * Integer.BYTES, position(lane));
            if (lane < lanes) {
                int head = firstHead + lane % newHeads;
                long source =
                        queries.rowAddress(firstToken + lane / newHeads) + (long) head * shape.headDim() * Float.BYTES;
                for (int i = 0; i < shape.headDim(); i++) {
                    Memory.putFloat32(
                            target + i * PanelProduct.ROW_BYTES,
                            Memory.float32(source + (long) i * Float.BYTES) * shape.scale());
                }
            } else {
                for (int i = 0; i < shape.headDim(); i++) {
                    Memory.putFloat32(target + i * PanelProduct.ROW_BYTES, 0f);
                }
            }
        }
    }

    int panels() {
        return (lanes + PanelProduct.LANES - 1) / PanelProduct.LANES;
    }

    /** Queries in use. */
    int lanes() {
        return lanes;
    }

    private int position(int lane) {
        return firstPosition + Math.min(lane, lanes - 1) / heads;
    }

    private int firstPosition(int panel) {
        return position(panel * PanelProduct.LANES);
    }

    private int lastPosition(int panel) {
        return position(panel * PanelProduct.LANES + PanelProduct.LANES - 1);
    }

    /** The first slot at or after {@code from} that any query of the panel may see, at most {@code to}. */
    int visibleFrom(int panel, KvRows entries, int from, int to) {
        if (shape.slidingWindow() == 0) {
            return from;
        }
        return firstBeyond(entries, (long) firstPosition(panel) - shape.slidingWindow(), from, to);
    }

    /** The slot after the last one before {@code to} that any query of the panel may see, at least {@code from}. */
    int visibleTo(int panel, KvRows entries, int from, int to) {
        return firstBeyond(entries, lastPosition(panel), from, to);
    }

    /** The first slot in {@code [from, to)} with a position greater than {@code position}, or {@code to}. */
    private static int firstBeyond(KvRows entries, long position, int from, int to) {
        int low = from;
        int high = to;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (entries.position(middle) > position) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    /**
     * Scores of one panel's queries on {@code count} slots from {@code slot} on, capped, with -infinity where a query must
     * not look. Positions ascend.
     *
     * @param keys their rows in float32; up to {@link PanelProduct#TILE} - 1 further rows are read, and as many further
     *     rows of scores written
     */
    void score(int panel, KvRows entries, int slot, int count, long keys, long keyStride, long scores) {
        multiply(panel, count, keys, keyStride, scores);
        if (shape.softcap() > 0) {
            Columns.softcap(scores, 2 * count, shape.softcap());
        }
        boolean future = entries.position(slot + count - 1) > firstPosition(panel);
        boolean past = shape.slidingWindow() > 0
                && entries.position(slot) <= (long) lastPosition(panel) - shape.slidingWindow();
        if (future || past) {
            long lanePositions = positions + panel * PanelProduct.ROW_BYTES;
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                Columns.hide(
                        scores + half,
                        PanelProduct.ROW_BYTES,
                        count,
                        lanePositions + half,
                        entries.positions(),
                        slot,
                        shape.slidingWindow());
            }
        }
        int[] reaches = entries.reaches();
        if (reaches.length > 0) {
            hideBeyond(panel, entries, reaches, slot, count, scores);
        }
    }

    private void hideBeyond(int panel, KvRows entries, int[] reaches, int slot, int count, long scores) {
        long lanePositions = positions + panel * PanelProduct.ROW_BYTES;
        for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
            Columns.hideBeyond(
                    scores + half,
                    PanelProduct.ROW_BYTES,
                    count,
                    lanePositions + half,
                    entries.positions(),
                    reaches,
                    slot);
        }
    }

    /** Products of one panel's queries with {@code count} rows; what is read and written beyond them as in {@link #score}. */
    void multiply(int panel, int count, long rows, long rowStride, long products) {
        int tiles = (count + PanelProduct.TILE - 1) / PanelProduct.TILE * PanelProduct.TILE;
        PanelProduct.scores(rows, rowStride, tiles, address + panel * panelBytes, shape.headDim(), products);
    }

    /** Each query's square. */
    void squares(int panel, long target) {
        Columns.fill(target, PanelProduct.ROW_BYTES, 0f);
        for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
            for (int i = 0; i < shape.headDim(); i++) {
                long row = address + panel * panelBytes + i * PanelProduct.ROW_BYTES + half;
                Columns.addScaled(row, PanelProduct.ROW_BYTES, 1, row, target + half, Lanes.BYTES);
            }
        }
    }
}
