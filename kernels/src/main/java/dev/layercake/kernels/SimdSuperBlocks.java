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
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            long scales = SuperBlocks.scales6(at + 4);
            long minima = SuperBlocks.minima6(at + 4);
            for (int run = 0; run < 8; run++) {
                FloatVector runScale = VectorWidth.broadcast(scale * (scales >>> (8 * run) & 63));
                FloatVector offset = VectorWidth.broadcast(minimum * (minima >>> (8 * run) & 63));
                long to = target + 1024L * block + 128L * run;
                for (int i = 0; i < 32; i += LANES) {
                    IntVector quant = nibbles(at + 16 + run / 2 * 32L + i, run % 2 * 4);
                    VectorWidth.store(to + 4L * i, VectorWidth.toFloats(quant).fma(runScale, offset));
                }
            }
        }
    }

    static void decodeQ5(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 176L * block;
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            long scales = SuperBlocks.scales6(at + 4);
            long minima = SuperBlocks.minima6(at + 4);
            for (int run = 0; run < 8; run++) {
                FloatVector runScale = VectorWidth.broadcast(scale * (scales >>> (8 * run) & 63));
                FloatVector offset = VectorWidth.broadcast(minimum * (minima >>> (8 * run) & 63));
                long to = target + 1024L * block + 128L * run;
                for (int i = 0; i < 32; i += LANES) {
                    IntVector fifth = VectorWidth.unsignedBytes(at + 16 + i)
                            .lanewise(VectorOperators.LSHR, run)
                            .lanewise(VectorOperators.AND, 1)
                            .lanewise(VectorOperators.LSHL, 4);
                    IntVector quant =
                            nibbles(at + 48 + run / 2 * 32L + i, run % 2 * 4).or(fifth);
                    VectorWidth.store(to + 4L * i, VectorWidth.toFloats(quant).fma(runScale, offset));
                }
            }
        }
    }

    static void decodeQ6(long source, long target, int elements) {
        for (int block = 0; block < elements / 256; block++) {
            long at = source + 210L * block;
            long to = target + 1024L * block;
            float scale = Memory.float16(at + 208);
            for (int run = 0; run < 16; run++) {
                float runScale = scale * Memory.int8(at + 192 + run);
                for (int i = 0; i < 16; i += LANES) {
                    VectorWidth.store(
                            to + 64L * run + 4L * i, sixBits(at, run, i).mul(runScale));
                }
            }
        }
    }

    /** The 6-bit quants, less their offset of 32, of a run of 16 elements, from its element {@code first} on. */
    static FloatVector sixBits(long block, int run, int first) {
        int quarter = run % 8 / 2;
        long low = block + run / 8 * 64L + run % 4 * 16L + first;
        long high = block + 128 + run / 8 * 32L + run % 2 * 16L + first;
        IntVector upper = VectorWidth.unsignedBytes(high)
                .lanewise(VectorOperators.LSHR, quarter * 2)
                .lanewise(VectorOperators.AND, 3)
                .lanewise(VectorOperators.LSHL, 4);
        return VectorWidth.toFloats(nibbles(low, quarter / 2 * 4).or(upper).sub(32));
    }

    private static IntVector nibbles(long address, int shift) {
        return VectorWidth.unsignedBytes(address)
                .lanewise(VectorOperators.LSHR, shift)
                .lanewise(VectorOperators.AND, 15);
    }

    private static IntVector twoBits(long address, int shift) {
        return VectorWidth.unsignedBytes(address)
                .lanewise(VectorOperators.LSHR, shift)
                .lanewise(VectorOperators.AND, 3);
    }
}
