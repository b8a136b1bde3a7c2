package dev.layercake.kernels;

import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/** The shape of the vectors that attention computes with, see {@link VectorWidth}, and ways across their lanes. */
final class Lanes {
    static final int COUNT = VectorWidth.LANES;
    static final long BYTES = VectorWidth.BYTES;

    private Lanes() {}

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
