package dev.layercake.kernels;

/** The meaning of {@link ChannelBits}: a block of it to and from float32, in plain arithmetic. */
final class ChannelBitCodec {
    private ChannelBitCodec() {}

    /** Widens one row of a block to packed float32. */
    static void decode(ChannelBits type, long block, int row, long target, int elements) {
        long codes = block + (long) row * type.codeBytes(elements);
        long scales = block + (long) type.rows() * type.codeBytes(elements);
        long offsets = scales + (long) elements * Short.BYTES;
        for (int i = 0; i < elements; i++) {
            float scale = Memory.float16(scales + (long) i * Short.BYTES);
            float offset = Memory.float16(offsets + (long) i * Short.BYTES);
            Memory.putFloat32(target + i * 4L, scale * LowBitCodec.code(type.bits(), codes, i) + offset);
        }
    }

    /** Narrows the rows of a block, which lie packed, rounding to nearest. */
    static void encode(ChannelBits type, long source, long block, int elements) {
        LowBits levels = new LowBits(type.bits(), type.rows());
        long scales = block + (long) type.rows() * type.codeBytes(elements);
        long offsets = scales + (long) elements * Short.BYTES;
        for (long i = block; i < scales; i++) {
            Memory.putInt8(i, (byte) 0);
        }
        for (int i = 0; i < elements; i++) {
            float least = Float.POSITIVE_INFINITY;
            float most = Float.NEGATIVE_INFINITY;
            for (int row = 0; row < type.rows(); row++) {
                float value = at(source, row, i, elements);
                least = Math.min(least, value);
                most = Math.max(most, value);
            }
            float inverse = BlockCodec.putScale(scales + (long) i * Short.BYTES, levels.scale(least, most));
            float offset = putOffset(offsets + (long) i * Short.BYTES, levels.offset(least, most));
            for (int row = 0; row < type.rows(); row++) {
                int code = LowBitCodec.code(levels, (at(source, row, i, elements) - offset) * inverse);
                putCode(type, block + (long) row * type.codeBytes(elements), i, code);
            }
        }
    }

    private static float putOffset(long address, float offset) {
        Memory.putFloat16(address, Math.clamp(offset, -BlockCodec.LARGEST_FLOAT16, BlockCodec.LARGEST_FLOAT16));
        return Memory.float16(address);
    }

    /** Sets the bits of a code that were 0 before. */
    private static void putCode(ChannelBits type, long codes, int element, int code) {
        int bit = element % LowBits.CODES * type.bits();
        long first = codes + (long) (element / LowBits.CODES) * type.bits();
        for (int i = bit / 8; i * 8 < bit + type.bits(); i++) {
            int part = i * 8 >= bit ? code >>> (i * 8 - bit) : code << (bit - i * 8);
            Memory.putInt8(first + i, (byte) (Memory.int8(first + i) | part));
        }
    }

    private static float at(long source, int row, int element, int elements) {
        return Memory.float32(source + ((long) row * elements + element) * Float.BYTES);
    }
}
