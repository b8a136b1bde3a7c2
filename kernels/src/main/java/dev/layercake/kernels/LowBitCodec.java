package dev.layercake.kernels;

/** The meaning of {@link LowBits}: one row of it to and from float32, in plain arithmetic. */
final class LowBitCodec {
    private LowBitCodec() {}

    /** Widens a row to packed float32. */
    static void decode(LowBits type, long source, long target, int elements) {
        long from = source;
        for (int first = 0; first < elements; first += type.group()) {
            int count = Math.min(type.group(), elements - first);
            long scales = from + type.codeBytes(count);
            float scale = Memory.float16(scales);
            float offset = Memory.float16(scales + Short.BYTES);
            for (int i = 0; i < count; i++) {
                Memory.putFloat32(target + (first + i) * 4L, scale * code(type.bits(), from, i) + offset);
            }
            from = scales + LowBits.SCALES_BYTES;
        }
    }

    /** The code of an element of a group; reads no byte beyond the group's scales. */
    static int code(int bits, long codes, int element) {
        int eight = Memory.int32(codes + (long) (element / LowBits.CODES) * bits);
        return eight >>> (element % LowBits.CODES * bits) & ((1 << bits) - 1);
    }

    /** Narrows a row, rounding to nearest. */
    static void encode(LowBits type, long source, long target, int elements) {
        long to = target;
        for (int first = 0; first < elements; first += type.group()) {
            int count = Math.min(type.group(), elements - first);
            encodeGroup(type, source + first * 4L, to, count);
            to += type.groupBytes(count);
        }
    }

    private static void encodeGroup(LowBits type, long source, long target, int count) {
        float least = Float.POSITIVE_INFINITY;
        float most = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            float value = Memory.float32(source + i * 4L);
            least = Math.min(least, value);
            most = Math.max(most, value);
        }
        long scales = target + type.codeBytes(count);
        float inverse = putScales(type, least, most, scales);
        float offset = Memory.float16(scales + Short.BYTES);
        for (int eight = 0; eight < count; eight += LowBits.CODES) {
            int packed = 0;
            for (int i = Math.min(count - eight, LowBits.CODES) - 1; i >= 0; i--) {
                float value = Memory.float32(source + (eight + i) * 4L);
                packed = packed << type.bits() | code(type, (value - offset) * inverse);
            }
            long to = target + (long) (eight / LowBits.CODES) * type.bits();
            for (int i = 0; i < type.bits(); i++) {
                Memory.putInt8(to + i, (byte) (packed >> 8 * i));
            }
        }
    }

    /** Writes scale and offset of a range as float16; returns the inverse of the scale that was written, 0 if that is 0. */
    static float putScales(LowBits type, float least, float most, long target) {
        boolean quarters = type.bits() == 1;
        float scale = quarters ? (most - least) / 2 : (most - least) / type.largest();
        float offset = quarters ? least * 0.75f + most * 0.25f : least;
        Memory.putFloat16(
                target + Short.BYTES, Math.clamp(offset, -BlockCodec.LARGEST_FLOAT16, BlockCodec.LARGEST_FLOAT16));
        return BlockCodec.putScale(target, scale);
    }

    /** The nearest code; 0 for what is no number. */
    static int code(LowBits type, float value) {
        return (int) (Math.clamp(value, 0f, type.largest()) + 0.5f);
    }
}
