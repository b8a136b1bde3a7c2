package dev.layercake.kernels;

/**
 * The K-quants of GGUF: super-blocks of 256 elements, in sub-blocks of 16 or 32 whose scales (and minima) are small
 * integers themselves, scaled by one or two float16 of the super-block.
 */
final class SuperBlocks {
    private SuperBlocks() {}

    /** 16 bytes (scale in the low, minimum in the high nibble, per 16 elements), 64 bytes of 2 bits, d, dmin. */
    static void decodeQ2(long source, long target) {
        float scale = Memory.float16(source + 80);
        float minimum = Memory.float16(source + 82);
        for (int i = 0; i < 256; i++) {
            int packedScale = Memory.unsigned8(source + i / 16);
            int quant = bits(source + 16 + twoBitByte(i), twoBitShift(i), 2);
            put(target, i, scale * (packedScale & 15) * quant - minimum * (packedScale >> 4));
        }
    }

    /** 32 bytes of third bits (set: no subtraction of 4), 64 bytes of 2 bits, 12 bytes of 6-bit scales less 32, d. */
    static void decodeQ3(long source, long target) {
        float scale = Memory.float16(source + 108);
        for (int i = 0; i < 256; i++) {
            int quant = bits(source + 32 + twoBitByte(i), twoBitShift(i), 2);
            int third = bits(source + i % 32, i / 32, 1);
            put(target, i, scale * (scaleQ3(source + 96, i / 16) - 32) * (quant - 4 * (1 - third)));
        }
    }

    /** d, dmin, 12 bytes of 6-bit scales and minima per 32 elements, 128 bytes of nibbles. */
    static void decodeQ4(long source, long target) {
        float scale = Memory.float16(source);
        float minimum = Memory.float16(source + 2);
        for (int i = 0; i < 256; i++) {
            int quant = bits(source + 16 + nibbleByte(i), nibbleShift(i), 4);
            put(target, i, scale * scale6(source + 4, i / 32) * quant - minimum * minimum6(source + 4, i / 32));
        }
    }

    /** As Q4_K, with 32 bytes of fifth bits before the nibbles. */
    static void decodeQ5(long source, long target) {
        float scale = Memory.float16(source);
        float minimum = Memory.float16(source + 2);
        for (int i = 0; i < 256; i++) {
            int low = bits(source + 48 + nibbleByte(i), nibbleShift(i), 4);
            int fifth = bits(source + 16 + i % 32, i / 32, 1);
            int quant = low | fifth << 4;
            put(target, i, scale * scale6(source + 4, i / 32) * quant - minimum * minimum6(source + 4, i / 32));
        }
    }

    /** 128 bytes of low nibbles, 64 bytes of high 2 bits, 16 signed scales per 16 elements, d. */
    static void decodeQ6(long source, long target) {
        float scale = Memory.float16(source + 208);
        for (int i = 0; i < 256; i++) {
            int quarter = i % 128 / 32;
            int nibble = i / 128 * 64 + i % 64;
            int pair = i / 128 * 32 + i % 32;
            int low = bits(source + nibble, 4 * (quarter / 2), 4);
            int high = bits(source + 128 + pair, 2 * quarter, 2);
            put(target, i, scale * Memory.int8(source + 192 + i / 16) * ((low | high << 4) - 32));
        }
    }

    /** d, 8 times 2 high bits and 8 times 4 low bits of scales less 32, and codes in runs of 32 as in IQ4_NL. */
    static void decodeIq4(long source, long target) {
        float scale = Memory.float16(source);
        for (int run = 0; run < 8; run++) {
            float runScale = scale * (scaleIq4(source + 2, run) - 32);
            BlockCodec.decodeCodes(runScale, Codebooks.IQ4_NL, source + 8 + 16L * run, target + 128L * run);
        }
    }

    /** Scale {@code index} of IQ4_XS: high 2 bits in bytes 0-1, low 4 bits in bytes 2-5. */
    static int scaleIq4(long scales, int index) {
        int low = bits(scales + 2 + index / 2, index % 2 * 4, 4);
        int high = bits(scales + index / 4, index % 4 * 2, 2);
        return low | high << 4;
    }

    /** Scale {@code index} of Q3_K: low 4 bits in bytes 0-7, high 2 bits in bytes 8-11. */
    static int scaleQ3(long scales, int index) {
        int low = bits(scales + index % 8, 4 * (index / 8), 4);
        int high = bits(scales + 8 + index % 4, 2 * (index / 4), 2);
        return low | high << 4;
    }

    /** The first eight of {@link #scaleQ3}, a byte each. */
    static long lowScalesQ3(long scales) {
        return scalesQ3(Memory.int64(scales), Memory.int32(scales + 8));
    }

    /** The last eight of {@link #scaleQ3}, a byte each. */
    static long highScalesQ3(long scales) {
        return scalesQ3(Memory.int64(scales) >>> 4, Memory.int32(scales + 8) >>> 4);
    }

    private static long scalesQ3(long low, int high) {
        long pairs = (high & 0x03030303L) | (high & 0x0C0C0C0CL) << 30;
        return (low & 0x0F0F0F0F0F0F0F0FL) | pairs << 4;
    }

    /** Scale {@code index} of Q4_K and Q5_K: the first four whole in bytes 0-3, the others in two pieces. */
    static int scale6(long scales, int index) {
        return index < 4
                ? bits(scales + index, 0, 6)
                : bits(scales + index + 4, 0, 4) | bits(scales + index - 4, 6, 2) << 4;
    }

    /** Minimum {@code index} of Q4_K and Q5_K: the first four whole in bytes 4-7, the others in two pieces. */
    static int minimum6(long scales, int index) {
        return index < 4
                ? bits(scales + index + 4, 0, 6)
                : bits(scales + index + 4, 4, 4) | bits(scales + index, 6, 2) << 4;
    }

    /** All eight of {@link #scale6}, a byte each. */
    static long scales6(long scales) {
        int low = Memory.int32(scales);
        int high = (Memory.int32(scales + 8) & 0x0F0F0F0F) | ((low >>> 2) & 0x30303030);
        return (low & 0x3F3F3F3FL) | (long) high << 32;
    }

    /** All eight of {@link #minimum6}, a byte each. */
    static long minima6(long scales) {
        int low = Memory.int32(scales + 4);
        int high = ((Memory.int32(scales + 8) >>> 4) & 0x0F0F0F0F) | ((low >>> 2) & 0x30303030);
        return (low & 0x3F3F3F3FL) | (long) high << 32;
    }

    /** 2-bit quants: 32 bytes hold 128 elements, element i in byte i mod 32. */
    private static int twoBitByte(int element) {
        return element / 128 * 32 + element % 32;
    }

    private static int twoBitShift(int element) {
        return element % 128 / 32 * 2;
    }

    /** 4-bit quants: 32 bytes hold 64 elements, the first 32 in the low nibbles. */
    private static int nibbleByte(int element) {
        return element / 64 * 32 + element % 32;
    }

    private static int nibbleShift(int element) {
        return element % 64 / 32 * 4;
    }

    private static int bits(long address, int first, int count) {
        return (Memory.unsigned8(address) >> first) & ((1 << count) - 1);
    }

    private static void put(long target, int index, float value) {
        Memory.putFloat32(target + (long) index * Float.BYTES, value);
    }
}
