package dev.layercake.kernels;

import static dev.layercake.kernels.SimdGemm.ROW_BYTES;
import static dev.layercake.kernels.VectorWidth.BYTES;

import jdk.incubator.vector.FloatVector;

/**
 * The innermost loops of {@link SimdGemm} for tiles of 12 outputs. Every sum is a local of its own, because only locals
 * live in registers: an array of vectors would be memory, and boxed.
 */
final class Tile12 {
    static final int ROWS = 12;

    private Tile12() {}
    /** Adds 12 outputs x two vectors of tokens to {@code tile} over {@code depth} inputs; the panel is packed two vectors wide. */
    static void twoWide(long rows, long panel, int depth, long tile) {
        FloatVector s0a = VectorWidth.load(tile + 0L * BYTES);
        FloatVector s0b = VectorWidth.load(tile + 1L * BYTES);
        FloatVector s1a = VectorWidth.load(tile + 2L * BYTES);
        FloatVector s1b = VectorWidth.load(tile + 3L * BYTES);
        FloatVector s2a = VectorWidth.load(tile + 4L * BYTES);
        FloatVector s2b = VectorWidth.load(tile + 5L * BYTES);
        FloatVector s3a = VectorWidth.load(tile + 6L * BYTES);
        FloatVector s3b = VectorWidth.load(tile + 7L * BYTES);
        FloatVector s4a = VectorWidth.load(tile + 8L * BYTES);
        FloatVector s4b = VectorWidth.load(tile + 9L * BYTES);
        FloatVector s5a = VectorWidth.load(tile + 10L * BYTES);
        FloatVector s5b = VectorWidth.load(tile + 11L * BYTES);
        FloatVector s6a = VectorWidth.load(tile + 12L * BYTES);
        FloatVector s6b = VectorWidth.load(tile + 13L * BYTES);
        FloatVector s7a = VectorWidth.load(tile + 14L * BYTES);
        FloatVector s7b = VectorWidth.load(tile + 15L * BYTES);
        FloatVector s8a = VectorWidth.load(tile + 16L * BYTES);
        FloatVector s8b = VectorWidth.load(tile + 17L * BYTES);
        FloatVector s9a = VectorWidth.load(tile + 18L * BYTES);
        FloatVector s9b = VectorWidth.load(tile + 19L * BYTES);
        FloatVector s10a = VectorWidth.load(tile + 20L * BYTES);
        FloatVector s10b = VectorWidth.load(tile + 21L * BYTES);
        FloatVector s11a = VectorWidth.load(tile + 22L * BYTES);
        FloatVector s11b = VectorWidth.load(tile + 23L * BYTES);
        for (int i = 0; i < depth; i++) {
            long at = rows + 4L * i;
            FloatVector a = VectorWidth.load(panel + 2L * BYTES * i);
            FloatVector b = VectorWidth.load(panel + 2L * BYTES * i + BYTES);
            FloatVector weight = VectorWidth.broadcast(Memory.float32(at + 0 * ROW_BYTES));
            s0a = weight.fma(a, s0a);
            s0b = weight.fma(b, s0b);
            weight = VectorWidth.broadcast(Memory.float32(at + 1 * ROW_BYTES));
            s1a = weight.fma(a, s1a);
            s1b = weight.fma(b, s1b);
            weight = VectorWidth.broadcast(Memory.float32(at + 2 * ROW_BYTES));
            s2a = weight.fma(a, s2a);
            s2b = weight.fma(b, s2b);
            weight = VectorWidth.broadcast(Memory.float32(at + 3 * ROW_BYTES));
            s3a = weight.fma(a, s3a);
            s3b = weight.fma(b, s3b);
            weight = VectorWidth.broadcast(Memory.float32(at + 4 * ROW_BYTES));
            s4a = weight.fma(a, s4a);
            s4b = weight.fma(b, s4b);
            weight = VectorWidth.broadcast(Memory.float32(at + 5 * ROW_BYTES));
            s5a = weight.fma(a, s5a);
            s5b = weight.fma(b, s5b);
            weight = VectorWidth.broadcast(Memory.float32(at + 6 * ROW_BYTES));
            s6a = weight.fma(a, s6a);
            s6b = weight.fma(b, s6b);
            weight = VectorWidth.broadcast(Memory.float32(at + 7 * ROW_BYTES));
            s7a = weight.fma(a, s7a);
            s7b = weight.fma(b, s7b);
            weight = VectorWidth.broadcast(Memory.float32(at + 8 * ROW_BYTES));
            s8a = weight.fma(a, s8a);
            s8b = weight.fma(b, s8b);
            weight = VectorWidth.broadcast(Memory.float32(at + 9 * ROW_BYTES));
            s9a = weight.fma(a, s9a);
            s9b = weight.fma(b, s9b);
            weight = VectorWidth.broadcast(Memory.float32(at + 10 * ROW_BYTES));
            s10a = weight.fma(a, s10a);
            s10b = weight.fma(b, s10b);
            weight = VectorWidth.broadcast(Memory.float32(at + 11 * ROW_BYTES));
            s11a = weight.fma(a, s11a);
            s11b = weight.fma(b, s11b);
        }
        VectorWidth.store(tile + 0L * BYTES, s0a);
        VectorWidth.store(tile + 1L * BYTES, s0b);
        VectorWidth.store(tile + 2L * BYTES, s1a);
        VectorWidth.store(tile + 3L * BYTES, s1b);
        VectorWidth.store(tile + 4L * BYTES, s2a);
        VectorWidth.store(tile + 5L * BYTES, s2b);
        VectorWidth.store(tile + 6L * BYTES, s3a);
        VectorWidth.store(tile + 7L * BYTES, s3b);
        VectorWidth.store(tile + 8L * BYTES, s4a);
        VectorWidth.store(tile + 9L * BYTES, s4b);
        VectorWidth.store(tile + 10L * BYTES, s5a);
        VectorWidth.store(tile + 11L * BYTES, s5b);
        VectorWidth.store(tile + 12L * BYTES, s6a);
        VectorWidth.store(tile + 13L * BYTES, s6b);
        VectorWidth.store(tile + 14L * BYTES, s7a);
        VectorWidth.store(tile + 15L * BYTES, s7b);
        VectorWidth.store(tile + 16L * BYTES, s8a);
        VectorWidth.store(tile + 17L * BYTES, s8b);
        VectorWidth.store(tile + 18L * BYTES, s9a);
        VectorWidth.store(tile + 19L * BYTES, s9b);
        VectorWidth.store(tile + 20L * BYTES, s10a);
        VectorWidth.store(tile + 21L * BYTES, s10b);
        VectorWidth.store(tile + 22L * BYTES, s11a);
        VectorWidth.store(tile + 23L * BYTES, s11b);
    }

    /** As {@link #twoWide} with one vector of tokens. */
    static void oneWide(long rows, long panel, int depth, long tile) {
        FloatVector s0a = VectorWidth.load(tile + 0L * BYTES);
        FloatVector s1a = VectorWidth.load(tile + 1L * BYTES);
        FloatVector s2a = VectorWidth.load(tile + 2L * BYTES);
        FloatVector s3a = VectorWidth.load(tile + 3L * BYTES);
        FloatVector s4a = VectorWidth.load(tile + 4L * BYTES);
        FloatVector s5a = VectorWidth.load(tile + 5L * BYTES);
        FloatVector s6a = VectorWidth.load(tile + 6L * BYTES);
        FloatVector s7a = VectorWidth.load(tile + 7L * BYTES);
        FloatVector s8a = VectorWidth.load(tile + 8L * BYTES);
        FloatVector s9a = VectorWidth.load(tile + 9L * BYTES);
        FloatVector s10a = VectorWidth.load(tile + 10L * BYTES);
        FloatVector s11a = VectorWidth.load(tile + 11L * BYTES);
        for (int i = 0; i < depth; i++) {
            long at = rows + 4L * i;
            FloatVector a = VectorWidth.load(panel + 1L * BYTES * i);
            FloatVector weight = VectorWidth.broadcast(Memory.float32(at + 0 * ROW_BYTES));
            s0a = weight.fma(a, s0a);
            weight = VectorWidth.broadcast(Memory.float32(at + 1 * ROW_BYTES));
            s1a = weight.fma(a, s1a);
            weight = VectorWidth.broadcast(Memory.float32(at + 2 * ROW_BYTES));
            s2a = weight.fma(a, s2a);
            weight = VectorWidth.broadcast(Memory.float32(at + 3 * ROW_BYTES));
            s3a = weight.fma(a, s3a);
            weight = VectorWidth.broadcast(Memory.float32(at + 4 * ROW_BYTES));
            s4a = weight.fma(a, s4a);
            weight = VectorWidth.broadcast(Memory.float32(at + 5 * ROW_BYTES));
            s5a = weight.fma(a, s5a);
            weight = VectorWidth.broadcast(Memory.float32(at + 6 * ROW_BYTES));
            s6a = weight.fma(a, s6a);
            weight = VectorWidth.broadcast(Memory.float32(at + 7 * ROW_BYTES));
            s7a = weight.fma(a, s7a);
            weight = VectorWidth.broadcast(Memory.float32(at + 8 * ROW_BYTES));
            s8a = weight.fma(a, s8a);
            weight = VectorWidth.broadcast(Memory.float32(at + 9 * ROW_BYTES));
            s9a = weight.fma(a, s9a);
            weight = VectorWidth.broadcast(Memory.float32(at + 10 * ROW_BYTES));
            s10a = weight.fma(a, s10a);
            weight = VectorWidth.broadcast(Memory.float32(at + 11 * ROW_BYTES));
            s11a = weight.fma(a, s11a);
        }
        VectorWidth.store(tile + 0L * BYTES, s0a);
        VectorWidth.store(tile + 1L * BYTES, s1a);
        VectorWidth.store(tile + 2L * BYTES, s2a);
        VectorWidth.store(tile + 3L * BYTES, s3a);
        VectorWidth.store(tile + 4L * BYTES, s4a);
        VectorWidth.store(tile + 5L * BYTES, s5a);
        VectorWidth.store(tile + 6L * BYTES, s6a);
        VectorWidth.store(tile + 7L * BYTES, s7a);
        VectorWidth.store(tile + 8L * BYTES, s8a);
        VectorWidth.store(tile + 9L * BYTES, s9a);
        VectorWidth.store(tile + 10L * BYTES, s10a);
        VectorWidth.store(tile + 11L * BYTES, s11a);
    }
}
