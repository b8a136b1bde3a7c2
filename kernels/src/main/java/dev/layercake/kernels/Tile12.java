package dev.layercake.kernels;

import static dev.layercake.kernels.SimdGemm.ROW;
import static dev.layercake.kernels.VectorWidth.BYTES;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * The innermost loops of {@link SimdGemm} for tiles of 12 outputs. Every sum is a local of its own, because only locals
 * live in registers. Weights and sums are arrays, because an access to a segment takes several times the compiler's nodes,
 * and past its limit of nodes C2 stops inlining and boxes every vector.
 */
final class Tile12 {
    static final int ROWS = 12;

    private Tile12() {}
    /**
     * Adds 12 outputs x two vectors of tokens to the sums from {@code work[tile]} on, over {@code depth} inputs of weights from
     * {@code work[row]} on; the panel is packed two vectors wide.
     */
    static void twoWide(float[] work, int row, long panel, int depth, int tile) {
        FloatVector s0a = FloatVector.fromArray(FLOATS, work, tile + 0 * LANES);
        FloatVector s0b = FloatVector.fromArray(FLOATS, work, tile + 1 * LANES);
        FloatVector s1a = FloatVector.fromArray(FLOATS, work, tile + 2 * LANES);
        FloatVector s1b = FloatVector.fromArray(FLOATS, work, tile + 3 * LANES);
        FloatVector s2a = FloatVector.fromArray(FLOATS, work, tile + 4 * LANES);
        FloatVector s2b = FloatVector.fromArray(FLOATS, work, tile + 5 * LANES);
        FloatVector s3a = FloatVector.fromArray(FLOATS, work, tile + 6 * LANES);
        FloatVector s3b = FloatVector.fromArray(FLOATS, work, tile + 7 * LANES);
        FloatVector s4a = FloatVector.fromArray(FLOATS, work, tile + 8 * LANES);
        FloatVector s4b = FloatVector.fromArray(FLOATS, work, tile + 9 * LANES);
        FloatVector s5a = FloatVector.fromArray(FLOATS, work, tile + 10 * LANES);
        FloatVector s5b = FloatVector.fromArray(FLOATS, work, tile + 11 * LANES);
        FloatVector s6a = FloatVector.fromArray(FLOATS, work, tile + 12 * LANES);
        FloatVector s6b = FloatVector.fromArray(FLOATS, work, tile + 13 * LANES);
        FloatVector s7a = FloatVector.fromArray(FLOATS, work, tile + 14 * LANES);
        FloatVector s7b = FloatVector.fromArray(FLOATS, work, tile + 15 * LANES);
        FloatVector s8a = FloatVector.fromArray(FLOATS, work, tile + 16 * LANES);
        FloatVector s8b = FloatVector.fromArray(FLOATS, work, tile + 17 * LANES);
        FloatVector s9a = FloatVector.fromArray(FLOATS, work, tile + 18 * LANES);
        FloatVector s9b = FloatVector.fromArray(FLOATS, work, tile + 19 * LANES);
        FloatVector s10a = FloatVector.fromArray(FLOATS, work, tile + 20 * LANES);
        FloatVector s10b = FloatVector.fromArray(FLOATS, work, tile + 21 * LANES);
        FloatVector s11a = FloatVector.fromArray(FLOATS, work, tile + 22 * LANES);
        FloatVector s11b = FloatVector.fromArray(FLOATS, work, tile + 23 * LANES);
        for (int i = 0; i < depth; i++) {
            int at = row + i;
            FloatVector a = VectorWidth.load(panel + 2L * BYTES * i);
            FloatVector b = VectorWidth.load(panel + 2L * BYTES * i + BYTES);
            FloatVector weight = FloatVector.broadcast(FLOATS, work[at + 0 * ROW]);
            s0a = weight.fma(a, s0a);
            s0b = weight.fma(b, s0b);
            weight = FloatVector.broadcast(FLOATS, work[at + 1 * ROW]);
            s1a = weight.fma(a, s1a);
            s1b = weight.fma(b, s1b);
            weight = FloatVector.broadcast(FLOATS, work[at + 2 * ROW]);
            s2a = weight.fma(a, s2a);
            s2b = weight.fma(b, s2b);
            weight = FloatVector.broadcast(FLOATS, work[at + 3 * ROW]);
            s3a = weight.fma(a, s3a);
            s3b = weight.fma(b, s3b);
            weight = FloatVector.broadcast(FLOATS, work[at + 4 * ROW]);
            s4a = weight.fma(a, s4a);
            s4b = weight.fma(b, s4b);
            weight = FloatVector.broadcast(FLOATS, work[at + 5 * ROW]);
            s5a = weight.fma(a, s5a);
            s5b = weight.fma(b, s5b);
            weight = FloatVector.broadcast(FLOATS, work[at + 6 * ROW]);
            s6a = weight.fma(a, s6a);
            s6b = weight.fma(b, s6b);
            weight = FloatVector.broadcast(FLOATS, work[at + 7 * ROW]);
            s7a = weight.fma(a, s7a);
            s7b = weight.fma(b, s7b);
            weight = FloatVector.broadcast(FLOATS, work[at + 8 * ROW]);
            s8a = weight.fma(a, s8a);
            s8b = weight.fma(b, s8b);
            weight = FloatVector.broadcast(FLOATS, work[at + 9 * ROW]);
            s9a = weight.fma(a, s9a);
            s9b = weight.fma(b, s9b);
            weight = FloatVector.broadcast(FLOATS, work[at + 10 * ROW]);
            s10a = weight.fma(a, s10a);
            s10b = weight.fma(b, s10b);
            weight = FloatVector.broadcast(FLOATS, work[at + 11 * ROW]);
            s11a = weight.fma(a, s11a);
            s11b = weight.fma(b, s11b);
        }
        s0a.intoArray(work, tile + 0 * LANES);
        s0b.intoArray(work, tile + 1 * LANES);
        s1a.intoArray(work, tile + 2 * LANES);
        s1b.intoArray(work, tile + 3 * LANES);
        s2a.intoArray(work, tile + 4 * LANES);
        s2b.intoArray(work, tile + 5 * LANES);
        s3a.intoArray(work, tile + 6 * LANES);
        s3b.intoArray(work, tile + 7 * LANES);
        s4a.intoArray(work, tile + 8 * LANES);
        s4b.intoArray(work, tile + 9 * LANES);
        s5a.intoArray(work, tile + 10 * LANES);
        s5b.intoArray(work, tile + 11 * LANES);
        s6a.intoArray(work, tile + 12 * LANES);
        s6b.intoArray(work, tile + 13 * LANES);
        s7a.intoArray(work, tile + 14 * LANES);
        s7b.intoArray(work, tile + 15 * LANES);
        s8a.intoArray(work, tile + 16 * LANES);
        s8b.intoArray(work, tile + 17 * LANES);
        s9a.intoArray(work, tile + 18 * LANES);
        s9b.intoArray(work, tile + 19 * LANES);
        s10a.intoArray(work, tile + 20 * LANES);
        s10b.intoArray(work, tile + 21 * LANES);
        s11a.intoArray(work, tile + 22 * LANES);
        s11b.intoArray(work, tile + 23 * LANES);
    }

    /**
     * As {@link #twoWide} with one vector of tokens.
     */
    static void oneWide(float[] work, int row, long panel, int depth, int tile) {
        FloatVector s0a = FloatVector.fromArray(FLOATS, work, tile + 0 * LANES);
        FloatVector s1a = FloatVector.fromArray(FLOATS, work, tile + 1 * LANES);
        FloatVector s2a = FloatVector.fromArray(FLOATS, work, tile + 2 * LANES);
        FloatVector s3a = FloatVector.fromArray(FLOATS, work, tile + 3 * LANES);
        FloatVector s4a = FloatVector.fromArray(FLOATS, work, tile + 4 * LANES);
        FloatVector s5a = FloatVector.fromArray(FLOATS, work, tile + 5 * LANES);
        FloatVector s6a = FloatVector.fromArray(FLOATS, work, tile + 6 * LANES);
        FloatVector s7a = FloatVector.fromArray(FLOATS, work, tile + 7 * LANES);
        FloatVector s8a = FloatVector.fromArray(FLOATS, work, tile + 8 * LANES);
        FloatVector s9a = FloatVector.fromArray(FLOATS, work, tile + 9 * LANES);
        FloatVector s10a = FloatVector.fromArray(FLOATS, work, tile + 10 * LANES);
        FloatVector s11a = FloatVector.fromArray(FLOATS, work, tile + 11 * LANES);
        for (int i = 0; i < depth; i++) {
            int at = row + i;
            FloatVector a = VectorWidth.load(panel + 1L * BYTES * i);
            FloatVector weight = FloatVector.broadcast(FLOATS, work[at + 0 * ROW]);
            s0a = weight.fma(a, s0a);
            weight = FloatVector.broadcast(FLOATS, work[at + 1 * ROW]);
            s1a = weight.fma(a, s1a);
            weight = FloatVector.broadcast(FLOATS, work[at + 2 * ROW]);
            s2a = weight.fma(a, s2a);
            weight = FloatVector.broadcast(FLOATS, work[at + 3 * ROW]);
            s3a = weight.fma(a, s3a);
            weight = FloatVector.broadcast(FLOATS, work[at + 4 * ROW]);
            s4a = weight.fma(a, s4a);
            weight = FloatVector.broadcast(FLOATS, work[at + 5 * ROW]);
            s5a = weight.fma(a, s5a);
            weight = FloatVector.broadcast(FLOATS, work[at + 6 * ROW]);
            s6a = weight.fma(a, s6a);
            weight = FloatVector.broadcast(FLOATS, work[at + 7 * ROW]);
            s7a = weight.fma(a, s7a);
            weight = FloatVector.broadcast(FLOATS, work[at + 8 * ROW]);
            s8a = weight.fma(a, s8a);
            weight = FloatVector.broadcast(FLOATS, work[at + 9 * ROW]);
            s9a = weight.fma(a, s9a);
            weight = FloatVector.broadcast(FLOATS, work[at + 10 * ROW]);
            s10a = weight.fma(a, s10a);
            weight = FloatVector.broadcast(FLOATS, work[at + 11 * ROW]);
            s11a = weight.fma(a, s11a);
        }
        s0a.intoArray(work, tile + 0 * LANES);
        s1a.intoArray(work, tile + 1 * LANES);
        s2a.intoArray(work, tile + 2 * LANES);
        s3a.intoArray(work, tile + 3 * LANES);
        s4a.intoArray(work, tile + 4 * LANES);
        s5a.intoArray(work, tile + 5 * LANES);
        s6a.intoArray(work, tile + 6 * LANES);
        s7a.intoArray(work, tile + 7 * LANES);
        s8a.intoArray(work, tile + 8 * LANES);
        s9a.intoArray(work, tile + 9 * LANES);
        s10a.intoArray(work, tile + 10 * LANES);
        s11a.intoArray(work, tile + 11 * LANES);
    }
}
