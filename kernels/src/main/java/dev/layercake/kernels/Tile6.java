package dev.layercake.kernels;

import static dev.layercake.kernels.SimdGemm.ROW;
import static dev.layercake.kernels.VectorWidth.BYTES;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * The innermost loops of {@link SimdGemm} for tiles of 6 outputs. Every sum is a local of its own, because only locals
 * live in registers. Weights and sums are arrays, because an access to a segment takes several times the compiler's nodes,
 * and past its limit of nodes C2 stops inlining and boxes every vector.
 */
final class Tile6 {
    static final int ROWS = 6;

    private Tile6() {}
    /**
     * Adds 6 outputs x two vectors of tokens to the sums from {@code work[tile]} on, over {@code depth} inputs of weights from
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
        }
        s0a.intoArray(work, tile + 0 * LANES);
        s1a.intoArray(work, tile + 1 * LANES);
        s2a.intoArray(work, tile + 2 * LANES);
        s3a.intoArray(work, tile + 3 * LANES);
        s4a.intoArray(work, tile + 4 * LANES);
        s5a.intoArray(work, tile + 5 * LANES);
    }
}
