package dev.layercake.engine;

import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How many bytes per second the machine reads from memory with a given number of threads: the limit of decoding, which
 * must read all weights and the whole cache for every token.
 */
public final class ReadBandwidth {
    private static final long BYTES = 256L << 20;
    private static final int ROUNDS = 8;
    private static final int STREAMS = 4;

    private ReadBandwidth() {}

    /** Measures it, the best of a few rounds; takes about half a second and {@value #BYTES} bytes. */
    public static double bytesPerSecond(int threads) {
        long[] sums = new long[threads];
        try (Arena arena = Arena.ofShared();
                Workers workers = new Workers(threads)) {
            MemorySegment memory = arena.allocate(BYTES, 64).fill((byte) 1);
            long best = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
                long start = System.nanoTime();
                workers.run((worker, count) -> {
                    long slice = BYTES / count / (STREAMS * Long.BYTES * 8) * (STREAMS * Long.BYTES * 8);
                    sums[worker] += sum(memory.asSlice(worker * slice, slice));
                });
                best = Math.min(best, System.nanoTime() - start);
            }
            long total = 0;
            for (long sum : sums) {
                total += sum;
            }
            if (total == 0) {
                throw new IllegalStateException("the memory was not read");
            }
            return BYTES * 1e9 / best;
        }
    }

    /** Sum over four streams far apart: one alone does not keep enough reads under way. */
    private static long sum(MemorySegment memory) {
        long quarter = memory.byteSize() / STREAMS;
        long first = 0;
        long second = 0;
        long third = 0;
        long fourth = 0;
        for (long offset = 0; offset < quarter; offset += Long.BYTES) {
            first += memory.get(ValueLayout.JAVA_LONG, offset);
            second += memory.get(ValueLayout.JAVA_LONG, offset + quarter);
            third += memory.get(ValueLayout.JAVA_LONG, offset + 2 * quarter);
            fourth += memory.get(ValueLayout.JAVA_LONG, offset + 3 * quarter);
        }
        return first + second + third + fourth;
    }
}
