package dev.layercake.engine;

import dev.layercake.kernels.Workers;
import java.util.Arrays;

/**
 * How many bytes per second the machine reads from memory with a given number of threads: the limit of decoding, which
 * must read all weights and the whole cache for every token.
 */
public final class ReadBandwidth {
    private static final int WORDS = 16 << 20;
    private static final int ROUNDS = 16;

    private ReadBandwidth() {}

    /** Measures it, the best of a few rounds; takes some tenths of a second and 128 MiB of heap. */
    public static double bytesPerSecond(int threads) {
        // An array, because a loop over one is the plain loop that the compiler turns into wide loads.
        long[] memory = new long[WORDS];
        Arrays.fill(memory, 1);
        long[] sums = new long[threads];
        long best = Long.MAX_VALUE;
        try (Workers workers = new Workers(threads)) {
            for (int round = 0; round < ROUNDS; round++) {
                long start = System.nanoTime();
                workers.run((worker, count) -> {
                    int slice = WORDS / count;
                    sums[worker] = sum(memory, worker * slice, slice);
                });
                best = Math.min(best, System.nanoTime() - start);
            }
        }
        if (Arrays.stream(sums).sum() < WORDS - 4L * threads * threads) {
            throw new IllegalStateException("the memory was not read");
        }
        return (double) WORDS * Long.BYTES * 1e9 / best;
    }

    /** Sum over four streams far apart: one alone does not keep enough reads under way. */
    private static long sum(long[] memory, int first, int count) {
        int quarter = count / 4;
        long sum = 0;
        for (int i = first; i < first + quarter; i++) {
            sum += memory[i] + memory[i + quarter] + memory[i + 2 * quarter] + memory[i + 3 * quarter];
        }
        return sum;
    }
}
