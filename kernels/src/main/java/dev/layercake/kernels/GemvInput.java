package dev.layercake.kernels;

/**
 * The one vector of a product in the order in which the loops over super-blocks want it. A super-block's 256 elements become
 * twice 8 vectors of 16 lanes, whose lanes are 4 elements apart because four bytes of quants are read as one int, each followed
 * by a vector of sums of 8 elements, which minima are multiplied with.
 */
final class GemvInput {
    /** Bytes of half a super-block of x. */
    private static final long HALF = 9 * 64;

    private static final long BLOCK = 2 * HALF;

    private GemvInput() {}

    /** Bytes that an x of {@code inputs} needs. */
    static long bytes(int inputs) {
        return (inputs + 255L) / 256 * BLOCK;
    }

    /** For Q4_K and Q5_K: 64 elements are the low and the high nibbles of 32 bytes. */
    static void nibblesOf32(long x, int inputs, long target) {
        for (int block = 0; block < inputs / 256; block++) {
            long from = Memory.inside(x + 1024L * block);
            long to = Memory.inside(target + BLOCK * block);
            for (int run = 0; run < 8; run++) {
                // Four vectors of low nibbles, four of high ones; even runs are low, every other pair fills upper
                // lanes.
                long half = to + run / 4 * HALF;
                spread(from + 128L * run, 32, half + run % 2 * 256L + run % 4 / 2 * 32L);
                for (int part = 0; part < 4; part++) {
                    Memory.putFloat32(half + 512 + 16L * part + 4L * (run % 4), sum8(from + 128L * run + 32L * part));
                }
            }
        }
    }

    /** For IQ4_XS: 32 elements are the low and the high nibbles of 16 bytes. */
    static void nibblesOf16(long x, int inputs, long target) {
        for (int block = 0; block < inputs / 256; block++) {
            long from = Memory.inside(x + 1024L * block);
            long to = Memory.inside(target + BLOCK * block);
            for (int run = 0; run < 16; run++) {
                spread(from + 64L * run, 16, to + run / 8 * HALF + run % 2 * 256L + run % 8 / 2 * 16L);
            }
        }
    }

    /** For Q2_K, Q3_K and Q6_K: each half's 128 elements are four times 32. */
    static void halves(long x, int inputs, long target) {
        for (int block = 0; block < inputs / 256; block++) {
            long from = Memory.inside(x + 1024L * block);
            long to = Memory.inside(target + BLOCK * block);
            for (int run = 0; run < 8; run++) {
                // Quarters 0 and 2, then 1 and 3; the second half of the super-block fills the upper lanes.
                int quarter = run % 4;
                spread(from + 128L * run, 32, to + quarter % 2 * HALF + quarter / 2 * 256L + run / 4 * 32L);
            }
            for (int run = 0; run < 16; run++) {
                Memory.putFloat32(to + 512 + 4L * run, sum8(from + 64L * run));
                Memory.putFloat32(to + HALF + 512 + 4L * run, sum8(from + 64L * run + 32));
            }
        }
    }

    /** Element 4 m + j to lane m of vector j. */
    private static void spread(long from, int count, long to) {
        for (int i = 0; i < count; i += 4) {
            Memory.putFloat32(to + i, Memory.float32(from + 4L * i));
            Memory.putFloat32(to + i + 64, Memory.float32(from + 4L * i + 4));
            Memory.putFloat32(to + i + 128, Memory.float32(from + 4L * i + 8));
            Memory.putFloat32(to + i + 192, Memory.float32(from + 4L * i + 12));
        }
    }

    private static float sum8(long from) {
        float even = 0;
        float odd = 0;
        for (int i = 0; i < 8; i += 2) {
            even += Memory.float32(from + 4L * i);
            odd += Memory.float32(from + 4L * i + 4);
        }
        return even + odd;
    }
}
