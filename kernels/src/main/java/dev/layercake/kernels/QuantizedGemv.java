package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Four far rows of quantised weights times one vector. C2 stops inlining past a limit of nodes and boxes every vector, so
 * the loops are small: the scales of a super-block's type are widened to an array before its quants are walked, types that
 * take much arithmetic are multiplied two rows at a time, and sums live in one loop, never in two nested ones. The plain
 * blocks (Q8_0, Q4_0) read their scale where they use it: a pass of its own would cost as much as the products.
 */
final class QuantizedGemv {
    /** The work array begins with the four sums of {@link SimdGemv}; scales follow. */
    private static final int SCALES = SimdGemv.SUMS;

    /** Products of two rows, of four for Q8_0, whose vectors of sums are left at {@code row} and what follows. */
    private static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            MethodType.methodType(void.class, long.class, long.class, int.class, long.class, float[].class, int.class),
            Map.of(
                    DType.Q8_0,
                    LANES == 16 ? "q80Wide" : "q80",
                    DType.Q4_0,
                    "q40",
                    DType.Q4_K,
                    "q4k",
                    DType.Q6_K,
                    "q6k"));

    private QuantizedGemv() {}

    static int workFloats(int inputs) {
        // Q4_K: four rows, each with a scale and a minimum for every 32 elements. Q6_K: a scale for every 16.
        return SCALES + 8 * (inputs / 32);
    }

    /** The loop that {@link #four} is given. */
    static MethodHandle loop(DType type) {
        return LOOPS.loop(type);
    }

    /** Leaves the four products at {@code out} and every {@code outStep} bytes after. */
    static void four(
            MethodHandle loop,
            DType type,
            long a,
            long step,
            int inputs,
            long x,
            long prepared,
            float[] work,
            long out,
            long outStep) {
        int blocks = inputs / type.blockElements();
        int scales = blocks * 256 / 32;
        for (int row = 0; row < 4; row++) {
            long at = a + row * step;
            switch (type) {
                case Q8_0, Q4_0 -> {}
                case Q4_K -> widenQ4K(at, blocks, work, SCALES + row * scales, SCALES + (4 + row) * scales);
                default -> widenQ6K(at, blocks, work, SCALES + 2 * row * scales);
            }
        }
        for (int row = 0; row < 4; row += type == DType.Q8_0 ? 4 : 2) {
            products(loop, a + row * step, step, blocks, x, work, row);
        }
        for (int row = 0; row < 4; row++) {
            Memory.putFloat32(out + row * outStep, Lanes.sum(work, row * LANES));
        }
        if (type == DType.Q4_K) {
            subtractMinima(work, scales, prepared, out, outStep);
        }
    }

    private static void products(MethodHandle loop, long a, long step, int blocks, long x, float[] work, int row) {
        try {
            loop.invokeExact(a, step, blocks, x, work, row);
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    /** Eight scales and eight minima of 6 bits per super-block, each times its float16. */
    private static void widenQ4K(long row, int blocks, float[] target, int firstScale, int firstMinimum) {
        for (int block = 0; block < blocks; block++) {
            long at = row + 144L * block;
            float scale = Memory.float16(at);
            float minimum = Memory.float16(at + 2);
            long scales = SuperBlocks.scales6(at + 4);
            long minima = SuperBlocks.minima6(at + 4);
            for (int run = 0; run < 8; run++) {
                target[firstScale + 8 * block + run] = scale * (scales >>> (8 * run) & 63);
                target[firstMinimum + 8 * block + run] = minimum * (minima >>> (8 * run) & 63);
            }
        }
    }

    private static void widenQ6K(long row, int blocks, float[] target, int first) {
        for (int block = 0; block < blocks; block++) {
            long at = row + 210L * block;
            float scale = Memory.float16(at + 208);
            for (int run = 0; run < 16; run++) {
                target[first + 16 * block + run] = scale * Memory.int8(at + 192 + run);
            }
        }
    }

    /** Blocks of two vectors of 16 lanes; the loop that decides the speed of most models. */
    static void q80Wide(long a, long step, int blocks, long x, float[] work, int row) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        long end = a + 34L * blocks;
        long atX = x;
        long b = step;
        long c = 2 * step;
        long d = 3 * step;
        for (long at = a; at < end; at += 34) {
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            atX += 128;
            sumA = VectorWidth.signedFloats(at + 18)
                    .fma(high, VectorWidth.signedFloats(at + 2).mul(low))
                    .fma(scale(at), sumA);
            sumB = VectorWidth.signedFloats(at + b + 18)
                    .fma(high, VectorWidth.signedFloats(at + b + 2).mul(low))
                    .fma(scale(at + b), sumB);
            sumC = VectorWidth.signedFloats(at + c + 18)
                    .fma(high, VectorWidth.signedFloats(at + c + 2).mul(low))
                    .fma(scale(at + c), sumC);
            sumD = VectorWidth.signedFloats(at + d + 18)
                    .fma(high, VectorWidth.signedFloats(at + d + 2).mul(low))
                    .fma(scale(at + d), sumD);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
        sumC.intoArray(work, (row + 2) * LANES);
        sumD.intoArray(work, (row + 3) * LANES);
    }

    /** The same at any width, a vector at a time. */
    static void q80(long a, long step, int blocks, long x, float[] work, int row) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        for (int i = 0; i < 32 * blocks; i += LANES) {
            FloatVector factor = VectorWidth.load(x + 4L * i);
            long block = a + 34L * (i / 32);
            long at = block + 2 + i % 32;
            sumA = signed(at).mul(factor).fma(scale(block), sumA);
            sumB = signed(at + step).mul(factor).fma(scale(block + step), sumB);
            sumC = signed(at + 2 * step).mul(factor).fma(scale(block + 2 * step), sumC);
            sumD = signed(at + 3 * step).mul(factor).fma(scale(block + 3 * step), sumD);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
        sumC.intoArray(work, (row + 2) * LANES);
        sumD.intoArray(work, (row + 3) * LANES);
    }

    private static FloatVector scale(long address) {
        return VectorWidth.broadcast(Memory.float16(address));
    }

    /** The offset of 8 is subtracted once per block, for both rows, as the start of their sums. */
    static void q40(long a, long step, int blocks, long x, float[] work, int row) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        for (int i = 0; i < 16 * blocks; i += LANES) {
            long atX = x + 128L * (i / 16) + 4L * (i % 16);
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            FloatVector start = low.add(high).mul(-8f);
            long block = a + 18L * (i / 16);
            long at = block + 2 + i % 16;
            sumA = nibbles(at, low, high, start).fma(scale(block), sumA);
            sumB = nibbles(at + step, low, high, start).fma(scale(block + step), sumB);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
    }

    private static FloatVector nibbles(long address, FloatVector low, FloatVector high, FloatVector start) {
        IntVector packed = VectorWidth.unsignedBytes(address);
        FloatVector first = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15));
        FloatVector second = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4));
        return second.fma(high, first.fma(low, start));
    }

    /** Without the minima, which meet only sums of x and are left to {@link #minima}. */
    static void q4k(long a, long step, int blocks, long x, float[] work, int row) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        int scales = 8 * blocks;
        // Byte i of the nibbles; 32 of them hold a pair of runs, 128 a super-block after its 16 bytes of scales.
        for (int i = 0; i < 128 * blocks; i += LANES) {
            int pair = i / 32;
            long atX = x + 256L * pair + 4L * (i % 32);
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 128);
            long at = a + 16L * (i / 128 + 1) + i;
            int scale = SCALES + row * scales + 2 * pair;
            sumA = scaledNibbles(at, low, high, work, scale, sumA);
            sumB = scaledNibbles(at + step, low, high, work, scale + scales, sumB);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
    }

    private static FloatVector scaledNibbles(
            long address, FloatVector low, FloatVector high, float[] work, int scale, FloatVector sum) {
        IntVector packed = VectorWidth.unsignedBytes(address);
        FloatVector first =
                VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15)).mul(low);
        FloatVector second =
                VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4)).mul(high);
        FloatVector withFirst = first.fma(VectorWidth.broadcast(work[scale]), sum);
        return second.fma(VectorWidth.broadcast(work[scale + 1]), withFirst);
    }

    private static void subtractMinima(float[] work, int scales, long sums, long out, long outStep) {
        // A step of 0 is one row four times.
        for (int row = 0; row < (outStep == 0 ? 1 : 4); row++) {
            long at = out + row * outStep;
            float minima = minima(work, SCALES + (4 + row) * scales, scales, sums);
            Memory.putFloat32(at, Memory.float32(at) - minima);
        }
    }

    /** The sum over runs of a run's minimum times the sum of its x. */
    private static float minima(float[] work, int first, int runs, long sums) {
        FloatVector total = VectorWidth.broadcast(0);
        int run = 0;
        for (; run <= runs - LANES; run += LANES) {
            total = FloatVector.fromArray(VectorWidth.FLOATS, work, first + run)
                    .fma(VectorWidth.load(sums + 4L * run), total);
        }
        total.intoArray(work, 0);
        float rest = Lanes.sum(work, 0);
        for (; run < runs; run++) {
            rest += work[first + run] * Memory.float32(sums + 4L * run);
        }
        return rest;
    }

    static void q6k(long a, long step, int blocks, long x, float[] work, int row) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        int scales = 16 * blocks;
        for (int i = 0; i < 16 * scales; i += LANES) {
            int run = i / 16;
            long at = a + 210L * (run / 16);
            int scale = SCALES + row * scales + run;
            FloatVector factor = VectorWidth.load(x + 4L * i);
            FloatVector partA = SimdSuperBlocks.sixBits(at, run % 16, i % 16).mul(factor);
            FloatVector partB =
                    SimdSuperBlocks.sixBits(at + step, run % 16, i % 16).mul(factor);
            sumA = partA.fma(VectorWidth.broadcast(work[scale]), sumA);
            sumB = partB.fma(VectorWidth.broadcast(work[scale + scales]), sumB);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
    }

    private static FloatVector signed(long address) {
        return VectorWidth.toFloats(VectorWidth.signedBytes(address));
    }

    /** Writes the sum of each run of 32 elements. */
    static void sumRuns(long x, int inputs, long target) {
        for (int run = 0; run < inputs / 32; run++) {
            float sum = 0;
            for (long at = x + 128L * run; at < x + 128L * (run + 1); at += 4) {
                sum += Memory.float32(at);
            }
            Memory.putFloat32(target + 4L * run, sum);
        }
    }
}
