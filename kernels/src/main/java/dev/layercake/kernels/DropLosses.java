package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * What queries would lose with each slot: {@code (p / (1 - p))^2 (|v|^2 - 2 v o + |o|^2)} with the probability p, the value v
 * and the output o. Keys meet queries and values meet outputs in panels. Where a query looks at one slot mostly, its output is so
 * near that value that the expanded square would cancel to nothing: such a pair, at most one for each query, is worked out by
 * itself.
 */
final class DropLosses extends HeadPieces {
    /** A query that looks at one slot only would lose everything; so much is left for the others. */
    static final double LEAST_REST = 1e-6;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final float MOST = 0.5f;
    private static final int BLOCK = 128;

    private final Tensor outputs;
    private final Tensor softmax;
    private final double[][] losses;
    private final AttentionShape plain;
    private final long stride;
    private final int padded;

    DropLosses(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor outputs,
            Tensor softmax,
            double[][] losses,
            Workers workers) {
        super(shape, rows, queries, firstPosition, workers);
        this.outputs = outputs;
        this.softmax = softmax;
        this.losses = losses;
        this.plain = new AttentionShape(shape.queryHeads(), shape.kvHeads(), shape.headDim(), 1, 0, 0);
        this.stride = rowStride(shape.headDim());
        this.padded = Lanes.padded(shape.headDim());
    }

    @Override
    long scratchBytes() {
        return 2 * QueryPanels.bytes(shape, panels)
                + KnownSoftmax.bytes(panels)
                + panels * PanelProduct.ROW_BYTES
                + Lanes.BYTES
                + BLOCK * (2 * PanelProduct.ROW_BYTES + 2 * Lanes.BYTES + 2 * stride);
    }

    @Override
    Piece piece(long scratch) {
        return new Losses(scratch);
    }

    /** The square of the distance between a value and what a query has read, in double precision. */
    static double squaredDistance(long value, long output, int elements) {
        double sum = 0;
        for (long at = 0; at < (long) elements * Float.BYTES; at += Float.BYTES) {
            double difference = (double) Memory.float32(value + at) - Memory.float32(output + at);
            sum += difference * difference;
        }
        return sum;
    }

    private final class Losses implements Piece {
        private final QueryPanels panel;
        private final QueryPanels read;
        private final KnownSoftmax known;
        /** |o|^2 of each lane. */
        private final long readSquares;

        private final long room;
        private final long scores;
        private final long products;
        private final long totals;
        /** |v|^2 of each row. */
        private final long valueSquares;

        private final long keys;
        private final long values;

        Losses(long scratch) {
            long panelBytes = QueryPanels.bytes(shape, panels);
            panel = new QueryPanels(shape, panels, scratch);
            read = new QueryPanels(plain, panels, scratch + panelBytes);
            known = new KnownSoftmax(softmax, panels, scratch + 2 * panelBytes);
            readSquares = scratch + 2 * panelBytes + KnownSoftmax.bytes(panels);
            room = readSquares + panels * PanelProduct.ROW_BYTES;
            scores = room + Lanes.BYTES;
            products = scores + BLOCK * PanelProduct.ROW_BYTES;
            totals = products + BLOCK * PanelProduct.ROW_BYTES;
            valueSquares = totals + BLOCK * Lanes.BYTES;
            keys = valueSquares + BLOCK * Lanes.BYTES;
            values = keys + BLOCK * stride;
        }

        @Override
        public void take(int head, int firstToken, int tokens) {
            KvRows entries = rows[head / shape.group()];
            panel.fill(queries, firstToken, tokens, head, 1, firstPosition + firstToken);
            read.fill(outputs, firstToken, tokens, head, 1, firstPosition + firstToken);
            known.begin(panel, head, firstToken);
            int last = panel.panels() - 1;
            for (int i = 0; i <= last; i++) {
                read.squares(i, readSquares + i * PanelProduct.ROW_BYTES);
            }
            int to = panel.visibleTo(last, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
            for (int slot = from; slot < to; slot += BLOCK) {
                int count = Math.min(BLOCK, to - slot);
                RowDecoder.decodeKeys(entries, slot, count, keys, stride, shape.headDim());
                RowDecoder.decodeValues(entries, slot, count, values, stride, padded);
                for (int key = 0; key < count; key++) {
                    square(values + key * stride, padded, room);
                    Columns.fill(valueSquares + key * Lanes.BYTES, Lanes.BYTES, Lanes.sum(room));
                }
                Columns.fill(totals, count * Lanes.BYTES, 0f);
                for (int i = 0; i <= last; i++) {
                    addBlock(i, head, firstToken, entries, slot, count);
                }
                for (int key = 0; key < count; key++) {
                    losses[head][slot + key] += Lanes.sum(totals + key * Lanes.BYTES);
                }
            }
        }

        private void addBlock(int i, int head, int firstToken, KvRows entries, int slot, int count) {
            panel.score(i, entries, slot, count, keys, stride, scores);
            read.multiply(i, count, values, stride, products);
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long column = scores + half;
                Columns.exponentiate(column, PanelProduct.ROW_BYTES, count, known.largest(i) + half);
                Columns.multiply(column, PanelProduct.ROW_BYTES, count, known.inverseSums(i) + half);
                Columns.fill(room, Lanes.BYTES, 0f);
                Columns.maximum(column, PanelProduct.ROW_BYTES, count, room, room);
                for (int lane = 0; lane < Lanes.COUNT; lane++) {
                    if (Memory.float32(room + (long) lane * Float.BYTES) > MOST) {
                        int token = firstToken + i * PanelProduct.LANES + (int) (half / Float.BYTES) + lane;
                        long output = outputs.rowAddress(token) + (long) head * shape.headDim() * Float.BYTES;
                        addMost(column + (long) lane * Float.BYTES, count, output, losses[head], slot);
                    }
                }
                addLosses(column, products + half, count, readSquares + i * PanelProduct.ROW_BYTES + half);
            }
        }

        /** Adds the loss of a query's most important slot, and takes it out of the column. */
        private void addMost(long lane, int count, long output, double[] lost, int slot) {
            for (int key = 0; key < count; key++) {
                long address = lane + key * PanelProduct.ROW_BYTES;
                double probability = Memory.float32(address);
                if (probability > MOST) {
                    lost[slot + key] +=
                            loss(probability, squaredDistance(values + key * stride, output, shape.headDim()));
                    Memory.putFloat32(address, 0);
                }
            }
        }

        private void addLosses(long probabilities, long valueProducts, int count, long squares) {
            FloatVector outputSquare = FloatVector.fromMemorySegment(FLOATS, ALL, squares, LITTLE);
            for (int key = 0; key < count; key++) {
                FloatVector probability = FloatVector.fromMemorySegment(
                        FLOATS, ALL, probabilities + key * PanelProduct.ROW_BYTES, LITTLE);
                FloatVector odds =
                        probability.div(FloatVector.broadcast(FLOATS, 1f).sub(probability));
                FloatVector distance = FloatVector.fromMemorySegment(
                                FLOATS, ALL, valueProducts + key * PanelProduct.ROW_BYTES, LITTLE)
                        .fma(FloatVector.broadcast(FLOATS, -2f), outputSquare)
                        .add(FloatVector.fromMemorySegment(FLOATS, ALL, valueSquares + key * Lanes.BYTES, LITTLE))
                        .max(0f);
                long total = totals + key * Lanes.BYTES;
                odds.mul(odds)
                        .fma(distance, FloatVector.fromMemorySegment(FLOATS, ALL, total, LITTLE))
                        .intoMemorySegment(ALL, total, LITTLE);
            }
        }
    }

    static double loss(double probability, double squaredDistance) {
        double odds = probability / Math.max(LEAST_REST, 1 - probability);
        return odds * odds * squaredDistance;
    }

    private static void square(long row, int elements, long target) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (long at = row; at < row + (long) elements * Float.BYTES; at += Lanes.BYTES) {
            FloatVector part = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            sum = part.fma(part, sum);
        }
        sum.intoMemorySegment(ALL, target, LITTLE);
    }
}
