package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.INTS;
import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** {@link LowBitCodec}'s decoding with vectors: the same numbers, bit for bit. */
final class SimdLowBits {
    private static final IntVector PLACES = IntVector.zero(INTS).addIndex(1).lanewise(VectorOperators.AND, 7);
    /** Lanes of the second eight codes; none unless vectors have 16 lanes. */
    private static final VectorMask<Integer> SECOND = VectorMask.fromLong(INTS, 0xFF00L & (1L << LANES) - 1);

    /** Not a constant to the compiler, so the loop is compiled alone; see {@link LoopTable}. */
    private final MethodHandle widen;

    private static final SimdLowBits LOOP = new SimdLowBits();

    private SimdLowBits() {
        try {
            widen = MethodHandles.lookup()
                    .findStatic(
                            SimdLowBits.class,
                            "widen",
                            MethodType.methodType(
                                    void.class,
                                    long.class,
                                    int.class,
                                    int.class,
                                    float.class,
                                    float.class,
                                    long.class));
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("widen", e);
        }
    }

    /** Widens a row to packed float32. */
    static void decode(LowBits type, long source, long target, int elements) {
        long from = source;
        for (int first = 0; first < elements; first += type.group()) {
            int count = Math.min(type.group(), elements - first);
            long scales = from + type.codeBytes(count);
            float scale = Memory.float16(scales);
            float offset = Memory.float16(scales + Short.BYTES);
            try {
                LOOP.widen.invokeExact(from, type.bits(), count, scale, offset, target + first * 4L);
            } catch (Throwable thrown) {
                throw LoopTable.unchecked(thrown);
            }
            from = scales + LowBits.SCALES_BYTES;
        }
    }

    /** Widens a group. */
    private static void widen(long codes, int bits, int count, float scale, float offset, long target) {
        IntVector shifts = PLACES.mul(bits);
        int mask = (1 << bits) - 1;
        int i = 0;
        for (; i + LANES <= count; i += LANES) {
            IntVector lanes = eight(codes, bits, i).lanewise(VectorOperators.LSHR, shifts);
            VectorWidth.store(
                    target + i * 4L,
                    VectorWidth.toFloats(lanes.lanewise(VectorOperators.AND, mask))
                            .mul(scale)
                            .add(offset));
        }
        for (; i < count; i++) {
            Memory.putFloat32(target + i * 4L, scale * LowBitCodec.code(bits, codes, i) + offset);
        }
    }

    /** The codes of the next lanes, the first one's in the lowest bits, the same in every lane (of eight). */
    private static IntVector eight(long codes, int bits, int element) {
        int first = Memory.int32(codes + (long) (element >> 3) * bits) >>> ((element & 7) * bits);
        IntVector all = IntVector.broadcast(INTS, first);
        if (LANES <= 8) {
            return all;
        }
        return all.blend(Memory.int32(codes + (long) ((element >> 3) + 1) * bits), SECOND);
    }

    /** {@code target[i] *= factors[i]}. */
    static void scale(long target, long factors, int elements) {
        int i = 0;
        for (; i + LANES <= elements; i += LANES) {
            long at = target + i * 4L;
            VectorWidth.store(at, VectorWidth.load(at).mul(VectorWidth.load(factors + i * 4L)));
        }
        for (; i < elements; i++) {
            long at = target + i * 4L;
            Memory.putFloat32(at, Memory.float32(at) * Memory.float32(factors + i * 4L));
        }
    }
}
