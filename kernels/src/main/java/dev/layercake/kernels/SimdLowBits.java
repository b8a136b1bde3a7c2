package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.INTS;
import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** The decoding of {@link LowBitCodec} and {@link ChannelBitCodec} with vectors: the same numbers, bit for bit. */
final class SimdLowBits {
    private static final IntVector PLACES = IntVector.zero(INTS).addIndex(1).lanewise(VectorOperators.AND, 7);
    /** Lanes of the second eight codes; none unless vectors have 16 lanes. */
    private static final VectorMask<Integer> SECOND = VectorMask.fromLong(INTS, 0xFF00L & ((1L << LANES) - 1));

    /** Not a constant to the compiler, so the loop is compiled alone; see {@link LoopTable}. */
    private final MethodHandle widen;

    private final MethodHandle widenColumns;

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
            widenColumns = MethodHandles.lookup()
                    .findStatic(
                            SimdLowBits.class,
                            "widenColumns",
                            MethodType.methodType(
                                    void.class,
                                    ChannelBits.class,
                                    long.class,
                                    int.class,
                                    int.class,
                                    int.class,
                                    long.class,
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

    /** Widens rows {@code [row, row + count)} of a block, each to packed float32. */
    static void decode(ChannelBits type, long block, int row, int count, int elements, long target, long targetStride) {
        try {
            LOOP.widenColumns.invokeExact(type, block, row, count, elements, target, targetStride);
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    @SuppressWarnings("UnusedMethod")
    private static void widenColumns(
            ChannelBits type, long block, int row, int count, int elements, long target, long targetStride) {
        int codeBytes = type.codeBytes(elements);
        long scales = block + (long) type.rows() * codeBytes;
        long offsets = scales + (long) elements * Short.BYTES;
        long codes = block + (long) row * codeBytes;
        int whole = elements / LANES * LANES;
        for (int i = 0; i < whole; i += LANES) {
            widenColumn(
                    type.bits(), scales + 2L * i, offsets + 2L * i, codes, codeBytes, i, count, target, targetStride);
        }
        for (int i = whole; i < elements; i++) {
            float scale = Memory.float16(scales + 2L * i);
            float offset = Memory.float16(offsets + 2L * i);
            for (int next = 0; next < count; next++) {
                int code = LowBitCodec.code(type.bits(), codes + (long) next * codeBytes, i);
                Memory.putFloat32(target + next * targetStride + i * 4L, scale * code + offset);
            }
        }
    }

    /** Widens as many channels as there are lanes, row after row. */
    private static void widenColumn(
            int bits,
            long scales,
            long offsets,
            long codes,
            int codeBytes,
            int element,
            int count,
            long target,
            long targetStride) {
        IntVector shifts = PLACES.mul(bits);
        int mask = (1 << bits) - 1;
        FloatVector scale = SimdCodec.widenHalves(VectorWidth.unsignedShorts(scales));
        FloatVector offset = SimdCodec.widenHalves(VectorWidth.unsignedShorts(offsets));
        for (int row = 0; row < count; row++) {
            IntVector lanes =
                    eight(codes + (long) row * codeBytes, bits, element).lanewise(VectorOperators.LSHR, shifts);
            VectorWidth.store(
                    target + row * targetStride + element * 4L,
                    VectorWidth.toFloats(lanes.lanewise(VectorOperators.AND, mask))
                            .mul(scale)
                            .add(offset));
        }
    }

    /** Widens a group. */
    @SuppressWarnings("UnusedMethod")
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
