package dev.layercake.kernels;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention of consecutive tokens, one call's worth. A piece of work is one KV head and some tokens, whose queries
 * of the whole group are packed into panels. Blocks of keys and values are widened once per piece and multiplied with
 * all its panels; the softmax is online (FlashAttention's scheme) and runs down the lanes. Pieces are handed out by a
 * counter, those of the last tokens first, since these see most.
 *
 * <p>Blocks begin at multiples of their length counted in positions (of entries without gaps between them; otherwise from the
 * first one's position on). So a query's result has the same bits in whatever piece it is, and whether or not entries in front
 * that a sliding window has left behind are still there.
 */
final class PrefillAttention {
    private static final int BLOCK = 128;
    /** Enough to make widening cheap, few enough for queries and sums to stay in the second-level cache. */
    private static final int MAX_PANELS = 8;
    /** So many pieces per worker leave nobody waiting long at the end. */
    private static final int PIECES_PER_WORKER = 4;
    /** Keeps the rows of a block from falling into the same sets of the first-level cache. */
    private final AttentionShape shape;

    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final Tensor out;
    private final @Nullable Tensor softmax;
    private final Workers workers;

    private final int tokens;
    private final int tokensPerPiece;
    private final int blocksOfTokens;
    private final int panels;
    private final int elements;
    private final long keyStride;
    private final long valueStride;
    private final AtomicInteger nextPiece = new AtomicInteger();

    PrefillAttention(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor out,
            @Nullable Tensor softmax,
            Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
        this.out = out;
        this.softmax = softmax;
        this.workers = workers;
        this.tokens = (int) queries.rows();
        int perPanel = Math.max(1, PanelProduct.LANES / shape.group());
        int perPiece = Math.max(1, MAX_PANELS * PanelProduct.LANES / shape.group());
        long wanted = (long) PIECES_PER_WORKER * workers.count();
        while (perPiece / 2 >= perPanel && (long) shape.kvHeads() * pieces(tokens, perPiece) < wanted) {
            perPiece /= 2;
        }
        this.tokensPerPiece = Math.max(1, Math.min(perPiece, tokens));
        this.blocksOfTokens = pieces(tokens, tokensPerPiece);
        this.panels = pieces(tokensPerPiece * shape.group(), PanelProduct.LANES);
        this.elements = pieces(shape.headDim(), PanelProduct.TILE) * PanelProduct.TILE;
        this.keyStride = HeadPieces.rowStride(shape.headDim());
        this.valueStride = HeadPieces.rowStride(elements);
    }

    private static int pieces(int whole, int part) {
        return (whole + part - 1) / part;
    }

    void run() {
        workers.run((worker, count) -> {
            Piece piece = null;
            int total = shape.kvHeads() * blocksOfTokens;
            for (int i = nextPiece.getAndIncrement(); i < total; i = nextPiece.getAndIncrement()) {
                if (piece == null) {
                    piece = new Piece(workers.scratch(worker, scratchBytes()).address());
                }
                int block = blocksOfTokens - 1 - i / shape.kvHeads();
                int first = block * tokensPerPiece;
                piece.attend(i % shape.kvHeads(), first, Math.min(tokensPerPiece, tokens - first));
            }
        });
    }

    private long scratchBytes() {
        return QueryPanels.bytes(shape, panels)
                + panels * (elements + 2L) * PanelProduct.ROW_BYTES
                + (BLOCK + 2L) * PanelProduct.ROW_BYTES
                + BLOCK * (keyStride + valueStride);
    }

    /** One worker's panels, block and running sums. */
    private final class Piece {
        private final QueryPanels panel;
        private final long sums;
        private final long largest;
        private final long weightSums;
        private final long next;
        private final long factors;
        private final long scores;
        private final long keys;
        private final long values;

        Piece(long scratch) {
            panel = new QueryPanels(shape, panels, scratch);
            sums = scratch + QueryPanels.bytes(shape, panels);
            largest = sums + (long) panels * elements * PanelProduct.ROW_BYTES;
            weightSums = largest + panels * PanelProduct.ROW_BYTES;
            next = weightSums + panels * PanelProduct.ROW_BYTES;
            factors = next + PanelProduct.ROW_BYTES;
            scores = factors + PanelProduct.ROW_BYTES;
            keys = scores + BLOCK * PanelProduct.ROW_BYTES;
            values = keys + BLOCK * keyStride;
        }

        void attend(int kvHead, int firstToken, int pieceTokens) {
            KvRows entries = rows[kvHead];
            int group = shape.group();
            panel.fill(queries, firstToken, pieceTokens, kvHead * group, group, firstPosition + firstToken);
            reset();
            for (KvRows run = entries; run != null; run = run.lower()) {
                attendRun(run);
            }
            finish(kvHead, firstToken);
        }

        private void attendRun(KvRows entries) {
            int last = panel.panels() - 1;
            int to = panel.visibleTo(last, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
            int blockEnd;
            for (int slot = from; slot < to; slot = blockEnd) {
                int blockStart = slot - Math.floorMod(slot + entries.position(0), BLOCK);
                blockEnd = Math.min(blockStart + BLOCK, to);
                attendSlots(entries, Math.max(0, blockStart), blockEnd, last);
            }
        }

        private void attendSlots(KvRows entries, int slot, int end, int last) {
            int count = end - slot;
            RowDecoder.decodeKeys(entries, slot, count, keys, keyStride, shape.headDim());
            RowDecoder.decodeValues(entries, slot, count, values, valueStride, elements);
            for (int i = 0; i <= last; i++) {
                attendBlock(i, entries, slot, count);
            }
        }

        private void reset() {
            long count = panel.panels();
            Columns.fill(sums, count * elements * PanelProduct.ROW_BYTES, 0f);
            Columns.fill(largest, count * PanelProduct.ROW_BYTES, Columns.LOWEST);
            Columns.fill(weightSums, count * PanelProduct.ROW_BYTES, 0f);
        }

        private void attendBlock(int i, KvRows entries, int blockSlot, int blockCount) {
            int to = panel.visibleTo(i, entries, blockSlot, blockSlot + blockCount);
            int seen = panel.visibleFrom(i, entries, blockSlot, to);
            if (seen >= to) {
                return;
            }
            int skipped = (seen - blockSlot) / PanelProduct.TILE * PanelProduct.TILE;
            int count = to - blockSlot - skipped;
            panel.score(i, entries, blockSlot + skipped, count, keys + skipped * keyStride, keyStride, scores);
            long state = i * PanelProduct.ROW_BYTES;
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long column = scores + half;
                long mine = state + half;
                Columns.maximum(column, PanelProduct.ROW_BYTES, count, largest + mine, next + half);
                Columns.rescale(largest + mine, next + half, weightSums + mine, factors + half);
                Columns.exponentiate(column, PanelProduct.ROW_BYTES, count, next + half);
                Columns.addUp(column, PanelProduct.ROW_BYTES, count, weightSums + mine);
            }
            PanelProduct.weigh(
                    values + skipped * valueStride,
                    valueStride,
                    count,
                    scores,
                    elements,
                    factors,
                    sums + (long) i * elements * PanelProduct.ROW_BYTES);
        }

        private void finish(int kvHead, int firstToken) {
            int group = shape.group();
            int headDim = shape.headDim();
            for (int lane = 0; lane < panel.lanes(); lane++) {
                int inPanel = lane % PanelProduct.LANES;
                int i = lane / PanelProduct.LANES;
                long source = sums + (long) i * elements * PanelProduct.ROW_BYTES + (long) inPanel * Float.BYTES;
                float sum = Memory.float32(weightSums + (long) lane * Float.BYTES);
                float factor = sum > 0 ? 1 / sum : 0;
                long head = (long) kvHead * group + lane % group;
                if (softmax != null) {
                    long row = softmax.rowAddress(firstToken + lane / group) + head * Float.BYTES;
                    Memory.putFloat32(row, Memory.float32(largest + (long) lane * Float.BYTES));
                    Memory.putFloat32(row + (long) shape.queryHeads() * Float.BYTES, factor);
                }
                long target = out.rowAddress(firstToken + lane / group) + head * headDim * Float.BYTES;
                for (int element = 0; element < headDim; element++) {
                    Memory.putFloat32(
                            target + (long) element * Float.BYTES,
                            factor * Memory.float32(source + element * PanelProduct.ROW_BYTES));
                }
            }
        }
    }
}
