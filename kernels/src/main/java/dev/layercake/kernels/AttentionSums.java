package dev.layercake.kernels;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * The attention that each slot gets from many queries together, one call's worth. A piece of work is one query head. Its
 * queries go in panels over blocks of keys, as in {@link PrefillAttention}; each query's maximum and sum are known from there, so that
 * scores become probabilities at once. They are added up over the panels lane by lane, and over the lanes once per block.
 */
final class AttentionSums {
    private static final int BLOCK = 128;
    private static final int MAX_PANELS = 8;
    private static final int ROW_GAP = 16;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final Tensor softmax;
    private final double[][] sums;
    private final Workers workers;
    private final int tokens;
    private final int panels;
    private final long keyStride;
    private final AtomicInteger nextHead = new AtomicInteger();

    AttentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
        this.softmax = softmax;
        this.sums = sums;
        this.workers = workers;
        this.tokens = (int) queries.rows();
        this.panels = Math.clamp(Math.ceilDiv(tokens, PanelProduct.LANES), 1, MAX_PANELS);
        this.keyStride = (long) (shape.headDim() + ROW_GAP) * Float.BYTES;
    }

    void run() {
        workers.run((worker, count) -> {
            Piece piece = null;
            for (int head = nextHead.getAndIncrement(); head < shape.queryHeads(); head = nextHead.getAndIncrement()) {
                if (piece == null) {
                    piece = new Piece(workers.scratch(worker, scratchBytes()).address());
                }
                int step = panels * PanelProduct.LANES;
                for (int first = 0; first < tokens; first += step) {
                    piece.addUp(head, first, Math.min(step, tokens - first));
                }
            }
        });
    }

    private long scratchBytes() {
        return QueryPanels.bytes(shape, panels)
                + 2L * panels * PanelProduct.ROW_BYTES
                + BLOCK * (PanelProduct.ROW_BYTES + Lanes.BYTES + keyStride);
    }

    /** One worker's panels and block. */
    private final class Piece {
        private final QueryPanels panel;
        private final long largest;
        private final long inverseSums;
        private final long scores;
        private final long totals;
        private final long keys;

        Piece(long scratch) {
            panel = new QueryPanels(shape, panels, scratch);
            largest = scratch + QueryPanels.bytes(shape, panels);
            inverseSums = largest + panels * PanelProduct.ROW_BYTES;
            scores = inverseSums + panels * PanelProduct.ROW_BYTES;
            totals = scores + BLOCK * PanelProduct.ROW_BYTES;
            keys = totals + BLOCK * Lanes.BYTES;
        }

        void addUp(int head, int firstToken, int pieceTokens) {
            KvRows entries = rows[head / shape.group()];
            panel.fill(queries, firstToken, pieceTokens, head, 1, firstPosition + firstToken);
            fillSoftmax(head, firstToken);
            int last = panel.panels() - 1;
            int to = panel.visibleTo(last, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
            for (int slot = from; slot < to; slot += BLOCK) {
                int count = Math.min(BLOCK, to - slot);
                RowDecoder.decodeKeys(entries, slot, count, keys, keyStride, shape.headDim());
                Columns.fill(totals, count * Lanes.BYTES, 0f);
                for (int i = 0; i <= last; i++) {
                    addBlock(i, entries, slot, count);
                }
                for (int key = 0; key < count; key++) {
                    sums[head][slot + key] += Lanes.sum(totals + key * Lanes.BYTES);
                }
            }
        }

        /** Lanes without a query count nothing. */
        private void fillSoftmax(int head, int firstToken) {
            for (int lane = 0; lane < panel.panels() * PanelProduct.LANES; lane++) {
                boolean used = lane < panel.lanes();
                long row = softmax.rowAddress(used ? firstToken + lane : 0) + (long) head * Float.BYTES;
                long inverse = row + (long) shape.queryHeads() * Float.BYTES;
                Memory.putFloat32(largest + (long) lane * Float.BYTES, used ? Memory.float32(row) : 0);
                Memory.putFloat32(inverseSums + (long) lane * Float.BYTES, used ? Memory.float32(inverse) : 0);
            }
        }

        private void addBlock(int i, KvRows entries, int blockSlot, int blockCount) {
            int to = panel.visibleTo(i, entries, blockSlot, blockSlot + blockCount);
            int seen = panel.visibleFrom(i, entries, blockSlot, to);
            if (seen >= to) {
                return;
            }
            int skipped = (seen - blockSlot) / PanelProduct.TILE * PanelProduct.TILE;
            int count = to - blockSlot - skipped;
            panel.score(i, entries, blockSlot + skipped, count, keys + skipped * keyStride, keyStride, scores);
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long mine = i * PanelProduct.ROW_BYTES + half;
                Columns.exponentiate(scores + half, PanelProduct.ROW_BYTES, count, largest + mine);
                Columns.addScaled(
                        scores + half,
                        PanelProduct.ROW_BYTES,
                        count,
                        inverseSums + mine,
                        totals + skipped * Lanes.BYTES,
                        Lanes.BYTES);
            }
        }
    }
}
