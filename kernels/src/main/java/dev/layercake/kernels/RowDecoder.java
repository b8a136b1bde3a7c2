package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.INTS;

import java.lang.foreign.MemorySegment;
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
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Lanes.COUNT * Short.SIZE));
    /** There is no vector of 4 bytes, so at 128 bits another way is taken. */
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
            RowType type,
            long source,
            long stride,
            int count,
            int headDim,
            long target,
            long targetStride,
            int padded) {
        if (targetStride == (long) headDim * Float.BYTES && type instanceof DType) {
            decode(type, source, count * headDim, target);
            return;
        }
        for (int row = 0; row < count; row++) {
            long to = target + row * targetStride;
            decode(type, source + row * stride, headDim, to);
            for (int i = headDim; i < padded; i++) {
                Memory.putFloat32(to + (long) i * Float.BYTES, 0f);
            }
        }
    }

    /** Widens the keys of slots {@code [slot, slot + count)}, whatever pages they lie in; {@code padded} as in {@link #decode}. */
    static void decodeKeys(KvRows entries, int slot, int count, long target, long targetStride, int padded) {
        int done = 0;
        while (done < count) {
            if (entries.keyType() instanceof ChannelBits type) {
                done += decodeBlock(
                        type, entries, slot + done, count - done, target + done * targetStride, targetStride, padded);
                continue;
            }
            int run = run(entries, slot + done, count - done);
            if (entries.keyType() instanceof SomeChannels) {
                decodeStoredKeys(
                        entries, slot + done, run, target + done * targetStride, targetStride, entries.headDim());
                for (int row = 0; row < run; row++) {
                    long key = target + (done + row) * targetStride;
                    entries.spread(key);
                    for (int i = entries.headDim(); i < padded; i++) {
                        Memory.putFloat32(key + (long) i * Float.BYTES, 0f);
                    }
                }
                done += run;
                continue;
            }
            decode(
                    entries.keyType(),
                    entries.keyAddress(slot + done),
                    entries.keyRowBytes(),
                    run,
                    entries.headDim(),
                    target + done * targetStride,
                    targetStride,
                    padded);
            done += run;
        }
        Tensor balancer = entries.balancer();
        if (balancer != null) {
            for (int row = 0; row < count; row++) {
                SimdLowBits.scale(target + row * targetStride, balancer.rowAddress(1), entries.headDim());
            }
        }
    }

    /** Widens the values of slots {@code [slot, slot + count)}; {@code padded} as in {@link #decode}. */
    static void decodeValues(KvRows entries, int slot, int count, long target, long targetStride, int padded) {
        int done = 0;
        while (done < count) {
            int run = run(entries, slot + done, count - done);
            decode(
                    entries.valueType(),
                    entries.valueAddress(slot + done),
                    entries.valueRowBytes(),
                    run,
                    entries.headDim(),
                    target + done * targetStride,
                    targetStride,
                    padded);
            done += run;
        }
    }

    /**
     * Widens the channels that are stored of keys of {@link SomeChannels}, in slots of one page; {@code padded} as in
     * {@link #decode}.
     */
    static void decodeStoredKeys(KvRows entries, int slot, int count, long target, long targetStride, int padded) {
        SomeChannels type = (SomeChannels) entries.keyType();
        decode(
                type.type(),
                entries.keyAddress(slot),
                entries.keyRowBytes(),
                count,
                type.kept(),
                target,
                targetStride,
                padded);
    }

    /** Widens the keys that lie in the block of the first slot; returns how many. */
    private static int decodeBlock(
            ChannelBits type, KvRows entries, int slot, int count, long target, long targetStride, int padded) {
        int row = entries.rowInBlock(slot);
        int run = Math.min(count, type.rows() - row);
        SimdLowBits.decode(type, entries.keyBlock(slot), row, run, entries.headDim(), target, targetStride);
        for (int i = 0; i < run && padded > entries.headDim(); i++) {
            for (int element = entries.headDim(); element < padded; element++) {
                Memory.putFloat32(target + i * targetStride + (long) element * Float.BYTES, 0f);
            }
        }
        return run;
    }

    /** How many of {@code count} slots from {@code slot} on lie in its page. */
    private static int run(KvRows entries, int slot, int count) {
        return Math.min(count, entries.leftInPage(slot));
    }

    private static void decode(RowType rowType, long source, int elements, long target) {
        if (rowType instanceof LowBits low) {
            SimdLowBits.decode(low, source, target, elements);
            return;
        }
        DType type = (DType) rowType;
        switch (type) {
            case F32 -> MemorySegment.copy(ALL, source, ALL, target, (long) elements * Float.BYTES);
            case F16 -> decodeFloat16(source, elements, target);
            case BF16 -> decodeBfloat16(source, elements, target);
            case Q8_0 -> decodeQ80(source, elements, target);
            default -> SimdCodec.decode(type, source, target, elements);
        }
    }

    private static void decodeBfloat16(long source, int elements, long target) {
        int i = 0;
        for (; i + Lanes.COUNT <= elements; i += Lanes.COUNT) {
            ((IntVector) ShortVector.fromMemorySegment(SHORTS, ALL, source + (long) i * Short.BYTES, LITTLE)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats()
                    .intoMemorySegment(ALL, target + (long) i * Float.BYTES, LITTLE);
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, Memory.bfloat16(source + (long) i * Short.BYTES));
        }
    }

    private static void decodeFloat16(long source, int elements, long target) {
        int i = 0;
        for (; i + Lanes.COUNT <= elements; i += Lanes.COUNT) {
            ((IntVector) ShortVector.fromMemorySegment(SHORTS, ALL, source + (long) i * Short.BYTES, LITTLE)
                            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0))
                    .lanewise(VectorOperators.LSHL, 16)
                    .lanewise(VectorOperators.ASHR, 3)
                    .lanewise(VectorOperators.AND, 0x8FFFE000)
                    .reinterpretAsFloats()
                    .mul(FLOAT16_FACTOR)
                    .intoMemorySegment(ALL, target + (long) i * Float.BYTES, LITTLE);
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, Memory.float16(source + (long) i * Short.BYTES));
        }
    }

    private static void decodeQ80(long source, int elements, long target) {
        if (Lanes.COUNT < 8) {
            SimdCodec.decode(DType.Q8_0, source, target, elements);
            return;
        }
        int blockElements = DType.Q8_0.blockElements();
        for (int block = 0; block < elements / blockElements; block++) {
            long from = source + (long) block * DType.Q8_0.blockBytes();
            long to = target + (long) block * blockElements * Float.BYTES;
            float scale = Memory.float16(from);
            for (int i = 0; i < blockElements; i += Lanes.COUNT) {
                ((FloatVector) ByteVector.fromMemorySegment(BYTES, ALL, from + Short.BYTES + i, LITTLE)
                                .convertShape(VectorOperators.B2F, FLOATS, 0))
                        .mul(scale)
                        .intoMemorySegment(ALL, to + (long) i * Float.BYTES, LITTLE);
            }
        }
    }
}
