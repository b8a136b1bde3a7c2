package dev.layercake.bench;

import com.sun.management.ThreadMXBean;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.SimdKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix products of every dtype against the machine's limits, all in one process: memory reads per second for one
 * token (decode), fused multiplications and additions per second for a few and for many (prefill). Absolute figures move with whatever
 * else the machine does; the shares of the limits move less. Arguments: seconds per row (2), threads (2), a dtype (all).
 */
public final class KernelThroughput {
    private static final int DECODE_OUTPUTS = 32768;
    private static final int INPUTS = 2048;
    private static final int TOKENS = 512;
    private static final int[] FEW_AND_MANY = {2, 4, 8, 128, TOKENS};
    private static final int PREFILL_OUTPUTS = 8192;
    private static final int FUSED_STEPS = 1_000_000;
    private static final int FUSED_SUMS = 12;
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

    private final double seconds;
    private final Workers workers;
    private final float[] results;
    private final Kernels kernels = new SimdKernels();
    private final Random random = new Random(1);

    private KernelThroughput(double seconds, Workers workers) {
        this.seconds = seconds;
        this.workers = workers;
        this.results = new float[workers.count() * 64];
    }

    public static void main(String[] arguments) {
        double seconds = arguments.length > 0 ? Double.parseDouble(arguments[0]) : 2;
        int threads = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 2;
        DType[] types = arguments.length > 2 ? new DType[] {DType.valueOf(arguments[2])} : DType.values();
        try (Arena arena = Arena.ofShared();
                Workers workers = new Workers(threads)) {
            new KernelThroughput(seconds, workers).measure(arena, types);
        }
    }

    private void measure(Arena arena, DType[] types) {
        for (DType type : types) {
            Tensor weights = Tensor.allocate(arena, type, DECODE_OUTPUTS, INPUTS);
            fill(weights.data());
            Tensor x = Tensor.allocate(arena, DType.F32, TOKENS, INPUTS);
            fill(x.data());
            Tensor logits = Tensor.allocate(arena, DType.F32, 1, DECODE_OUTPUTS);
            Tensor out = Tensor.allocate(arena, DType.F32, TOKENS, PREFILL_OUTPUTS);
            Tensor token = x.slice(0, 1);
            Tensor layer = weights.slice(0, PREFILL_OUTPUTS);
            double gigabytes = weights.bytes() * 1e-9;
            // Limit and product in turns, so that both meet the same machine.
            compare(
                    type + " decode GB/s",
                    () -> workers.run((worker, count) -> read(weights.data(), worker, count)),
                    gigabytes,
                    () -> kernels.matmul(weights, token, logits, workers),
                    gigabytes);
            for (int tokens : FEW_AND_MANY) {
                Tensor rows = x.slice(0, tokens);
                Tensor products = out.slice(0, tokens);
                compare(
                        type + " " + tokens + " rows GFLOP/s",
                        () -> workers.run((worker, count) -> fuse(worker)),
                        2e-9 * FUSED_STEPS * FUSED_SUMS * FLOATS.length() * workers.count(),
                        () -> kernels.matmul(layer, rows, products, workers),
                        2e-9 * tokens * INPUTS * PREFILL_OUTPUTS);
            }
        }
    }

    private void compare(String name, Runnable limit, double limitAmount, Runnable product, double amount) {
        double bestLimit = 0;
        double best = 0;
        for (int run = 0; run < 8; run++) {
            product.run();
        }
        long leastAllocated = Long.MAX_VALUE;
        int runs = 0;
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (runs < 10 || System.nanoTime() < end) {
            bestLimit = Math.max(bestLimit, limitAmount / secondsOf(limit));
            long allocated = allocatedBytes();
            best = Math.max(best, amount / secondsOf(product));
            leastAllocated = Math.min(leastAllocated, allocatedBytes() - allocated);
            runs++;
        }
        System.out.printf(
                Locale.ROOT,
                "%-24s %7.1f of %7.1f = %.2f, %d bytes allocated per run%n",
                name,
                best,
                bestLimit,
                best / bestLimit,
                leastAllocated);
    }

    /** A single thread's own time is taken, which other processes disturb least; that of a team is the clock's. */
    private double secondsOf(Runnable work) {
        long start = now();
        work.run();
        return (now() - start) * 1e-9;
    }

    private long now() {
        return workers.count() == 1 ? ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() : System.nanoTime();
    }

    private static long allocatedBytes() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getTotalThreadAllocatedBytes();
    }

    /** Bytes below 64 make finite numbers below 2 of every dtype. */
    private void fill(MemorySegment data) {
        byte[] piece = new byte[1 << 16];
        random.nextBytes(piece);
        for (int i = 0; i < piece.length; i++) {
            piece[i] &= 63;
        }
        for (long at = 0; at < data.byteSize(); at += piece.length) {
            int count = (int) Math.min(piece.length, data.byteSize() - at);
            MemorySegment.copy(piece, 0, data, ValueLayout.JAVA_BYTE, at, count);
        }
    }

    /** Four far streams per worker, as the products read. */
    private void read(MemorySegment data, int worker, int count) {
        long quarter = data.byteSize() / count / 4 / 512 * 512;
        long a = quarter * 4 * worker;
        long b = a + quarter;
        long c = b + quarter;
        long d = c + quarter;
        int step = FLOATS.vectorByteSize();
        FloatVector sumA = FloatVector.zero(FLOATS);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        for (long at = 0; at < quarter; at += step) {
            sumA = load(data, a + at).add(sumA);
            sumB = load(data, b + at).add(sumB);
            sumC = load(data, c + at).add(sumC);
            sumD = load(data, d + at).add(sumD);
        }
        results[worker * 64] = sumA.add(sumB).add(sumC.add(sumD)).reduceLanes(VectorOperators.ADD);
    }

    private static FloatVector load(MemorySegment data, long at) {
        return FloatVector.fromMemorySegment(FLOATS, data, at, ByteOrder.LITTLE_ENDIAN);
    }

    private void fuse(int worker) {
        FloatVector factor = FloatVector.broadcast(FLOATS, results[worker * 64 + 1] + 0.5f);
        FloatVector a = FloatVector.zero(FLOATS);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        FloatVector e = a;
        FloatVector f = a;
        FloatVector g = a;
        FloatVector h = a;
        FloatVector i = a;
        FloatVector j = a;
        FloatVector k = a;
        FloatVector l = a;
        for (int step = 0; step < FUSED_STEPS; step++) {
            a = a.fma(factor, factor);
            b = b.fma(factor, factor);
            c = c.fma(factor, factor);
            d = d.fma(factor, factor);
            e = e.fma(factor, factor);
            f = f.fma(factor, factor);
            g = g.fma(factor, factor);
            h = h.fma(factor, factor);
            i = i.fma(factor, factor);
            j = j.fma(factor, factor);
            k = k.fma(factor, factor);
            l = l.fma(factor, factor);
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
        results[worker * 64] += sum.reduceLanes(VectorOperators.ADD);
    }
}
