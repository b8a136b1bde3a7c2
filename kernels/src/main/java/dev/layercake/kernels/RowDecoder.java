package dev.layercake.kernels;

import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Widens key and value rows to float32, each row followed by zeros up to the length that a kernel wants. */
final class RowDecoder {
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Lanes.COUNT * Short.SIZE));
    /** There is no vector of 4 bytes, so at 128 bits the codec does the work. */
    private static final boolean BYTES_FIT = Lanes.COUNT >= 8;

    private static final VectorSpecies<Byte> BYTES =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, Lanes.COUNT * Byte.SIZE)));
    /** Shifting a float16 into a float32's place leaves its exponent short by this factor, also for subnormals. */
    private static final float FLOAT16_FACTOR = 0x1p112f;

    private RowDecoder() {}

    /**
     * Widens {@code count} consecutive rows of {@code headDim} elements.
     *
     * @param targetStride bytes from one target row to the next
     * @param padded elements of a target row that are written, those from {@code headDim} on as zeros
     */
    static void decode(
            DType type, long source, long stride, int count, int headDim, long target, long targetStride, int padded) {
        for (int row = 0; row < count; row++) {
            long from = source + row * stride;
            long to = target + row * targetStride;
            switch (type) {
                case F32 -> decodeFloat32(from, headDim, to);
                case F16 -> decodeFloat16(from, headDim, to);
                case BF16 -> decodeBfloat16(from, headDim, to);
                case Q8_0 -> decodeQ80(from, headDim, to);
                default -> BlockCodec.decode(type, from, to, headDim);
            }
            for (int i = headDim; i < padded; i++) {
                Memory.putFloat32(to + (long) i * Float.BYTES, 0f);
            }
        }
    }

    private static void decodeFloat32(long source, int elements, long target) {
        int i = 0;
        for (; i + Lanes.COUNT <= elements; i += Lanes.COUNT) {
            Lanes.store(Lanes.load(source + (long) i * Float.BYTES), target + (long) i * Float.BYTES);
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, Memory.float32(source + (long) i * Float.BYTES));
        }
    }

    private static void decodeBfloat16(long source, int elements, long target) {
        int i = 0;
        for (; i + Lanes.COUNT <= elements; i += Lanes.COUNT) {
            FloatVector wide = loadShorts(source + (long) i * Short.BYTES)
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats();
            Lanes.store(wide, target + (long) i * Float.BYTES);
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, Memory.bfloat16(source + (long) i * Short.BYTES));
        }
    }

    private static void decodeFloat16(long source, int elements, long target) {
        int i = 0;
        for (; i + Lanes.COUNT <= elements; i += Lanes.COUNT) {
            FloatVector wide = loadShorts(source + (long) i * Short.BYTES)
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 3)
                    .lanewise(VectorOperators.AND, 0x8FFFE000)
                    .reinterpretAsFloats()
                    .mul(FLOAT16_FACTOR);
            Lanes.store(wide, target + (long) i * Float.BYTES);
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, Memory.float16(source + (long) i * Short.BYTES));
        }
    }

    private static void decodeQ80(long source, int elements, long target) {
        if (!BYTES_FIT) {
            BlockCodec.decode(DType.Q8_0, source, target, elements);
            return;
        }
        int blockElements = DType.Q8_0.blockElements();
        for (int block = 0; block < elements / blockElements; block++) {
            long from = source + (long) block * DType.Q8_0.blockBytes();
            long to = target + (long) block * blockElements * Float.BYTES;
            FloatVector scale = Lanes.broadcast(Memory.float16(from));
            for (int i = 0; i < blockElements; i += Lanes.COUNT) {
                FloatVector wide = (FloatVector)
                        ByteVector.fromMemorySegment(BYTES, Memory.ALL, from + Short.BYTES + i, ByteOrder.LITTLE_ENDIAN)
                                .convertShape(VectorOperators.B2F, Lanes.FLOATS, 0);
                Lanes.store(wide.mul(scale), to + (long) i * Float.BYTES);
            }
        }
    }

    private static IntVector loadShorts(long address) {
        return (IntVector) ShortVector.fromMemorySegment(SHORTS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, Lanes.INTS, 0);
    }
}
