package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** {@link SuperBlocks} with vectors. Runs of 16 or 32 elements share a scale, so a vector of at most 16 lanes has one. */
final class SimdSuperBlocks {
    private SimdSuperBlocks() {}

    static void decodeQ2(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 84L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at + 80);
            float minimum = Memory.float16(at + 82);
            for (int run = 0; run < 16; run++) {
                int packedScale = Memory.unsigned8(at + run);
                FloatVector scales = VectorWidth.broadcast(scale * (packedScale & 15));
                FloatVector minima = VectorWidth.broadcast(-minimum * (packedScale >> 4));
                long quants = at + 16 + run / 8 * 32L + run % 2 * 16L;
                for (int i = 0; i < 16; i += LANES) {
                    IntVector bits = twoBits(quants + i, run % 8 / 2 * 2);
                    VectorWidth.store(
                            to + 64L * run + 4L * i, VectorWidth.toFloats(bits).fma(scales, minima));
                }
            }
        }
    }

    static void decodeQ3(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 110L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at + 108);
            for (int run = 0; run < 16; run++) {
                float runScale = scale * (SuperBlocks.scaleQ3(at + 96, run) - 32);
                long quants = at + 32 + run / 8 * 32L + run % 2 * 16L;
                for (int i = 0; i < 16; i += LANES) {
                    IntVector third = VectorWidth.unsignedBytes(at + run % 2 * 16L + i)
                            .lanewise(VectorOperators.LSHR, run / 2)
                            .lanewise(VectorOperators.AND, 1)
                            .lanewise(VectorOperators.LSHL, 2);
                    IntVector quant =
                            twoBits(quants + i, run % 8 / 2 * 2).add(third).sub(4);
                    VectorWidth.store(
                            to + 64L * run + 4L * i, VectorWidth.toFloats(quant).mul(runScale));
                }
            }
        }
    }

    static void decodeQ4(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 144L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at);
            float minimum = Memory.float16(at + 2);
            for (int pair = 0; pair < 4; pair++) {
                FloatVector lowScale = VectorWidth.broadcast(scale * SuperBlocks.scale6(at + 4, 2 * pair));
                FloatVector lowOffset = VectorWidth.broadcast(-minimum * SuperBlocks.minimum6(at + 4, 2 * pair));
                FloatVector highScale = VectorWidth.broadcast(scale * SuperBlocks.scale6(at + 4, 2 * pair + 1));
                FloatVector highOffset = VectorWidth.broadcast(-minimum * SuperBlocks.minimum6(at + 4, 2 * pair + 1));
                for (int i = 0; i < 32; i += LANES) {
                    IntVector packed = VectorWidth.unsignedBytes(at + 16 + 32L * pair + i);
                    FloatVector low = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15));
                    FloatVector high = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4));
                    VectorWidth.store(to + 256L * pair + 4L * i, low.fma(lowScale, lowOffset));
                    VectorWidth.store(to + 256L * pair + 128 + 4L * i, high.fma(highScale, highOffset));
                }
            }
        }
    }

    static void decodeQ5(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 176L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at);
            float minimum = Memory.float16(at + 2);
            for (int pair = 0; pair < 4; pair++) {
                FloatVector lowScale = VectorWidth.broadcast(scale * SuperBlocks.scale6(at + 4, 2 * pair));
                FloatVector lowOffset = VectorWidth.broadcast(-minimum * SuperBlocks.minimum6(at + 4, 2 * pair));
                FloatVector highScale = VectorWidth.broadcast(scale * SuperBlocks.scale6(at + 4, 2 * pair + 1));
                FloatVector highOffset = VectorWidth.broadcast(-minimum * SuperBlocks.minimum6(at + 4, 2 * pair + 1));
                for (int i = 0; i < 32; i += LANES) {
                    IntVector packed = VectorWidth.unsignedBytes(at + 48 + 32L * pair + i);
                    IntVector fifth = VectorWidth.unsignedBytes(at + 16 + i);
                    IntVector low = packed.lanewise(VectorOperators.AND, 15).or(bitToFour(fifth, 2 * pair));
                    IntVector high = packed.lanewise(VectorOperators.LSHR, 4).or(bitToFour(fifth, 2 * pair + 1));
                    VectorWidth.store(
                            to + 256L * pair + 4L * i, VectorWidth.toFloats(low).fma(lowScale, lowOffset));
                    VectorWidth.store(
                            to + 256L * pair + 128 + 4L * i,
                            VectorWidth.toFloats(high).fma(highScale, highOffset));
                }
            }
        }
    }

    static void decodeQ6(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 210L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at + 208);
            for (int half = 0; half < 2; half++) {
                for (int i = 0; i < 32; i += LANES) {
                    long scales = at + 192 + 8L * half + i / 16;
                    long out = to + 512L * half + 4L * i;
                    IntVector first = VectorWidth.unsignedBytes(at + 64L * half + i);
                    IntVector second = VectorWidth.unsignedBytes(at + 64L * half + 32 + i);
                    IntVector high = VectorWidth.unsignedBytes(at + 128 + 32L * half + i);
                    storeQ6(out, first.lanewise(VectorOperators.AND, 15), high, 0, scale * Memory.int8(scales));
                    storeQ6(
                            out + 128,
                            second.lanewise(VectorOperators.AND, 15),
                            high,
                            2,
                            scale * Memory.int8(scales + 2));
                    storeQ6(
                            out + 256,
                            first.lanewise(VectorOperators.LSHR, 4),
                            high,
                            4,
                            scale * Memory.int8(scales + 4));
                    storeQ6(
                            out + 384,
                            second.lanewise(VectorOperators.LSHR, 4),
                            high,
                            6,
                            scale * Memory.int8(scales + 6));
                }
            }
        }
    }

    private static void storeQ6(long target, IntVector low, IntVector high, int shift, float scale) {
        VectorWidth.store(target, sixBits(low, high, shift).mul(scale));
    }

    /** The 6-bit quant, less its offset of 32, from a low nibble and two bits of {@code high}. */
    static FloatVector sixBits(IntVector low, IntVector high, int shift) {
        IntVector upper = high.lanewise(VectorOperators.LSHR, shift)
                .lanewise(VectorOperators.AND, 3)
                .lanewise(VectorOperators.LSHL, 4);
        return VectorWidth.toFloats(low.or(upper).sub(32));
    }

    private static IntVector twoBits(long address, int shift) {
        return VectorWidth.unsignedBytes(address)
                .lanewise(VectorOperators.LSHR, shift)
                .lanewise(VectorOperators.AND, 3);
    }

    private static IntVector bitToFour(IntVector bits, int bit) {
        return bits.lanewise(VectorOperators.LSHR, bit)
                .lanewise(VectorOperators.AND, 1)
                .lanewise(VectorOperators.LSHL, 4);
    }
}
