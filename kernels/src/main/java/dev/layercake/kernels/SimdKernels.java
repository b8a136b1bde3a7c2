package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/**
 * {@link Kernels} with {@code jdk.incubator.vector}. One token is multiplied straight from the weights' memory, a few
 * with rows decoded into cache, many with a register-blocked matrix product;
 * attention is {@code SimdAttention}'s. The width of vectors is a constant of the
 * process; see {@code VectorWidth}.
 */
public final class SimdKernels implements Kernels {
    /** From so many tokens on lanes full of tokens pay, even if some stay empty. */
    private static final int MANY_TOKENS = Math.max(6, VectorWidth.LANES / 2);

    /** Elements below which a team is slower than its caller alone. */
    private static final long WORTH_SHARING = 1 << 14;

    /** A cache line of floats: shares of an array are whole lines. */
    private static final int LINE = 16;

    @Override
    public String name() {
        return "simd";
    }

    /** Whether this machine has vectors worth using. The module {@code jdk.incubator.vector} must be there. */
    static boolean available() {
        return VectorWidth.preferredBits() >= 128;
    }

    /** Width of the vectors in use. */
    public static int vectorBits() {
        return VectorWidth.LANES * Float.SIZE;
    }

    @Override
    public void matmul(Tensor weights, Tensor x, Tensor out, Workers workers) {
        Shapes.matmul(weights, x, out);
        if (x.rows() >= MANY_TOKENS) {
            SimdGemm.matmul(weights, x, out, workers);
        } else if (x.rows() == 1) {
            SimdOneToken.matmul(new Tensor[] {weights}, x, new Tensor[] {out}, workers);
        } else {
            workers.run((worker, count) -> {
                long scratch =
                        workers.scratch(worker, SimdFewTokens.SCRATCH_BYTES).address();
                int outputs = (int) weights.rows();
                SimdFewTokens.rows(
                        weights, x, out, share(outputs, worker, count), share(outputs, worker + 1, count), scratch);
            });
        }
    }

    @Override
    public void matmulAll(Tensor[] weights, Tensor x, Tensor[] outs, Workers workers) {
        if (x.rows() == 1) {
            for (int matrix = 0; matrix < weights.length; matrix++) {
                Shapes.matmul(weights[matrix], x, outs[matrix]);
            }
            SimdOneToken.matmul(weights, x, outs, workers);
        } else {
            Kernels.super.matmulAll(weights, x, outs, workers);
        }
    }

    @Override
    public void dequantize(Tensor source, long row, Tensor out) {
        Shapes.dequantize(source, row, out);
        SimdCodec.decode(source.dtype(), source.rowAddress(row), out.address(), Math.toIntExact(source.columns()));
    }

    @Override
    public void quantize(Tensor source, Tensor target, Workers workers) {
        Shapes.quantize(source, target);
        int columns = Math.toIntExact(source.columns());
        workers.run((worker, count) -> {
            long last = source.rows() * (worker + 1) / count;
            for (long row = source.rows() * worker / count; row < last; row++) {
                SimdCodec.encode(target.dtype(), source.rowAddress(row), target.rowAddress(row), columns);
            }
        });
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor out, Workers workers) {
        Shapes.rmsNorm(x, weight, out);
        int columns = (int) x.columns();
        if (alone(x)) {
            rmsNormRows(x, weight, epsilon, out, columns, 0, x.rows());
        } else {
            workers.run((worker, count) -> rmsNormRows(
                    x, weight, epsilon, out, columns, x.rows() * worker / count, x.rows() * (worker + 1) / count));
        }
    }

    private static void rmsNormRows(
            Tensor x, Tensor weight, float epsilon, Tensor out, int columns, long first, long last) {
        for (long row = first; row < last; row++) {
            SimdElementwise.rmsNorm(x.rowAddress(row), weight.address(), epsilon, out.rowAddress(row), columns);
        }
    }

    @Override
    public void rope(Tensor x, int headDim, Tensor cos, Tensor sin, boolean interleaved, Workers workers) {
        Shapes.rope(x, headDim, cos, sin);
        if (alone(x)) {
            ropeRows(x, headDim, cos, sin, interleaved, 0, x.rows());
        } else {
            workers.run((worker, count) -> ropeRows(
                    x, headDim, cos, sin, interleaved, x.rows() * worker / count, x.rows() * (worker + 1) / count));
        }
    }

    private static void ropeRows(
            Tensor x, int headDim, Tensor cos, Tensor sin, boolean interleaved, long first, long last) {
        int pairs = (int) cos.columns();
        for (long row = first; row < last; row++) {
            for (long head = 0; head < x.columns(); head += headDim) {
                long at = x.rowAddress(row) + head * Float.BYTES;
                if (interleaved) {
                    SimdElementwise.ropeInterleaved(at, cos.rowAddress(row), sin.rowAddress(row), pairs);
                } else {
                    SimdElementwise.rope(at, cos.rowAddress(row), sin.rowAddress(row), pairs);
                }
            }
        }
    }

    @Override
    public void siluGate(Tensor gate, Tensor up, Workers workers) {
        Shapes.elementwise(gate, up);
        overRanges(
                gate,
                workers,
                (offset, count) -> SimdElementwise.siluGate(gate.address() + offset, up.address() + offset, count));
    }

    @Override
    public void geluGate(Tensor gate, Tensor up, Workers workers) {
        Shapes.elementwise(gate, up);
        overRanges(
                gate,
                workers,
                (offset, count) -> SimdElementwise.geluGate(gate.address() + offset, up.address() + offset, count));
    }

    @Override
    public void addScaled(Tensor target, Tensor addend, float factor, Workers workers) {
        Shapes.addScaled(target, addend);
        if (addend.rows() == target.rows()) {
            overRanges(
                    target,
                    workers,
                    (offset, count) -> SimdElementwise.addScaled(
                            target.address() + offset, addend.address() + offset, factor, count));
        } else {
            for (long row = 0; row < target.rows(); row++) {
                SimdElementwise.addScaled(target.rowAddress(row), addend.address(), factor, target.columns());
            }
        }
    }

    @Override
    public void scale(Tensor x, float factor, Workers workers) {
        Shapes.requireFloat32(x, "x");
        overRanges(x, workers, (offset, count) -> SimdElementwise.scale(x.address() + offset, factor, count));
    }

    @Override
    public void softcap(Tensor x, float cap, Workers workers) {
        Shapes.softcap(x, cap);
        overRanges(x, workers, (offset, count) -> SimdElementwise.softcap(x.address() + offset, cap, count));
    }

    @Override
    public void addMagnitudes(Tensor x, Tensor sums, Workers workers) {
        Shapes.addMagnitudes(x, sums);
        workers.run((worker, count) -> {
            long room = workers.scratch(worker, Lanes.BYTES).address();
            int columns = (int) (x.columns() / sums.rows());
            long end = x.rows() * (worker + 1) / count;
            for (long row = x.rows() * worker / count; row < end; row++) {
                for (long run = 0; run < sums.rows(); run++) {
                    long first = x.rowAddress(row) + run * columns * Float.BYTES;
                    long sum = sums.rowAddress(run) + row * Float.BYTES;
                    Memory.putFloat32(sum, Memory.float32(sum) + SimdElementwise.magnitudes(first, columns, room));
                }
            }
        });
    }

    @Override
    public void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values, Workers workers) {
        Shapes.store(rows, fromEnd, keys, values);
        SimdAttention.store(rows, fromEnd, keys, values, workers);
    }

    @Override
    public void attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor out,
            @Nullable Tensor softmax,
            Workers workers) {
        Shapes.attend(shape, rows, queries, out, softmax);
        SimdAttention.attend(shape, rows, queries, firstPosition, out, softmax, workers);
    }

    @Override
    public void attentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers) {
        Shapes.attentionSums(shape, rows, queries, softmax, sums);
        SimdAttention.attentionSums(shape, rows, queries, firstPosition, softmax, sums, workers);
    }

    @Override
    public void attentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers) {
        Shapes.attentionMaxima(shape, rows, queries, judged, maxima);
        SimdAttention.attentionMaxima(shape, rows, queries, firstPosition, judged, maxima, workers);
    }

    @Override
    public void dropLosses(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor outputs,
            Tensor softmax,
            double[][] losses,
            Workers workers) {
        Shapes.dropLosses(shape, rows, queries, outputs, softmax, losses);
        new DropLosses(shape, rows, queries, firstPosition, outputs, softmax, losses, workers).run();
    }

    @Override
    public void attendOne(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            Tensor out,
            @Nullable Tensor probabilities,
            Workers workers) {
        Shapes.attendOne(shape, rows, query, out, probabilities);
        SimdAttention.attendOne(shape, rows, query, position, out, probabilities, workers);
    }

    @Override
    public void upperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores, Workers workers) {
        Shapes.upperBounds(shape, bounds, query, scores);
        new UpperBounds(shape, bounds, query, scores, workers).run();
    }

    @Override
    public void windowStatistics(
            AttentionShape shape,
            KvRows[] rows,
            Tensor windowQueries,
            int firstPosition,
            WindowStatistics statistics,
            Workers workers) {
        Shapes.windowStatistics(shape, rows, windowQueries, statistics);
        SimdAttention.windowStatistics(shape, rows, windowQueries, firstPosition, statistics, workers);
    }

    /** Work on {@code count} floats that begin {@code offset} bytes into an array. */
    @FunctionalInterface
    private interface Range {
        void run(long offset, long count);
    }

    private static void overRanges(Tensor x, Workers workers, Range range) {
        long elements = x.rows() * x.columns();
        if (alone(x)) {
            range.run(0, elements);
        } else {
            long lines = elements / LINE;
            workers.run((worker, count) -> {
                long first = lines * worker / count * LINE;
                long last = worker + 1 == count ? elements : lines * (worker + 1) / count * LINE;
                range.run(first * Float.BYTES, last - first);
            });
        }
    }

    private static boolean alone(Tensor x) {
        return x.rows() * x.columns() < WORTH_SHARING;
    }

    /** Where the share of a worker begins, in whole cache lines of outputs. */
    private static int share(int outputs, int worker, int count) {
        return worker == count ? outputs : (int) ((long) (outputs / LINE) * worker / count) * LINE;
    }
}
