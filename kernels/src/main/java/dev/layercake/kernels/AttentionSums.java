package dev.layercake.kernels;

/**
 * The attention that each slot gets from many queries together. Each query's maximum and sum are known from {@link
 * PrefillAttention}, so that scores become probabilities at once. They are added up over the panels lane by lane, and over the
 * lanes once per block.
 */
final class AttentionSums extends HeadPieces {
    private static final int BLOCK = 128;

    private final Tensor softmax;
    private final double[][] sums;
    private final long keyStride;

    AttentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers) {
        super(shape, rows, queries, firstPosition, workers);
        this.softmax = softmax;
        this.sums = sums;
        this.keyStride = rowStride(shape.headDim());
    }

    @Override
    long scratchBytes() {
        return QueryPanels.bytes(shape, panels)
                + KnownSoftmax.bytes(panels)
                + BLOCK * (PanelProduct.ROW_BYTES + Lanes.BYTES + keyStride);
    }

    @Override
    Piece piece(long scratch) {
        return new Sums(scratch);
    }

    private final class Sums implements Piece {
        private final QueryPanels panel;
        private final KnownSoftmax known;
        private final long scores;
        private final long totals;
        private final long keys;

        Sums(long scratch) {
            panel = new QueryPanels(shape, panels, scratch);
            long next = scratch + QueryPanels.bytes(shape, panels);
            known = new KnownSoftmax(softmax, panels, next);
            scores = next + KnownSoftmax.bytes(panels);
            totals = scores + BLOCK * PanelProduct.ROW_BYTES;
            keys = totals + BLOCK * Lanes.BYTES;
        }

        @Override
        public void take(int head, int firstToken, int tokens) {
            KvRows entries = rows[head / shape.group()];
            panel.fill(queries, firstToken, tokens, head, 1, firstPosition + firstToken);
            known.begin(panel, head, firstToken);
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
                Columns.exponentiate(scores + half, PanelProduct.ROW_BYTES, count, known.largest(i) + half);
                Columns.addScaled(
                        scores + half,
                        PanelProduct.ROW_BYTES,
                        count,
                        known.inverseSums(i) + half,
                        totals + skipped * Lanes.BYTES,
                        Lanes.BYTES);
            }
        }
    }
}
