package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** The most attention that any of many queries pays to each judged slot, over blocks of the slots that count. */
final class AttentionMaxima extends HeadPieces {
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private final JudgedSlots[] judged;
    private final float[][] maxima;

    AttentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers) {
        super(shape, rows, queries, firstPosition, workers);
        this.judged = judged;
        this.maxima = maxima;
    }

    @Override
    long scratchBytes() {
        return PanelSoftmax.bytes(shape, panels);
    }

    @Override
    Piece piece(long scratch) {
        return new Maxima(scratch);
    }

    private final class Maxima implements Piece {
        private final PanelSoftmax softmax;
        private final float[] lanes = new float[Lanes.COUNT];

        Maxima(long scratch) {
            softmax = new PanelSoftmax(shape, panels, scratch);
        }

        @Override
        public void take(int head, int firstToken, int tokens) {
            KvRows entries = rows[head / shape.group()];
            JudgedSlots slots = judged[head / shape.group()];
            softmax.begin(queries, firstToken, tokens, head, firstPosition + firstToken);
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
