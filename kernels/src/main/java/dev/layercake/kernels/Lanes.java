package dev.layercake.kernels;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/** What attention does with vectors beyond {@link VectorWidth} and {@link VectorMath}; each small enough to be inlined. */
final class Lanes {
    static final int COUNT = VectorWidth.LANES;
    static final long BYTES = VectorWidth.BYTES;

    private Lanes() {}

    static FloatVector load(long address) {
        return VectorWidth.load(address);
    }

    static FloatVector load(long address, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(VectorWidth.FLOATS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN, mask);
    }

    static void store(FloatVector vector, long address) {
        VectorWidth.store(address, vector);
    }

    static void store(FloatVector vector, long address, VectorMask<Float> mask) {
        vector.intoMemorySegment(Memory.ALL, address, ByteOrder.LITTLE_ENDIAN, mask);
    }

    static FloatVector broadcast(long address) {
        return VectorWidth.broadcast(Memory.float32(address));
    }

    /** The even half of pairs of bfloat16 numbers. */
    static FloatVector evens(IntVector pairs) {
        return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /** The odd half of pairs of bfloat16 numbers. */
    static FloatVector odds(IntVector pairs) {
        return pairs.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
    }

    /** Rounds {@code elements} up to whole vectors. */
    static int padded(int elements) {
        return (elements + COUNT - 1) / COUNT * COUNT;
    }

    /** Writes {@code cap * tanh(x / cap)} over {@code vectors} vectors x. */
    static void softcap(long address, int vectors, float cap) {
        for (int i = 0; i < vectors; i++) {
            long at = address + i * BYTES;
            store(VectorMath.tanh(load(at).mul(1 / cap)).mul(cap), at);
        }
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
