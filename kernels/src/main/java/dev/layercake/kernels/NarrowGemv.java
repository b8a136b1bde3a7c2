package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;
import static jdk.incubator.vector.VectorOperators.AND;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.OR;

import java.lang.invoke.MethodHandles;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * A row of K-quants times one vector in vectors of fewer than 16 lanes, see {@link QuantizedGemv}: a vector at a time, with its
 * run's scale beside it.
 */
final class NarrowGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(DType.Q2_K, "q2k", DType.Q3_K, "q3k", DType.Q4_K, "q4k", DType.Q5_K, "q5k", DType.Q6_K, "q6k"));

    private NarrowGemv() {}

    static void q2k(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < 256 * blocks; i += LANES) {
            long block = Memory.inside(a + 84L * (i >>> 8));
            int packedScale = Memory.unsigned8(block + (i >>> 4 & 15));
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block + 80) * (packedScale & 15));
            FloatVector minimum = VectorWidth.broadcast(-Memory.float16(block + 82) * (packedScale >> 4));
            IntVector quants = VectorWidth.unsignedBytes(block + 16 + (i >>> 7 & 1) * 32L + (i & 31))
                    .lanewise(LSHR, (i >>> 5 & 3) * 2)
                    .lanewise(AND, 3);
            FloatVector factor = VectorWidth.load(Memory.inside(x + 4L * i));
            sum = VectorWidth.toFloats(quants).fma(scale, minimum).fma(factor, sum);
        }
        sum.intoArray(work, 0);
    }

    static void q3k(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < 256 * blocks; i += LANES) {
            long block = Memory.inside(a + 110L * (i >>> 8));
            float scale = Memory.float16(block + 108) * (SuperBlocks.scaleQ3(block + 96, i >>> 4 & 15) - 32);
            IntVector thirds = VectorWidth.unsignedBytes(block + (i & 31))
                    .lanewise(LSHR, i >>> 5 & 7)
                    .lanewise(AND, 1)
                    .lanewise(LSHL, 2);
            IntVector quants = VectorWidth.unsignedBytes(block + 32 + (i >>> 7 & 1) * 32L + (i & 31))
                    .lanewise(LSHR, (i >>> 5 & 3) * 2)
                    .lanewise(AND, 3)
                    .add(thirds)
                    .sub(4);
            FloatVector factor = VectorWidth.load(Memory.inside(x + 4L * i));
            sum = VectorWidth.toFloats(quants).mul(factor).fma(VectorWidth.broadcast(scale), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Byte i of the nibbles at a time: 32 of them hold a pair of runs. */
    static void q4k(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < 128 * blocks; i += LANES) {
            long block = Memory.inside(a + 144L * (i >>> 7));
            int pair = i >>> 5 & 3;
            int scales = (int) (SuperBlocks.scales6(block + 4) >>> (16 * pair));
            int minima = (int) (SuperBlocks.minima6(block + 4) >>> (16 * pair));
            float scale = Memory.float16(block);
            float minimum = -Memory.float16(block + 2);
            IntVector packed = VectorWidth.unsignedBytes(block + 16 + (i & 127));
            long atX = Memory.inside(x + 256L * (i >>> 5) + 4L * (i & 31));
            FloatVector low = VectorWidth.toFloats(packed.lanewise(AND, 15))
                    .fma(VectorWidth.broadcast(scale * (scales & 63)), VectorWidth.broadcast(minimum * (minima & 63)));
            FloatVector high = VectorWidth.toFloats(packed.lanewise(LSHR, 4))
                    .fma(
                            VectorWidth.broadcast(scale * (scales >>> 8 & 63)),
                            VectorWidth.broadcast(minimum * (minima >>> 8 & 63)));
            sum = low.fma(VectorWidth.load(atX), sum);
            sum = high.fma(VectorWidth.load(atX + 128), sum);
        }
        sum.intoArray(work, 0);
    }

    static void q5k(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < 256 * blocks; i += LANES) {
            long block = Memory.inside(a + 176L * (i >>> 8));
            int run = i >>> 5 & 7;
            float scale = Memory.float16(block) * (SuperBlocks.scales6(block + 4) >>> (8 * run) & 63);
            float minimum = -Memory.float16(block + 2) * (SuperBlocks.minima6(block + 4) >>> (8 * run) & 63);
            IntVector fifths = VectorWidth.unsignedBytes(block + 16 + (i & 31))
                    .lanewise(LSHR, run)
                    .lanewise(AND, 1)
                    .lanewise(LSHL, 4);
            IntVector quants = VectorWidth.unsignedBytes(block + 48 + run / 2 * 32L + (i & 31))
                    .lanewise(LSHR, run % 2 * 4)
                    .lanewise(AND, 15)
                    .lanewise(OR, fifths);
            FloatVector factor = VectorWidth.load(Memory.inside(x + 4L * i));
            sum = VectorWidth.toFloats(quants)
                    .fma(VectorWidth.broadcast(scale), VectorWidth.broadcast(minimum))
                    .fma(factor, sum);
        }
        sum.intoArray(work, 0);
    }

    static void q6k(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < 256 * blocks; i += LANES) {
            long block = Memory.inside(a + 210L * (i >>> 8));
            int run = i >>> 4 & 15;
            float scale = Memory.float16(block + 208) * Memory.int8(block + 192 + run);
            FloatVector factor = VectorWidth.load(Memory.inside(x + 4L * i));
            sum = SimdSuperBlocks.sixBits(block, run, i & 15).mul(factor).fma(VectorWidth.broadcast(scale), sum);
        }
        sum.intoArray(work, 0);
    }
}
