package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Measures attention against the machine's limits, all in one run, since absolute figures move from run to run: {@code
 * AttentionSpeed [threads] [headDim] [group]}. Eight KV heads in BF16; what allocation per call says is that no vector was boxed.
 */
final class AttentionSpeed {
    private static final int KV_HEADS = 8;
    private static final int ROWS_PER_PAGE = 256;

    private final Arena arena = Arena.ofShared();
    private final Workers workers;
    private final AttentionShape shape;
    private volatile float sink;

    private AttentionSpeed(int threads, AttentionShape shape) {
        this.workers = new Workers(threads);
        this.shape = shape;
    }

    public static void main(String[] arguments) {
        int threads = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 2;
        int headDim = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 64;
        int group = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 4;
        DType type = arguments.length > 3 ? DType.valueOf(arguments[3]) : DType.BF16;
        AttentionShape shape =
                new AttentionShape(KV_HEADS * group, KV_HEADS, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        new AttentionSpeed(threads, shape).measure(type);
    }

    private void measure(DType type) {
        System.out.printf(
                Locale.ROOT, "%d threads, %d bits, %s, %s%n", workers.count(), FLOATS.vectorBitSize(), shape, type);
        Tensor bulk = Tensor.allocate(arena, DType.F32, 1, 128 << 20);
        bulk.data().fill((byte) 1);
        for (int round = 0; round < 3; round++) {
            double bandwidth = bulk.bytes() / best(5, () -> readAll(bulk));
            long flops = 2L * 12 * FLOATS.length() * 10_000_000L * workers.count();
            double peak = flops / best(3, this::multiply);
            System.out.printf(Locale.ROOT, "read %.1f GB/s, FMA %.0f GFLOP/s%n", bandwidth, peak);
            for (int length : new int[] {128, 1024, 8192, 131_072}) {
                decode(type, length, bandwidth);
            }
            prefill(type, 8192, 512, peak);
            prefill(type, 0, 512, peak);
            sums(type, 8192, 512);
            statistics(type, 8192, peak);
        }
        workers.close();
        arena.close();
    }

    private void decode(DType type, int length, double bandwidth) {
        try (Arena pages = Arena.ofShared()) {
            KvRows[] rows = rows(pages, type, length);
            Tensor query = queries(pages, 1);
            Tensor out = Tensor.allocate(pages, DType.F32, 1, query.columns());
            int calls = Math.max(1, 65_536 / length);
            Runnable call = () -> {
                for (int i = 0; i < calls; i++) {
                    SimdAttention.attendOne(shape, rows, query, length, out, null, workers);
                }
            };
            double nanos = best(length > 100_000 ? 12 : 40, call) / calls;
            long allocated = allocated(call) / calls;
            double bytes = KV_HEADS * (double) length * (rows[0].keyRowBytes() + rows[0].valueRowBytes());
            System.out.printf(
                    Locale.ROOT,
                    "decode %7d: %9.1f us, %5.1f GB/s, %.2f of read; %d bytes allocated%n",
                    length,
                    nanos / 1e3,
                    bytes / nanos,
                    bytes / nanos / bandwidth,
                    allocated);
        }
    }

    private void prefill(DType type, int past, int tokens, double peak) {
        try (Arena pages = Arena.ofShared()) {
            KvRows[] rows = rows(pages, type, past + tokens);
            Tensor queries = queries(pages, tokens);
            Tensor out = Tensor.allocate(pages, DType.F32, tokens, queries.columns());
            Runnable call = () -> SimdAttention.attend(shape, rows, queries, past, out, null, workers);
            double nanos = best(5, call);
            long allocated = allocated(call);
            double seen = (double) tokens * past + tokens * (tokens + 1.0) / 2;
            double flops = 4.0 * shape.queryHeads() * shape.headDim() * seen;
            System.out.printf(
                    Locale.ROOT,
                    "prefill %d after %d: %.2f ms, %.0f GFLOP/s, %.2f of FMA peak; %d bytes allocated%n",
                    tokens,
                    past,
                    nanos / 1e6,
                    flops / nanos,
                    flops / nanos / peak,
                    allocated);
        }
    }

    private void sums(DType type, int past, int tokens) {
        try (Arena pages = Arena.ofShared()) {
            KvRows[] rows = rows(pages, type, past + tokens);
            Tensor queries = queries(pages, tokens);
            Tensor out = Tensor.allocate(pages, DType.F32, tokens, queries.columns());
            Tensor softmax = Tensor.allocate(pages, DType.F32, tokens, 2L * shape.queryHeads());
            double[][] sums = new double[shape.queryHeads()][past + tokens];
            Runnable attend = () -> SimdAttention.attend(shape, rows, queries, past, out, softmax, workers);
            Runnable addUp = () -> SimdAttention.attentionSums(shape, rows, queries, past, softmax, sums, workers);
            double attention = best(5, attend);
            double nanos = best(5, addUp);
            System.out.printf(
                    Locale.ROOT,
                    "sums %d after %d: %.2f ms, %.2f of the attention; %d bytes allocated%n",
                    tokens,
                    past,
                    nanos / 1e6,
                    nanos / attention,
                    allocated(addUp));
        }
    }

    private void statistics(DType type, int length, double peak) {
        try (Arena pages = Arena.ofShared()) {
            int window = 32;
            KvRows[] rows = rows(pages, type, length);
            Tensor queries = queries(pages, window);
            int[] candidates = new int[KV_HEADS];
            Arrays.fill(candidates, length - window);
            WindowStatistics statistics = new WindowStatistics(shape, candidates);
            Runnable call =
                    () -> SimdAttention.windowStatistics(shape, rows, queries, length - window, statistics, workers);
            double nanos = best(8, call);
            long allocated = allocated(call);
            double attention = 2.0 * shape.queryHeads() * shape.headDim() * length * length / (0.6 * peak);
            System.out.printf(
                    Locale.ROOT,
                    "statistics %d: %.2f ms, %.3f of the layer's prefill attention at 0.6 of peak; %d bytes allocated%n",
                    length,
                    nanos / 1e6,
                    nanos / attention,
                    allocated);
        }
    }

    private KvRows[] rows(Arena pages, DType type, int length) {
        KvRows[] rows = RandomEntries.rows(shape, type, type, ROWS_PER_PAGE);
        Random random = new Random(1);
        Tensor row = Tensor.allocate(pages, DType.F32, 64, shape.headDim());
        for (int i = 0; i < row.rows(); i++) {
            for (int j = 0; j < row.columns(); j++) {
                row.set(i, j, (float) random.nextGaussian());
            }
        }
        for (KvRows head : rows) {
            for (int slot = 0; slot < length; slot++) {
                if (slot == head.capacity()) {
                    head.addPage(pages.allocate(ROWS_PER_PAGE * (head.keyRowBytes() + head.valueRowBytes()), 64)
                            .address());
                }
                head.append(slot);
                SimdCodec.encode(type, row.rowAddress(slot % 64), head.keyAddress(slot), shape.headDim());
                SimdCodec.encode(type, row.rowAddress(slot * 7 % 64), head.valueAddress(slot), shape.headDim());
            }
        }
        return rows;
    }

    private Tensor queries(Arena pages, int tokens) {
        return new RandomEntries(pages, 5).queries(shape, tokens);
    }

    private void readAll(Tensor bulk) {
        workers.run((worker, count) -> {
            long bytes = bulk.bytes() / count;
            long address = bulk.address() + worker * bytes;
            IntVector a = IntVector.zero(VectorWidth.INTS);
            IntVector b = a;
            IntVector c = a;
            IntVector d = a;
            for (long i = 0; i < bytes; i += 4L * VectorWidth.BYTES) {
                a = a.add(VectorWidth.loadInts(address + i));
                b = b.add(VectorWidth.loadInts(address + i + VectorWidth.BYTES));
                c = c.add(VectorWidth.loadInts(address + i + 2L * VectorWidth.BYTES));
                d = d.add(VectorWidth.loadInts(address + i + 3L * VectorWidth.BYTES));
            }
            sink = a.add(b).add(c).add(d).reduceLanes(VectorOperators.ADD);
        });
    }

    private void multiply() {
        workers.run((worker, count) -> {
            FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
            FloatVector y = FloatVector.broadcast(FLOATS, 0.001f);
            FloatVector a = x;
            FloatVector b = x;
            FloatVector c = x;
            FloatVector d = x;
            FloatVector e = x;
            FloatVector f = x;
            FloatVector g = x;
            FloatVector h = x;
            FloatVector i = x;
            FloatVector j = x;
            FloatVector k = x;
            FloatVector l = x;
            for (int step = 0; step < 10_000_000; step++) {
                a = a.fma(x, y);
                b = b.fma(x, y);
                c = c.fma(x, y);
                d = d.fma(x, y);
                e = e.fma(x, y);
                f = f.fma(x, y);
                g = g.fma(x, y);
                h = h.fma(x, y);
                i = i.fma(x, y);
                j = j.fma(x, y);
                k = k.fma(x, y);
                l = l.fma(x, y);
            }
            FloatVector sum = a.add(b)
                    .add(c)
                    .add(d)
                    .add(e)
                    .add(f)
                    .add(g)
                    .add(h)
                    .add(i)
                    .add(j)
                    .add(k)
                    .add(l);
            sink = sum.reduceLanes(VectorOperators.ADD);
        });
    }

    /** Nanoseconds of the fastest of several calls. */
    private static double best(int calls, Runnable call) {
        long best = Long.MAX_VALUE;
        for (int i = 0; i < calls; i++) {
            long start = System.nanoTime();
            call.run();
            best = Math.min(best, System.nanoTime() - start);
        }
        return best;
    }

    /** Bytes that all threads allocate during a call. */
    private static long allocated(Runnable call) {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getTotalThreadAllocatedBytes();
        call.run();
        return threads.getTotalThreadAllocatedBytes() - before;
    }
}
