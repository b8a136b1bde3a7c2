package dev.layercake.kernels;

/**
 * The one vector of a product in the order in which the loops over super-blocks want it. A super-block's 256 elements become
 * 16 vectors of 16 lanes, whose lanes are 4 elements apart because four bytes of quants are read as one int, and a vector of
 * sums of 16 elements follows, which minima are multiplied with.
 */
final class GemvInput {
    /** Bytes of a super-block of x. */
    private static final long BLOCK = 17 * 64;

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
                // Vectors 8 g to 8 g + 3 are low nibbles, the next four high ones, of the runs 4 g and 4 g + 2 in their
                // halves.
                int vector = run / 4 * 8 + run % 2 * 4;
                spread(from + 128L * run, 32, to + 64L * vector + run % 4 / 2 * 32L);
                int lane = run % 4 * 2 + run / 4;
                Memory.putFloat32(to + 1024 + 4L * lane, sum16(from + 128L * run));
                Memory.putFloat32(to + 1024 + 4L * (lane + 8), sum16(from + 128L * run + 64));
            }
        }
    }

    /** For IQ4_XS: 32 elements are the low and the high nibbles of 16 bytes. */
    static void nibblesOf16(long x, int inputs, long target) {
        for (int block = 0; block < inputs / 256; block++) {
            long from = Memory.inside(x + 1024L * block);
            long to = Memory.inside(target + BLOCK * block);
            for (int run = 0; run < 16; run++) {
                int vector = run / 8 * 8 + run % 2 * 4;
                spread(from + 64L * run, 16, to + 64L * vector + run % 8 / 2 * 16L);
            }
        }
    }

    /** For Q2_K, Q3_K and Q6_K: each half's 128 elements are four times 32. */
    static void halves(long x, int inputs, long target) {
        for (int block = 0; block < inputs / 256; block++) {
            long from = Memory.inside(x + 1024L * block);
            long to = Memory.inside(target + BLOCK * block);
            for (int run = 0; run < 8; run++) {
                spread(from + 128L * run, 32, to + 256L * (run % 4) + run / 4 * 32L);
                Memory.putFloat32(to + 1024 + 8L * run, sum16(from + 128L * run));
                Memory.putFloat32(to + 1024 + 8L * run + 4, sum16(from + 128L * run + 64));
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

    private static float sum16(long from) {
        float even = 0;
        float odd = 0;
        for (int i = 0; i < 16; i += 2) {
            even += Memory.float32(from + 4L * i);
            odd += Memory.float32(from + 4L * i + 4);
        }
        return even + odd;
    }
}
