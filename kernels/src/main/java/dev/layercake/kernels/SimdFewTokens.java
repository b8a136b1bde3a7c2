package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * A matrix times a few vectors, or times one if {@link SimdGemv} does not know the dtype: pieces of four far rows are
 * decoded into the first-level cache and multiplied with every token there.
 */
final class SimdFewTokens {
    /** Elements of a row that are decoded at a time; four such pieces fit into 32 KiB with x. A whole number of blocks. */
    private static final int PIECE = 1024;

    /** Rows a little apart from a power of two, so that they do not share cache sets; a vector of sums fits in between. */
    private static final long STRIDE = 4L * (PIECE + 16);

    static final long SCRATCH_BYTES = 4 * STRIDE;

    private SimdFewTokens() {}

    /** Computes outputs {@code [first, last)} of every token. */
    static void rows(Tensor weights, Tensor x, Tensor out, int first, int last, long scratch) {
        int quarter = (last - first) / 4;
        for (int row = first; row < first + quarter; row++) {
            four(weights, x, out, row, quarter, scratch);
        }
        for (int row = first + 4 * quarter; row < last; row++) {
            four(weights, x, out, row, 0, scratch);
        }
    }

    /** The rows {@code row + i * step}; a step of 0 computes one row four times. */
    private static void four(Tensor weights, Tensor x, Tensor out, int row, int step, long scratch) {
        DType type = weights.dtype();
        int inputs = (int) weights.columns();
        int tokens = (int) x.rows();
        for (int from = 0; from < inputs; from += PIECE) {
            int count = Math.min(PIECE, inputs - from);
            for (int i = 0; i < 4; i++) {
                long source = weights.rowAddress(row + (long) i * step) + type.rowBytes(from);
                SimdCodec.decode(type, source, scratch + i * STRIDE, count);
            }
            int token = 0;
            for (; token < tokens - 1; token += 2) {
                long target = out.rowAddress(token) + 4L * row;
                long at = x.rowAddress(token) + 4L * from;
                twoTokens(scratch, at, x.rowBytes(), count, target, 4L * step, out.rowBytes(), from == 0);
            }
            if (token < tokens) {
                long target = out.rowAddress(token) + 4L * row;
                oneToken(scratch, x.rowAddress(token) + 4L * from, count, target, 4L * step, from == 0);
            }
        }
    }

    private static void oneToken(long rows, long x, int count, long out, long outStep, boolean start) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            long at = rows + 4L * i;
            FloatVector factor = VectorWidth.load(x + 4L * i);
            sumA = VectorWidth.load(at).fma(factor, sumA);
            sumB = VectorWidth.load(at + STRIDE).fma(factor, sumB);
            sumC = VectorWidth.load(at + 2 * STRIDE).fma(factor, sumC);
            sumD = VectorWidth.load(at + 3 * STRIDE).fma(factor, sumD);
        }
        finish(sumA, rows, x, i, count, out, start);
        if (outStep != 0) {
            finish(sumB, rows + STRIDE, x, i, count, out + outStep, start);
            finish(sumC, rows + 2 * STRIDE, x, i, count, out + 2 * outStep, start);
            finish(sumD, rows + 3 * STRIDE, x, i, count, out + 3 * outStep, start);
        }
    }

    private static void twoTokens(
            long rows, long x, long xStep, int count, long out, long outStep, long tokenStep, boolean start) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        FloatVector nextA = sumA;
        FloatVector nextB = sumA;
        FloatVector nextC = sumA;
        FloatVector nextD = sumA;
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            long at = rows + 4L * i;
            FloatVector factor = VectorWidth.load(x + 4L * i);
            FloatVector next = VectorWidth.load(x + xStep + 4L * i);
            FloatVector row = VectorWidth.load(at);
            sumA = row.fma(factor, sumA);
            nextA = row.fma(next, nextA);
            row = VectorWidth.load(at + STRIDE);
            sumB = row.fma(factor, sumB);
            nextB = row.fma(next, nextB);
            row = VectorWidth.load(at + 2 * STRIDE);
            sumC = row.fma(factor, sumC);
            nextC = row.fma(next, nextC);
            row = VectorWidth.load(at + 3 * STRIDE);
            sumD = row.fma(factor, sumD);
            nextD = row.fma(next, nextD);
        }
        finish(sumA, rows, x, i, count, out, start);
        finish(nextA, rows, x + xStep, i, count, out + tokenStep, start);
        if (outStep != 0) {
            finish(sumB, rows + STRIDE, x, i, count, out + outStep, start);
            finish(sumC, rows + 2 * STRIDE, x, i, count, out + 2 * outStep, start);
            finish(sumD, rows + 3 * STRIDE, x, i, count, out + 3 * outStep, start);
            finish(nextB, rows + STRIDE, x + xStep, i, count, out + tokenStep + outStep, start);
            finish(nextC, rows + 2 * STRIDE, x + xStep, i, count, out + tokenStep + 2 * outStep, start);
            finish(nextD, rows + 3 * STRIDE, x + xStep, i, count, out + tokenStep + 3 * outStep, start);
        }
    }

    /** Adds the lanes, the elements from {@code from} on that filled no vector, and what earlier pieces gave. */
    private static void finish(FloatVector lanes, long row, long x, int from, int count, long out, boolean start) {
        // Behind the row's piece there is room for a vector.
        VectorWidth.store(row + 4L * PIECE, lanes);
        float sum = Lanes.sum(row + 4L * PIECE);
        for (int i = from; i < count; i++) {
            sum += Memory.float32(row + 4L * i) * Memory.float32(x + 4L * i);
        }
        Memory.putFloat32(out, start ? sum : Memory.float32(out) + sum);
    }
}
