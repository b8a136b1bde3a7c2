package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;

/**
 * The most attention that any of many queries pays to each judged slot, one call's worth. A piece of work is one query head;
 * its queries go in panels, as many at a time as fit the cache, over blocks of the slots that count.
 */
final class AttentionMaxima {
    private static final int MAX_PANELS = 8;
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final JudgedSlots[] judged;
    private final float[][] maxima;
    private final Workers workers;
    private final int tokens;
    private final int panels;
    private final AtomicInteger nextHead = new AtomicInteger();

    AttentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = queries;
        this.firstPosition = firstPosition;
        this.judged = judged;
        this.maxima = maxima;
        this.workers = workers;
        this.tokens = (int) queries.rows();
        this.panels = Math.clamp(Math.ceilDiv(tokens, PanelProduct.LANES), 1, MAX_PANELS);
    }

    void run() {
        workers.run((worker, count) -> {
            Piece piece = null;
            for (int head = nextHead.getAndIncrement(); head < shape.queryHeads(); head = nextHead.getAndIncrement()) {
                if (piece == null) {
                    piece = new Piece(workers.scratch(worker, PanelSoftmax.bytes(shape, panels))
                            .address());
                }
                int step = panels * PanelProduct.LANES;
                for (int first = 0; first < tokens; first += step) {
                    piece.judge(head, first, Math.min(step, tokens - first));
                }
            }
        });
    }

    /** One worker's panels and block. */
    private final class Piece {
        private final PanelSoftmax softmax;
        private final float[] lanes = new float[Lanes.COUNT];

        Piece(long scratch) {
            softmax = new PanelSoftmax(shape, panels, scratch);
        }

        void judge(int head, int firstToken, int pieceTokens) {
            KvRows entries = rows[head / shape.group()];
            JudgedSlots slots = judged[head / shape.group()];
            softmax.begin(queries, firstToken, pieceTokens, head, firstPosition + firstToken);
            softmax.addUp(entries, 0, slots.sinks());
            softmax.addUp(entries, slots.from(), slots.to());
            softmax.addUp(entries, slots.own(), entries.length());
            softmax.normalize();
            float[] most = maxima[head];
            for (int slot = slots.from(); slot < slots.to(); slot += PanelSoftmax.BLOCK) {
                int count = Math.min(PanelSoftmax.BLOCK, slots.to() - slot);
                softmax.probabilities(entries, slot, count);
                for (int key = 0; key < count; key++) {
                    int index = slot - slots.from() + key;
                    most[index] = Math.max(most[index], largest(key));
                }
            }
        }

        /** The largest probability of a slot; lanes without a query hold 0. */
        private float largest(int key) {
            FloatVector most = FloatVector.zero(FLOATS);
            for (int lane = 0; lane < softmax.panel().lanes(); lane += Lanes.COUNT) {
                most = most.max(FloatVector.fromMemorySegment(FLOATS, ALL, softmax.laneAddress(key, lane), LITTLE));
            }
            most.intoArray(lanes, 0);
            float largest = 0;
            for (float lane : lanes) {
                largest = Math.max(largest, lane);
            }
            return largest;
        }
    }
}
