package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The meaning of every {@link DType}: one block of it to and from float32, in plain arithmetic. Layouts are those of the
 * GGUF format. Addresses are absolute; floats lie packed.
 */
final class BlockCodec {
    /** The largest finite float16: a scale beyond it saturates. */
    static final float LARGEST_FLOAT16 = 65504f;

    private BlockCodec() {}

    /** Whether {@link #encode} knows the type and needs nothing else to know. */
    static boolean encodes(RowType type) {
        return type == DType.F32 || type == DType.F16 || type == DType.BF16 || type == DType.Q8_0 || type == DType.Q4_0;
    }

    /** Widens {@code elements}, a whole number of blocks. */
    static void decode(RowType rowType, long source, long target, long elements) {
        if (rowType instanceof LowBits low) {
            LowBitCodec.decode(low, source, target, Math.toIntExact(elements));
            return;
        }
        DType type = (DType) rowType;
        int blockElements = type.blockElements();
        long blocks = elements / blockElements;
        for (long block = 0; block < blocks; block++) {
            decodeBlock(type, source + block * type.blockBytes(), target + block * blockElements * Float.BYTES);
        }
    }

    /** Widens a row of a type that {@link #encodes} knows. */
    static void decodeRow(DType type, long source, float[] target, int elements) {
        for (int i = 0; i < elements; i++) {
            long block = source + i / type.blockElements() * (long) type.blockBytes();
            target[i] = switch (type) {
                case F32 -> Memory.float32(block);
                case F16 -> Memory.float16(block);
                case BF16 -> Memory.bfloat16(block);
                case Q8_0 -> Memory.float16(block) * Memory.int8(block + 2 + i % 32);
                case Q4_0 ->
                    Memory.float16(block) * ((Memory.unsigned8(block + 2 + i % 16) >> (i % 32 / 16 * 4) & 15) - 8);
                default -> throw new IllegalArgumentException("no entries are kept as " + type);
            };
        }
    }

    /** Narrows {@code elements}, a whole number of blocks, rounding to nearest. */
    static void encode(RowType rowType, long source, long target, long elements) {
        if (rowType instanceof LowBits low) {
            LowBitCodec.encode(low, source, target, Math.toIntExact(elements));
            return;
        }
        DType type = (DType) rowType;
        int blockElements = type.blockElements();
        long blocks = elements / blockElements;
        for (long block = 0; block < blocks; block++) {
            encodeBlock(type, source + block * blockElements * Float.BYTES, target + block * type.blockBytes());
        }
    }

    /** Narrows a row of a type that keys and values are kept in, as {@link #encode} does. */
    static void encodeRow(DType type, float[] source, long target, int elements) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate((long) elements * Float.BYTES, Float.BYTES);
            MemorySegment.copy(source, 0, row, ValueLayout.JAVA_FLOAT, 0, elements);
            encode(type, row.address(), target, elements);
        }
    }

    private static void decodeBlock(DType type, long source, long target) {
        switch (type) {
            case F32 -> Memory.putFloat32(target, Memory.float32(source));
            case F16 -> Memory.putFloat32(target, Memory.float16(source));
            case BF16 -> Memory.putFloat32(target, Memory.bfloat16(source));
            case Q8_0 -> decodeQ80(source, target);
            case Q4_0 -> decode4(Memory.float16(source), -8 * Memory.float16(source), source + 2, target);
            case Q4_1 -> decode4(Memory.float16(source), Memory.float16(source + 2), source + 4, target);
            case Q5_0 -> decode5(Memory.float16(source), -16 * Memory.float16(source), source + 2, target);
            case Q5_1 -> decode5(Memory.float16(source), Memory.float16(source + 2), source + 4, target);
            case Q2_K -> SuperBlocks.decodeQ2(source, target);
            case Q3_K -> SuperBlocks.decodeQ3(source, target);
            case Q4_K -> SuperBlocks.decodeQ4(source, target);
            case Q5_K -> SuperBlocks.decodeQ5(source, target);
            case Q6_K -> SuperBlocks.decodeQ6(source, target);
            case IQ4_NL -> decodeCodes(Memory.float16(source), Codebooks.IQ4_NL, source + 2, target);
            case IQ4_XS -> SuperBlocks.decodeIq4(source, target);
            case MXFP4 ->
                decodeCodes(Codebooks.halfPower(Memory.unsigned8(source)), Codebooks.MXFP4, source + 1, target);
        }
    }

    private static void encodeBlock(DType type, long source, long target) {
        switch (type) {
            case F32 -> Memory.putFloat32(target, Memory.float32(source));
            // A key beyond the range is better too small than infinite: that would be NaN in the attention.
            case F16 ->
                Memory.putFloat16(target, Math.clamp(Memory.float32(source), -LARGEST_FLOAT16, LARGEST_FLOAT16));
            case BF16 -> Memory.putBfloat16(target, Memory.float32(source));
            case Q8_0 -> encodeQ80(source, target);
            case Q4_0 -> encodeQ40(source, target);
            default -> throw new IllegalArgumentException("nothing is quantised to " + type);
        }
    }

    /** Scale, then 32 signed bytes. */
    private static void decodeQ80(long source, long target) {
        float scale = Memory.float16(source);
        for (int i = 0; i < 32; i++) {
            put(target, i, scale * Memory.int8(source + 2 + i));
        }
    }

    /** 16 bytes: element i in the low nibble of byte i, element i + 16 in the high one. */
    private static void decode4(float scale, float offset, long nibbles, long target) {
        for (int i = 0; i < 16; i++) {
            int packed = Memory.unsigned8(nibbles + i);
            put(target, i, scale * (packed & 15) + offset);
            put(target, i + 16, scale * (packed >> 4) + offset);
        }
    }

    /** As {@link #decode4}, with the fifth bit of element i in bit i of an int that comes before the nibbles. */
    private static void decode5(float scale, float offset, long fifthBits, long target) {
        int fifth = Memory.int32(fifthBits);
        for (int i = 0; i < 16; i++) {
            int packed = Memory.unsigned8(fifthBits + 4 + i);
            put(target, i, scale * ((packed & 15) | ((fifth >>> i) & 1) << 4) + offset);
            put(target, i + 16, scale * ((packed >> 4) | ((fifth >>> (i + 16)) & 1) << 4) + offset);
        }
    }

    /** As {@link #decode4}, with nibbles that are indices of a codebook. */
    static void decodeCodes(float scale, float[] codebook, long nibbles, long target) {
        for (int i = 0; i < 16; i++) {
            int packed = Memory.unsigned8(nibbles + i);
            put(target, i, scale * codebook[packed & 15]);
            put(target, i + 16, scale * codebook[packed >> 4]);
        }
    }

    private static void encodeQ80(long source, long target) {
        float largest = 0;
        for (int i = 0; i < 32; i++) {
            largest = Math.max(largest, Math.abs(at(source, i)));
        }
        float inverse = putScale(target, largest / 127);
        for (int i = 0; i < 32; i++) {
            Memory.putInt8(target + 2 + i, (byte) nearest(at(source, i) * inverse, 127));
        }
    }

    /** The element of largest magnitude becomes -8, the one level that has no positive counterpart. */
    private static void encodeQ40(long source, long target) {
        float extreme = 0;
        for (int i = 0; i < 32; i++) {
            float value = at(source, i);
            if (Math.abs(value) > Math.abs(extreme)) {
                extreme = value;
            }
        }
        float inverse = putScale(target, extreme / -8);
        for (int i = 0; i < 16; i++) {
            int low = Math.min(15, nearest(at(source, i) * inverse, 8) + 8);
            int high = Math.min(15, nearest(at(source, i + 16) * inverse, 8) + 8);
            Memory.putInt8(target + 2 + i, (byte) (low | high << 4));
        }
    }

    /** Writes a scale as float16 and returns the inverse of what was written; 0 for a scale that vanishes. */
    static float putScale(long address, float scale) {
        Memory.putFloat16(address, Math.clamp(scale, -LARGEST_FLOAT16, LARGEST_FLOAT16));
        float written = Memory.float16(address);
        return written == 0 ? 0 : 1 / written;
    }

    /** The nearest integer, at most {@code limit} in magnitude. */
    static int nearest(float value, int limit) {
        return (int) (Math.clamp(value, -limit, limit) + (limit + 0.5f)) - limit;
    }

    private static float at(long source, int index) {
        return Memory.float32(source + (long) index * Float.BYTES);
    }

    private static void put(long target, int index, float value) {
        Memory.putFloat32(target + (long) index * Float.BYTES, value);
    }
}
