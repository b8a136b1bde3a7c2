package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.BYTES;
import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * A matrix times one vector, straight from the weights' memory. Floats are bound by bandwidth: four far rows are walked
 * together, which makes four long sequential streams and shares the loads of x. Quantised rows are {@link QuantizedGemv}'s.
 */
final class SimdGemv {
    /** Floats of the work array, where loops leave the vectors of sums of four rows. */
    static final int WORK_FLOATS = 4 * LANES;

    /** Products of four rows, of two for F16, whose vectors of sums are left at {@code row} and what follows. */
    private static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            MethodType.methodType(void.class, long.class, long.class, int.class, long.class, float[].class, int.class),
            Map.of(DType.F32, "float32", DType.F16, "float16", DType.BF16, "bfloat16"));

    private SimdGemv() {}

    /** Whether {@link #rows} multiplies the type without decoding it to memory first. */
    static boolean direct(DType type) {
        return switch (type) {
            case F32, F16, BF16 -> true;
            default -> QuantizedGemv.direct(type);
        };
    }

    /** Bytes that {@link #prepare} writes for an x of {@code inputs}. */
    static long preparedBytes(int inputs) {
        return Math.max(4L * inputs + 2L * BYTES, QuantizedGemv.preparedBytes(inputs));
    }

    /** Writes what {@link #rows} wants to know of x, besides x itself, for weights of the type. */
    static void prepare(DType type, long x, int inputs, long prepared) {
        switch (type) {
            case BF16 -> split(x, inputs, 1, prepared);
            case F16 -> split(x, inputs, 0x1p112f, prepared);
            case F32 -> {}
            default -> QuantizedGemv.prepare(type, x, inputs, prepared);
        }
    }

    /**
     * Computes outputs {@code [first, last)}.
     *
     * @param work {@link #WORK_FLOATS} floats
     */
    static void rows(Tensor weights, int first, int last, Tensor x, long prepared, float[] work, Tensor out) {
        DType type = weights.dtype();
        if (type.quantized()) {
            QuantizedGemv.rows(weights, first, last, x, prepared, work, out);
            return;
        }
        MethodHandle loop = LOOPS.loop(type);
        int inputs = (int) weights.columns();
        long rowBytes = weights.rowBytes();
        int quarter = (last - first) / 4;
        for (int row = first; row < first + quarter; row++) {
            long at = weights.rowAddress(row);
            long target = out.address() + 4L * row;
            four(loop, type, at, quarter * rowBytes, inputs, x.address(), prepared, work, target, 4L * quarter);
        }
        for (int row = first + 4 * quarter; row < last; row++) {
            long target = out.address() + 4L * row;
            four(loop, type, weights.rowAddress(row), 0, inputs, x.address(), prepared, work, target, 0);
        }
    }

    /** The four rows {@code a + i * step}; a step of 0 computes one row four times. */
    private static void four(
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
        products(loop, type, a, step, inputs, type == DType.F32 ? x : prepared, work);
        int vector = type == DType.F32 ? LANES : 2 * LANES;
        int whole = inputs / vector * vector;
        for (int row = 0; row < 4; row++) {
            float sum = Lanes.sum(work, row * LANES) + rest(type, a + row * step, whole, inputs, x);
            Memory.putFloat32(out + row * outStep, sum);
        }
    }

    private static void products(MethodHandle loop, DType type, long a, long step, int inputs, long x, float[] work) {
        try {
            loop.invokeExact(a, step, inputs, x, work, 0);
            if (type == DType.F16) {
                loop.invokeExact(a + 2 * step, step, inputs, x, work, 2);
            }
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    /** The products of the elements at a row's end that fill no vector. */
    private static float rest(DType type, long row, int from, int inputs, long x) {
        float sum = 0;
        for (int i = from; i < inputs; i++) {
            long at = row + type.rowBytes(i);
            float weight = switch (type) {
                case F32 -> Memory.float32(at);
                case F16 -> Memory.float16(at);
                default -> Memory.bfloat16(at);
            };
            sum += weight * Memory.float32(x + 4L * i);
        }
        return sum;
    }

    static void float32(long a, long step, int inputs, long x, float[] work, int row) {
        long first = Memory.inside(a);
        long b = Memory.inside(a + step);
        long c = Memory.inside(a + 2 * step);
        long d = Memory.inside(b + 2 * step);
        long factors = Memory.inside(x);
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        for (int i = 0; i <= inputs - LANES; i += LANES) {
            long at = 4L * i;
            FloatVector factor = VectorWidth.load(factors + at);
            sumA = VectorWidth.load(first + at).fma(factor, sumA);
            sumB = VectorWidth.load(b + at).fma(factor, sumB);
            sumC = VectorWidth.load(c + at).fma(factor, sumC);
            sumD = VectorWidth.load(d + at).fma(factor, sumD);
        }
        finish(sumA, sumB, sumC, sumD, work, row);
    }

    /** Two numbers of 16 bits lie in one int: the low one is even. x is split in the same way, so nothing is widened. */
    static void bfloat16(long a, long step, int inputs, long prepared, float[] work, int row) {
        long first = Memory.inside(a);
        long b = Memory.inside(a + step);
        long c = Memory.inside(a + 2 * step);
        long d = Memory.inside(b + 2 * step);
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int pairs = inputs / (2 * LANES) * LANES;
        long even = Memory.inside(prepared);
        long odd = Memory.inside(prepared + 4L * pairs);
        for (int i = 0; i < pairs; i += LANES) {
            long at = 4L * i;
            FloatVector evenFactor = VectorWidth.load(even + at);
            FloatVector oddFactor = VectorWidth.load(odd + at);
            sumA = bfloat16Pairs(first + at, evenFactor, oddFactor, sumA);
            sumB = bfloat16Pairs(b + at, evenFactor, oddFactor, sumB);
            sumC = bfloat16Pairs(c + at, evenFactor, oddFactor, sumC);
            sumD = bfloat16Pairs(d + at, evenFactor, oddFactor, sumD);
        }
        finish(sumA, sumB, sumC, sumD, work, row);
    }

    private static FloatVector bfloat16Pairs(long address, FloatVector even, FloatVector odd, FloatVector sum) {
        IntVector both = VectorWidth.loadInts(address);
        FloatVector low = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
        FloatVector high = both.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
        return high.fma(odd, low.fma(even, sum));
    }

    /**
     * As {@link #bfloat16}; a half moved into a float's place is 2^112 too small, which x makes good. Right for
     * subnormals, not for infinities and NaN, which no weight is. Two rows at a time are what C2 inlines whole.
     */
    static void float16(long a, long step, int inputs, long prepared, float[] work, int row) {
        long first = Memory.inside(a);
        long b = Memory.inside(a + step);
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        int pairs = inputs / (2 * LANES) * LANES;
        long even = Memory.inside(prepared);
        long odd = Memory.inside(prepared + 4L * pairs);
        for (int i = 0; i < pairs; i += LANES) {
            long at = 4L * i;
            FloatVector evenFactor = VectorWidth.load(even + at);
            FloatVector oddFactor = VectorWidth.load(odd + at);
            sumA = float16Pairs(first + at, evenFactor, oddFactor, sumA);
            sumB = float16Pairs(b + at, evenFactor, oddFactor, sumB);
        }
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
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

    private static void finish(
            FloatVector sumA, FloatVector sumB, FloatVector sumC, FloatVector sumD, float[] work, int row) {
        sumA.intoArray(work, row * LANES);
        sumB.intoArray(work, (row + 1) * LANES);
        sumC.intoArray(work, (row + 2) * LANES);
        sumD.intoArray(work, (row + 3) * LANES);
    }

    /** The even elements, then the odd ones, of as many whole pairs of vectors as there are. */
    private static void split(long x, int inputs, float factor, long target) {
        int pairs = inputs / (2 * LANES) * LANES;
        for (int i = 0; i < pairs; i++) {
            Memory.putFloat32(target + 4L * i, factor * Memory.float32(x + 8L * i));
            Memory.putFloat32(target + 4L * (pairs + i), factor * Memory.float32(x + 8L * i + 4));
        }
    }
}
