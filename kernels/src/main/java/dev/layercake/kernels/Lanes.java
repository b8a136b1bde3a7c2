package dev.layercake.kernels;

import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/** The shape of the vectors that attention computes with, see {@link VectorWidth}, and ways across their lanes. */
final class Lanes {
    static final int COUNT = VectorWidth.LANES;
    static final long BYTES = VectorWidth.BYTES;

    private Lanes() {}

    /**
     * Adds up the {@link #COUNT} floats of a vector that was written to {@code array[first]} and what follows, always in the
     * same order. {@code FloatVector.reduceLanes} leaves its order open, and interpreted code has another than compiled code:
     * the same prompt would not give the same bits twice.
     */
    static float sum(float[] array, int first) {
        float sum = 0;
        for (int i = first; i < first + COUNT; i += 4) {
            sum += (array[i] + array[i + 2]) + (array[i + 1] + array[i + 3]);
        }
        return sum;
    }

    /** As {@link #sum(float[], int)}, of a vector in memory. */
    static float sum(long address) {
        float sum = 0;
        for (long at = address; at < address + BYTES; at += 16) {
            sum += (Memory.float32(at) + Memory.float32(at + 8)) + (Memory.float32(at + 4) + Memory.float32(at + 12));
        }
        return sum;
    }

    /** Rounds {@code elements} up to whole vectors. */
    static int padded(int elements) {
        return (elements + COUNT - 1) / COUNT * COUNT;
    }

    /** Lanes whose number has the bit {@code distance}; none if the vector is too short to have any. */
    static VectorMask<Float> upper(int distance) {
        long bits = 0;
        for (int lane = 0; lane < COUNT; lane++) {
            if ((lane & distance) != 0) {
                bits |= 1L << lane;
            }
        }
        return VectorMask.fromLong(VectorWidth.FLOATS, bits);
    }

    /** Exchanges each lane with the one {@code distance} (a power of two) away; nothing if the vector is too short. */
    static VectorShuffle<Float> exchange(int distance) {
        return VectorShuffle.fromOp(VectorWidth.FLOATS, lane -> distance < COUNT ? lane ^ distance : lane);
    }
}
