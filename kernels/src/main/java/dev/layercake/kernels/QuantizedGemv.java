package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;

/**
 * Rows of quantised weights times one vector, straight from the weights' memory: neither blocks nor their scales are decoded
 * to memory first. Each type has a loop over the blocks of a row, which is compiled alone, see {@link LoopTable}.
 * What is multiplied are whole vectors of quants and x; the scale of a block, or the scales of a super-block's runs, meet sums
 * of these products only.
 */
final class QuantizedGemv {
    /** Row, its blocks, x as {@link #prepare} leaves it, room for the lanes of the row's sum. */
    static final MethodType SIGNATURE =
            MethodType.methodType(void.class, long.class, int.class, long.class, float[].class);

    /** Row, bytes to the next of four, blocks of a row, x, room for the lanes of four sums. */
    static final MethodType FAR_SIGNATURE =
            MethodType.methodType(void.class, long.class, long.class, int.class, long.class, float[].class);

    private QuantizedGemv() {}

    /** Whether there is a loop for the type, in vectors of this width. */
    static boolean direct(DType type) {
        return switch (type) {
            case F32, F16, BF16 -> false;
            case IQ4_NL, IQ4_XS, MXFP4 -> LANES == 16;
            default -> true;
        };
    }

    /** Whether the type's loop wants x in another order, see {@link #prepare}. */
    private static boolean reorders(DType type) {
        return LANES == 16 && type.blockElements() == 256;
    }

    /** Bytes that {@link #prepare} writes at most for an x of {@code inputs}. */
    static long preparedBytes(int inputs) {
        return GemvInput.bytes(inputs);
    }

    static void prepare(DType type, long x, int inputs, long prepared) {
        if (reorders(type)) {
            switch (type) {
                case Q4_K, Q5_K -> GemvInput.nibblesOf32(x, inputs, prepared);
                case IQ4_XS -> GemvInput.nibblesOf16(x, inputs, prepared);
                default -> GemvInput.halves(x, inputs, prepared);
            }
        }
    }

    /**
     * Writes the products of the rows {@code [first, last)}. One row is multiplied after the other, in the order of memory:
     * one sequential stream is what the machine fetches best while it computes. Q8_0 computes too little for that.
     */
    static void rows(Tensor weights, int first, int last, Tensor x, long prepared, float[] work, Tensor out) {
        DType type = weights.dtype();
        int blocks = (int) weights.columns() / type.blockElements();
        long factors = reorders(type) ? prepared : x.address();
        if (type == DType.Q8_0) {
            farRows(weights, first, last, blocks, factors, work, out.address());
            return;
        }
        MethodHandle loop = loop(type);
        try {
            for (int row = first; row < last; row++) {
                loop.invokeExact(weights.rowAddress(row), blocks, factors, work);
                Memory.putFloat32(out.address() + 4L * row, Lanes.sum(work, 0));
            }
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    /** Four rows at a time, a quarter of all apart; what is left over one by one, each as four times the same. */
    private static void farRows(Tensor weights, int first, int last, int blocks, long x, float[] work, long out) {
        MethodHandle loop = BlockGemv.FAR_LOOPS.loop(weights.dtype());
        int quarter = (last - first) / 4;
        try {
            for (int row = first; row < first + quarter; row++) {
                loop.invokeExact(weights.rowAddress(row), quarter * weights.rowBytes(), blocks, x, work);
                for (int i = 0; i < 4; i++) {
                    Memory.putFloat32(out + 4L * (row + i * quarter), Lanes.sum(work, i * LANES));
                }
            }
            for (int row = first + 4 * quarter; row < last; row++) {
                loop.invokeExact(weights.rowAddress(row), 0L, blocks, x, work);
                Memory.putFloat32(out + 4L * row, Lanes.sum(work, 0));
            }
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    private static MethodHandle loop(DType type) {
        if (type.blockElements() == 32) {
            return BlockGemv.LOOPS.loop(type);
        }
        if (LANES < 16) {
            return NarrowGemv.LOOPS.loop(type);
        }
        return switch (type) {
            case Q4_K, Q5_K, IQ4_XS -> NibbleGemv.LOOPS.loop(type);
            default -> TwoBitGemv.LOOPS.loop(type);
        };
    }
}
