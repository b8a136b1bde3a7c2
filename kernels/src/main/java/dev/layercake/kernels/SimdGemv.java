package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.BYTES;
import static dev.layercake.kernels.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * A matrix times one vector, straight from the weights' memory. Bound by bandwidth: four far rows are walked together,
 * which makes four long sequential streams and shares the loads of x.
 */
final class SimdGemv {
    private SimdGemv() {}

    /** Whether {@link #rows} multiplies the type without decoding it to memory first. */
    static boolean direct(DType type) {
        return switch (type) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K -> true;
            default -> false;
        };
    }

    /** Bytes that {@link #prepare} writes for an x of {@code inputs}. */
    static long preparedBytes(int inputs) {
        return 4L * inputs + 2L * BYTES;
    }

    /** Writes what {@link #rows} wants to know of x, besides x itself, for weights of the type. */
    static void prepare(DType type, long x, int inputs, long prepared) {
        switch (type) {
            case BF16 -> split(x, inputs, 1, prepared);
            case F16 -> split(x, inputs, 0x1p112f, prepared);
            case Q4_K -> sumGroups(x, inputs, prepared);
            default -> {}
        }
    }

    /** Computes outputs {@code [first, last)}. */
    static void rows(DType type, long weights, int inputs, int first, int last, long x, long prepared, long out) {
        long rowBytes = type.rowBytes(inputs);
        int quarter = (last - first) / 4;
        for (int row = first; row < first + quarter; row++) {
            long at = weights + row * rowBytes;
            four(type, at, quarter * rowBytes, inputs, x, prepared, out + 4L * row, 4L * quarter);
        }
        for (int row = first + 4 * quarter; row < last; row++) {
            four(type, weights + row * rowBytes, 0, inputs, x, prepared, out + 4L * row, 0);
        }
    }

    /** The four rows {@code a + i * step}; a step of 0 computes one row four times. */
    private static void four(DType type, long a, long step, int inputs, long x, long prepared, long out, long outStep) {
        switch (type) {
            case F32 -> float32(a, step, inputs, x, out, outStep);
            case F16 -> float16(a, step, inputs, x, prepared, out, outStep);
            case BF16 -> bfloat16(a, step, inputs, x, prepared, out, outStep);
            case Q8_0 -> q80(a, step, inputs, x, out, outStep);
            case Q4_0 -> q40(a, step, inputs, x, out, outStep);
            case Q4_K -> q4k(a, step, inputs, x, prepared, out, outStep);
            case Q6_K -> q6k(a, step, inputs, x, out, outStep);
            default -> throw new IllegalArgumentException("no direct product with " + type);
        }
    }

    private static void float32(long a, long step, int inputs, long x, long out, long outStep) {
        long b = a + step;
        long c = b + step;
        long d = c + step;
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int i = 0;
        for (; i <= inputs - LANES; i += LANES) {
            long at = 4L * i;
            FloatVector factor = VectorWidth.load(x + at);
            sumA = VectorWidth.load(a + at).fma(factor, sumA);
            sumB = VectorWidth.load(b + at).fma(factor, sumB);
            sumC = VectorWidth.load(c + at).fma(factor, sumC);
            sumD = VectorWidth.load(d + at).fma(factor, sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
        for (; i < inputs; i++) {
            float factor = Memory.float32(x + 4L * i);
            add(out, outStep, 0, factor * Memory.float32(a + 4L * i));
            add(out, outStep, 1, factor * Memory.float32(b + 4L * i));
            add(out, outStep, 2, factor * Memory.float32(c + 4L * i));
            add(out, outStep, 3, factor * Memory.float32(d + 4L * i));
        }
    }

    /** Two numbers of 16 bits lie in one int: the low one is even. x is split in the same way, so nothing is widened. */
    private static void bfloat16(long a, long step, int inputs, long x, long prepared, long out, long outStep) {
        long b = a + step;
        long c = b + step;
        long d = c + step;
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int pairs = inputs / (2 * LANES) * LANES;
        long odd = prepared + 4L * pairs;
        for (int i = 0; i < pairs; i += LANES) {
            long at = 4L * i;
            FloatVector evenFactor = VectorWidth.load(prepared + at);
            FloatVector oddFactor = VectorWidth.load(odd + at);
            sumA = bfloat16Pairs(a + at, evenFactor, oddFactor, sumA);
            sumB = bfloat16Pairs(b + at, evenFactor, oddFactor, sumB);
            sumC = bfloat16Pairs(c + at, evenFactor, oddFactor, sumC);
            sumD = bfloat16Pairs(d + at, evenFactor, oddFactor, sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
        for (int i = 2 * pairs; i < inputs; i++) {
            float factor = Memory.float32(x + 4L * i);
            add(out, outStep, 0, factor * Memory.bfloat16(a + 2L * i));
            add(out, outStep, 1, factor * Memory.bfloat16(b + 2L * i));
            add(out, outStep, 2, factor * Memory.bfloat16(c + 2L * i));
            add(out, outStep, 3, factor * Memory.bfloat16(d + 2L * i));
        }
    }

    private static FloatVector bfloat16Pairs(long address, FloatVector even, FloatVector odd, FloatVector sum) {
        IntVector both = VectorWidth.loadInts(address);
        FloatVector low = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
        FloatVector high = both.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
        return high.fma(odd, low.fma(even, sum));
    }

    /**
     * As {@link #bfloat16}; a half moved into a float's place is 2^112 too small, which x makes good. Right for
     * subnormals, not for infinities and NaN, which no weight is.
     */
    private static void float16(long a, long step, int inputs, long x, long prepared, long out, long outStep) {
        long b = a + step;
        long c = b + step;
        long d = c + step;
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int pairs = inputs / (2 * LANES) * LANES;
        long odd = prepared + 4L * pairs;
        for (int i = 0; i < pairs; i += LANES) {
            long at = 4L * i;
            FloatVector evenFactor = VectorWidth.load(prepared + at);
            FloatVector oddFactor = VectorWidth.load(odd + at);
            sumA = float16Pairs(a + at, evenFactor, oddFactor, sumA);
            sumB = float16Pairs(b + at, evenFactor, oddFactor, sumB);
            sumC = float16Pairs(c + at, evenFactor, oddFactor, sumC);
            sumD = float16Pairs(d + at, evenFactor, oddFactor, sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
        for (int i = 2 * pairs; i < inputs; i++) {
            float factor = Memory.float32(x + 4L * i);
            add(out, outStep, 0, factor * Memory.float16(a + 2L * i));
            add(out, outStep, 1, factor * Memory.float16(b + 2L * i));
            add(out, outStep, 2, factor * Memory.float16(c + 2L * i));
            add(out, outStep, 3, factor * Memory.float16(d + 2L * i));
        }
    }

    private static FloatVector float16Pairs(long address, FloatVector even, FloatVector odd, FloatVector sum) {
        IntVector both = VectorWidth.loadInts(address);
        FloatVector low = both.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 3)
                .lanewise(VectorOperators.AND, 0x8FFFE000)
                .reinterpretAsFloats();
        FloatVector high = both.lanewise(VectorOperators.ASHR, 3)
                .lanewise(VectorOperators.AND, 0x8FFFE000)
                .reinterpretAsFloats();
        return high.fma(odd, low.fma(even, sum));
    }

    private static void q80(long a, long step, int inputs, long x, long out, long outStep) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int blocks = inputs / 32;
        for (int block = 0; block < blocks; block++) {
            long atA = a + 34L * block;
            long atB = atA + step;
            long atC = atB + step;
            long atD = atC + step;
            long atX = x + 128L * block;
            FloatVector factor = VectorWidth.load(atX);
            FloatVector partA = signed(atA + 2).mul(factor);
            FloatVector partB = signed(atB + 2).mul(factor);
            FloatVector partC = signed(atC + 2).mul(factor);
            FloatVector partD = signed(atD + 2).mul(factor);
            for (int i = LANES; i < 32; i += LANES) {
                factor = VectorWidth.load(atX + 4L * i);
                partA = signed(atA + 2 + i).fma(factor, partA);
                partB = signed(atB + 2 + i).fma(factor, partB);
                partC = signed(atC + 2 + i).fma(factor, partC);
                partD = signed(atD + 2 + i).fma(factor, partD);
            }
            sumA = partA.fma(scale(atA), sumA);
            sumB = partB.fma(scale(atB), sumB);
            sumC = partC.fma(scale(atC), sumC);
            sumD = partD.fma(scale(atD), sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
    }

    /** The offset of 8 is subtracted once per block, for all rows, as the start of their sums. */
    private static void q40(long a, long step, int inputs, long x, long out, long outStep) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int blocks = inputs / 32;
        for (int block = 0; block < blocks; block++) {
            long atA = a + 18L * block;
            long atB = atA + step;
            long atC = atB + step;
            long atD = atC + step;
            long atX = x + 128L * block;
            for (int i = 0; i < 16; i += LANES) {
                FloatVector low = VectorWidth.load(atX + 4L * i);
                FloatVector high = VectorWidth.load(atX + 64 + 4L * i);
                FloatVector start = low.add(high).mul(-8f);
                sumA = nibbles(atA + 2 + i, low, high, start).fma(scale(atA), sumA);
                sumB = nibbles(atB + 2 + i, low, high, start).fma(scale(atB), sumB);
                sumC = nibbles(atC + 2 + i, low, high, start).fma(scale(atC), sumC);
                sumD = nibbles(atD + 2 + i, low, high, start).fma(scale(atD), sumD);
            }
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
    }

    private static FloatVector nibbles(long address, FloatVector low, FloatVector high, FloatVector start) {
        IntVector packed = VectorWidth.unsignedBytes(address);
        FloatVector first = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15));
        FloatVector second = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4));
        return second.fma(high, first.fma(low, start));
    }

    private static void q4k(long a, long step, int inputs, long x, long groups, long out, long outStep) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int blocks = inputs / 256;
        for (int block = 0; block < blocks; block++) {
            long at = a + 144L * block;
            long atX = x + 1024L * block;
            long atGroups = groups + 8L * BYTES * block;
            sumA = q4kBlock(at, atX, atGroups, sumA);
            sumB = q4kBlock(at + step, atX, atGroups, sumB);
            sumC = q4kBlock(at + 2 * step, atX, atGroups, sumC);
            sumD = q4kBlock(at + 3 * step, atX, atGroups, sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
    }

    private static FloatVector q4kBlock(long block, long x, long groups, FloatVector start) {
        FloatVector sum = start;
        float scale = Memory.float16(block);
        float minimum = -Memory.float16(block + 2);
        int scalesLow = Memory.int32(block + 4);
        int minimaLow = Memory.int32(block + 8);
        int mixed = Memory.int32(block + 12);
        // Four 6-bit numbers in the bytes of an int: groups 0-3 and 4-7.
        long scales = (scalesLow & 0x3F3F3F3FL) | ((mixed & 0x0F0F0F0FL) | ((scalesLow >>> 2) & 0x30303030L)) << 32;
        long minima =
                (minimaLow & 0x3F3F3F3FL) | (((mixed >>> 4) & 0x0F0F0F0FL) | ((minimaLow >>> 2) & 0x30303030L)) << 32;
        for (int pair = 0; pair < 4; pair++) {
            long quants = block + 16 + 32L * pair;
            long atX = x + 256L * pair;
            IntVector packed = VectorWidth.unsignedBytes(quants);
            FloatVector low = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15))
                    .mul(VectorWidth.load(atX));
            FloatVector high = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4))
                    .mul(VectorWidth.load(atX + 128));
            for (int i = LANES; i < 32; i += LANES) {
                packed = VectorWidth.unsignedBytes(quants + i);
                low = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15))
                        .fma(VectorWidth.load(atX + 4L * i), low);
                high = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4))
                        .fma(VectorWidth.load(atX + 128 + 4L * i), high);
            }
            int shift = 16 * pair;
            long atGroups = groups + 2L * BYTES * pair;
            sum = low.fma(VectorWidth.broadcast(scale * (scales >>> shift & 63)), sum);
            sum = high.fma(VectorWidth.broadcast(scale * (scales >>> (shift + 8) & 63)), sum);
            sum = VectorWidth.load(atGroups).fma(VectorWidth.broadcast(minimum * (minima >>> shift & 63)), sum);
            sum = VectorWidth.load(atGroups + BYTES)
                    .fma(VectorWidth.broadcast(minimum * (minima >>> (shift + 8) & 63)), sum);
        }
        return sum;
    }

    private static void q6k(long a, long step, int inputs, long x, long out, long outStep) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int blocks = inputs / 256;
        for (int block = 0; block < blocks; block++) {
            long at = a + 210L * block;
            long atX = x + 1024L * block;
            sumA = q6kBlock(at, atX, sumA);
            sumB = q6kBlock(at + step, atX, sumB);
            sumC = q6kBlock(at + 2 * step, atX, sumC);
            sumD = q6kBlock(at + 3 * step, atX, sumD);
        }
        finish(sumA, sumB, sumC, sumD, out, outStep);
    }

    private static FloatVector q6kBlock(long block, long x, FloatVector start) {
        FloatVector sum = start;
        float scale = Memory.float16(block + 208);
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 32; i += LANES) {
                long scales = block + 192 + 8L * half + i / 16;
                long atX = x + 512L * half + 4L * i;
                IntVector first = VectorWidth.unsignedBytes(block + 64L * half + i);
                IntVector second = VectorWidth.unsignedBytes(block + 64L * half + 32 + i);
                IntVector high = VectorWidth.unsignedBytes(block + 128 + 32L * half + i);
                sum = q6kRun(first.lanewise(VectorOperators.AND, 15), high, 0, atX, scale * Memory.int8(scales), sum);
                sum = q6kRun(
                        second.lanewise(VectorOperators.AND, 15),
                        high,
                        2,
                        atX + 128,
                        scale * Memory.int8(scales + 2),
                        sum);
                sum = q6kRun(
                        first.lanewise(VectorOperators.LSHR, 4),
                        high,
                        4,
                        atX + 256,
                        scale * Memory.int8(scales + 4),
                        sum);
                sum = q6kRun(
                        second.lanewise(VectorOperators.LSHR, 4),
                        high,
                        6,
                        atX + 384,
                        scale * Memory.int8(scales + 6),
                        sum);
            }
        }
        return sum;
    }

    private static FloatVector q6kRun(IntVector low, IntVector high, int shift, long x, float scale, FloatVector sum) {
        return SimdSuperBlocks.sixBits(low, high, shift)
                .mul(VectorWidth.load(x))
                .fma(VectorWidth.broadcast(scale), sum);
    }

    private static FloatVector signed(long address) {
        return VectorWidth.toFloats(VectorWidth.signedBytes(address));
    }

    private static FloatVector scale(long address) {
        return VectorWidth.broadcast(Memory.float16(address));
    }

    private static void finish(
            FloatVector sumA, FloatVector sumB, FloatVector sumC, FloatVector sumD, long out, long outStep) {
        Memory.putFloat32(out, sumA.reduceLanes(VectorOperators.ADD));
        Memory.putFloat32(out + outStep, sumB.reduceLanes(VectorOperators.ADD));
        Memory.putFloat32(out + 2 * outStep, sumC.reduceLanes(VectorOperators.ADD));
        Memory.putFloat32(out + 3 * outStep, sumD.reduceLanes(VectorOperators.ADD));
    }

    private static void add(long out, long outStep, int row, float term) {
        // With a step of 0 all four are the same row, and only one may add to it.
        if (row == 0 || outStep != 0) {
            Memory.putFloat32(out + row * outStep, Memory.float32(out + row * outStep) + term);
        }
    }

    /** The even elements, then the odd ones, of as many whole pairs of vectors as there are. */
    private static void split(long x, int inputs, float factor, long target) {
        int pairs = inputs / (2 * LANES) * LANES;
        for (int i = 0; i < pairs; i++) {
            Memory.putFloat32(target + 4L * i, factor * Memory.float32(x + 8L * i));
            Memory.putFloat32(target + 4L * (pairs + i), factor * Memory.float32(x + 8L * i + 4));
        }
    }

    /** Per group of 32 elements one vector, whose lanes sum up to the group's sum. */
    private static void sumGroups(long x, int inputs, long target) {
        for (int group = 0; group < inputs / 32; group++) {
            FloatVector sum = VectorWidth.load(x + 128L * group);
            for (int i = LANES; i < 32; i += LANES) {
                sum = sum.add(VectorWidth.load(x + 128L * group + 4L * i));
            }
            VectorWidth.store(target + (long) BYTES * group, sum);
        }
    }
}
