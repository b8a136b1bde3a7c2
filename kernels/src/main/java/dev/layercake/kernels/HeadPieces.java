package dev.layercake.kernels;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * What many queries tell about the slots of their heads, one call's worth. A piece of work is one query head; its queries go in
 * panels, as many at a time as fit the cache.
 */
abstract class HeadPieces {
    private static final int MAX_PANELS = 8;
    private static final int ROW_GAP = 16;

    final AttentionShape shape;
    final KvRows[] rows;
    final Tensor queries;
    final int firstPosition;
    /** The most that a piece takes at a time. */
    final int panels;

    private final Workers workers;
    private final AtomicInteger nextHead = new AtomicInteger();

    HeadPieces(AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition, Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
        this.workers = workers;
        this.panels = Math.clamp(Math.ceilDiv((int) queries.rows(), PanelProduct.LANES), 1, MAX_PANELS);
    }

    final void run() {
        int tokens = (int) queries.rows();
        int step = panels * PanelProduct.LANES;
        workers.run((worker, count) -> {
            Piece piece = null;
            for (int head = nextHead.getAndIncrement(); head < shape.queryHeads(); head = nextHead.getAndIncrement()) {
                if (piece == null) {
                    piece = piece(workers.scratch(worker, scratchBytes()).address());
                }
                for (int first = 0; first < tokens; first += step) {
                    piece.take(head, first, Math.min(step, tokens - first));
                }
            }
        });
    }

    /** What a worker needs. */
    abstract long scratchBytes();

    abstract Piece piece(long scratch);

    /** From one widened row to the next, with a gap so that rows do not share the cache's sets. */
    static long rowStride(int elements) {
        return (long) (elements + ROW_GAP) * Float.BYTES;
    }

    /** One worker's panels and block. */
    interface Piece {
        void take(int head, int firstToken, int tokens);
    }
}
