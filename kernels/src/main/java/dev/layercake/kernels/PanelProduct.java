package dev.layercake.kernels;

import jdk.incubator.vector.FloatVector;

/**
 * The two matrix products of attention over panels of queries, register-blocked. A panel is {@link #LANES} queries wide
 * (two vectors) and one row of it follows the other in memory; each lane is one query, so nothing is ever added across
 * lanes. Keys and values are the broadcast operand. Tiles are 8 rows high where there are 32 vector registers and 4
 * elsewhere; the accumulators are named locals because only those stay in registers.
 */
final class PanelProduct {
    static final int LANES = 2 * Lanes.COUNT;
    static final long ROW_BYTES = (long) LANES * Float.BYTES;
    /** Rows of keys, and elements of values, come in multiples of this. */
    static final int TILE = 8;

    private static final boolean MANY_REGISTERS = Lanes.COUNT == 16;

    private PanelProduct() {}

    /**
     * {@code scores[key][lane] = sum over i of keys[key][i] * queries[i][lane]}.
     *
     * @param keyRows a multiple of {@link #TILE}; the rows beyond the last key hold anything
     */
    static void scores(long keys, long keyStride, int keyRows, long queries, int headDim, long scores) {
        if (MANY_REGISTERS) {
            for (int key = 0; key < keyRows; key += 8) {
                scores8(keys + key * keyStride, keyStride, queries, headDim, scores + (long) key * ROW_BYTES);
            }
        } else {
            for (int key = 0; key < keyRows; key += 4) {
                scores4(keys + key * keyStride, keyStride, queries, headDim, scores + (long) key * ROW_BYTES);
            }
        }
    }

    /**
     * {@code out[i][lane] = factors[lane] * out[i][lane] + sum over key of values[key][i] * weights[key][lane]}.
     *
     * @param elements a multiple of {@link #TILE}
     */
    static void weigh(long values, long valueStride, int keys, long weights, int elements, long factors, long out) {
        if (MANY_REGISTERS) {
            for (int i = 0; i < elements; i += 8) {
                weigh8(values + i * 4L, valueStride, keys, weights, factors, out + (long) i * ROW_BYTES);
            }
        } else {
            for (int i = 0; i < elements; i += 4) {
                weigh4(values + i * 4L, valueStride, keys, weights, factors, out + (long) i * ROW_BYTES);
            }
        }
    }

    private static void scores8(long keys, long keyStride, long queries, int headDim, long scores) {
        long key1 = keys + keyStride;
        long key2 = key1 + keyStride;
        long key3 = key2 + keyStride;
        long key4 = key3 + keyStride;
        long key5 = key4 + keyStride;
        long key6 = key5 + keyStride;
        long key7 = key6 + keyStride;
        FloatVector a0 = VectorWidth.broadcast(0f);
        FloatVector b0 = VectorWidth.broadcast(0f);
        FloatVector a1 = VectorWidth.broadcast(0f);
        FloatVector b1 = VectorWidth.broadcast(0f);
        FloatVector a2 = VectorWidth.broadcast(0f);
        FloatVector b2 = VectorWidth.broadcast(0f);
        FloatVector a3 = VectorWidth.broadcast(0f);
        FloatVector b3 = VectorWidth.broadcast(0f);
        FloatVector a4 = VectorWidth.broadcast(0f);
        FloatVector b4 = VectorWidth.broadcast(0f);
        FloatVector a5 = VectorWidth.broadcast(0f);
        FloatVector b5 = VectorWidth.broadcast(0f);
        FloatVector a6 = VectorWidth.broadcast(0f);
        FloatVector b6 = VectorWidth.broadcast(0f);
        FloatVector a7 = VectorWidth.broadcast(0f);
        FloatVector b7 = VectorWidth.broadcast(0f);
        for (int i = 0; i < headDim; i++) {
            long offset = (long) i * Float.BYTES;
            FloatVector left = Lanes.load(queries + (long) i * ROW_BYTES);
            FloatVector right = Lanes.load(queries + (long) i * ROW_BYTES + Lanes.BYTES);
            FloatVector k0 = Lanes.broadcast(keys + offset);
            a0 = k0.fma(left, a0);
            b0 = k0.fma(right, b0);
            FloatVector k1 = Lanes.broadcast(key1 + offset);
            a1 = k1.fma(left, a1);
            b1 = k1.fma(right, b1);
            FloatVector k2 = Lanes.broadcast(key2 + offset);
            a2 = k2.fma(left, a2);
            b2 = k2.fma(right, b2);
            FloatVector k3 = Lanes.broadcast(key3 + offset);
            a3 = k3.fma(left, a3);
            b3 = k3.fma(right, b3);
            FloatVector k4 = Lanes.broadcast(key4 + offset);
            a4 = k4.fma(left, a4);
            b4 = k4.fma(right, b4);
            FloatVector k5 = Lanes.broadcast(key5 + offset);
            a5 = k5.fma(left, a5);
            b5 = k5.fma(right, b5);
            FloatVector k6 = Lanes.broadcast(key6 + offset);
            a6 = k6.fma(left, a6);
            b6 = k6.fma(right, b6);
            FloatVector k7 = Lanes.broadcast(key7 + offset);
            a7 = k7.fma(left, a7);
            b7 = k7.fma(right, b7);
        }
        Lanes.store(a0, scores);
        Lanes.store(b0, scores + Lanes.BYTES);
        Lanes.store(a1, scores + ROW_BYTES);
        Lanes.store(b1, scores + ROW_BYTES + Lanes.BYTES);
        Lanes.store(a2, scores + 2 * ROW_BYTES);
        Lanes.store(b2, scores + 2 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a3, scores + 3 * ROW_BYTES);
        Lanes.store(b3, scores + 3 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a4, scores + 4 * ROW_BYTES);
        Lanes.store(b4, scores + 4 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a5, scores + 5 * ROW_BYTES);
        Lanes.store(b5, scores + 5 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a6, scores + 6 * ROW_BYTES);
        Lanes.store(b6, scores + 6 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a7, scores + 7 * ROW_BYTES);
        Lanes.store(b7, scores + 7 * ROW_BYTES + Lanes.BYTES);
    }

    private static void scores4(long keys, long keyStride, long queries, int headDim, long scores) {
        long key1 = keys + keyStride;
        long key2 = key1 + keyStride;
        long key3 = key2 + keyStride;
        FloatVector a0 = VectorWidth.broadcast(0f);
        FloatVector b0 = VectorWidth.broadcast(0f);
        FloatVector a1 = VectorWidth.broadcast(0f);
        FloatVector b1 = VectorWidth.broadcast(0f);
        FloatVector a2 = VectorWidth.broadcast(0f);
        FloatVector b2 = VectorWidth.broadcast(0f);
        FloatVector a3 = VectorWidth.broadcast(0f);
        FloatVector b3 = VectorWidth.broadcast(0f);
        for (int i = 0; i < headDim; i++) {
            long offset = (long) i * Float.BYTES;
            FloatVector left = Lanes.load(queries + (long) i * ROW_BYTES);
            FloatVector right = Lanes.load(queries + (long) i * ROW_BYTES + Lanes.BYTES);
            FloatVector k0 = Lanes.broadcast(keys + offset);
            a0 = k0.fma(left, a0);
            b0 = k0.fma(right, b0);
            FloatVector k1 = Lanes.broadcast(key1 + offset);
            a1 = k1.fma(left, a1);
            b1 = k1.fma(right, b1);
            FloatVector k2 = Lanes.broadcast(key2 + offset);
            a2 = k2.fma(left, a2);
            b2 = k2.fma(right, b2);
            FloatVector k3 = Lanes.broadcast(key3 + offset);
            a3 = k3.fma(left, a3);
            b3 = k3.fma(right, b3);
        }
        Lanes.store(a0, scores);
        Lanes.store(b0, scores + Lanes.BYTES);
        Lanes.store(a1, scores + ROW_BYTES);
        Lanes.store(b1, scores + ROW_BYTES + Lanes.BYTES);
        Lanes.store(a2, scores + 2 * ROW_BYTES);
        Lanes.store(b2, scores + 2 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a3, scores + 3 * ROW_BYTES);
        Lanes.store(b3, scores + 3 * ROW_BYTES + Lanes.BYTES);
    }

    private static void weigh8(long values, long valueStride, int keys, long weights, long factors, long out) {
        FloatVector leftFactor = Lanes.load(factors);
        FloatVector rightFactor = Lanes.load(factors + Lanes.BYTES);
        FloatVector a0 = Lanes.load(out).mul(leftFactor);
        FloatVector b0 = Lanes.load(out + Lanes.BYTES).mul(rightFactor);
        FloatVector a1 = Lanes.load(out + ROW_BYTES).mul(leftFactor);
        FloatVector b1 = Lanes.load(out + ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a2 = Lanes.load(out + 2 * ROW_BYTES).mul(leftFactor);
        FloatVector b2 = Lanes.load(out + 2 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a3 = Lanes.load(out + 3 * ROW_BYTES).mul(leftFactor);
        FloatVector b3 = Lanes.load(out + 3 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a4 = Lanes.load(out + 4 * ROW_BYTES).mul(leftFactor);
        FloatVector b4 = Lanes.load(out + 4 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a5 = Lanes.load(out + 5 * ROW_BYTES).mul(leftFactor);
        FloatVector b5 = Lanes.load(out + 5 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a6 = Lanes.load(out + 6 * ROW_BYTES).mul(leftFactor);
        FloatVector b6 = Lanes.load(out + 6 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a7 = Lanes.load(out + 7 * ROW_BYTES).mul(leftFactor);
        FloatVector b7 = Lanes.load(out + 7 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        for (int key = 0; key < keys; key++) {
            long value = values + key * valueStride;
            FloatVector left = Lanes.load(weights + (long) key * ROW_BYTES);
            FloatVector right = Lanes.load(weights + (long) key * ROW_BYTES + Lanes.BYTES);
            FloatVector v0 = Lanes.broadcast(value);
            a0 = v0.fma(left, a0);
            b0 = v0.fma(right, b0);
            FloatVector v1 = Lanes.broadcast(value + 4);
            a1 = v1.fma(left, a1);
            b1 = v1.fma(right, b1);
            FloatVector v2 = Lanes.broadcast(value + 8);
            a2 = v2.fma(left, a2);
            b2 = v2.fma(right, b2);
            FloatVector v3 = Lanes.broadcast(value + 12);
            a3 = v3.fma(left, a3);
            b3 = v3.fma(right, b3);
            FloatVector v4 = Lanes.broadcast(value + 16);
            a4 = v4.fma(left, a4);
            b4 = v4.fma(right, b4);
            FloatVector v5 = Lanes.broadcast(value + 20);
            a5 = v5.fma(left, a5);
            b5 = v5.fma(right, b5);
            FloatVector v6 = Lanes.broadcast(value + 24);
            a6 = v6.fma(left, a6);
            b6 = v6.fma(right, b6);
            FloatVector v7 = Lanes.broadcast(value + 28);
            a7 = v7.fma(left, a7);
            b7 = v7.fma(right, b7);
        }
        Lanes.store(a0, out);
        Lanes.store(b0, out + Lanes.BYTES);
        Lanes.store(a1, out + ROW_BYTES);
        Lanes.store(b1, out + ROW_BYTES + Lanes.BYTES);
        Lanes.store(a2, out + 2 * ROW_BYTES);
        Lanes.store(b2, out + 2 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a3, out + 3 * ROW_BYTES);
        Lanes.store(b3, out + 3 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a4, out + 4 * ROW_BYTES);
        Lanes.store(b4, out + 4 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a5, out + 5 * ROW_BYTES);
        Lanes.store(b5, out + 5 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a6, out + 6 * ROW_BYTES);
        Lanes.store(b6, out + 6 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a7, out + 7 * ROW_BYTES);
        Lanes.store(b7, out + 7 * ROW_BYTES + Lanes.BYTES);
    }

    private static void weigh4(long values, long valueStride, int keys, long weights, long factors, long out) {
        FloatVector leftFactor = Lanes.load(factors);
        FloatVector rightFactor = Lanes.load(factors + Lanes.BYTES);
        FloatVector a0 = Lanes.load(out).mul(leftFactor);
        FloatVector b0 = Lanes.load(out + Lanes.BYTES).mul(rightFactor);
        FloatVector a1 = Lanes.load(out + ROW_BYTES).mul(leftFactor);
        FloatVector b1 = Lanes.load(out + ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a2 = Lanes.load(out + 2 * ROW_BYTES).mul(leftFactor);
        FloatVector b2 = Lanes.load(out + 2 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        FloatVector a3 = Lanes.load(out + 3 * ROW_BYTES).mul(leftFactor);
        FloatVector b3 = Lanes.load(out + 3 * ROW_BYTES + Lanes.BYTES).mul(rightFactor);
        for (int key = 0; key < keys; key++) {
            long value = values + key * valueStride;
            FloatVector left = Lanes.load(weights + (long) key * ROW_BYTES);
            FloatVector right = Lanes.load(weights + (long) key * ROW_BYTES + Lanes.BYTES);
            FloatVector v0 = Lanes.broadcast(value);
            a0 = v0.fma(left, a0);
            b0 = v0.fma(right, b0);
            FloatVector v1 = Lanes.broadcast(value + 4);
            a1 = v1.fma(left, a1);
            b1 = v1.fma(right, b1);
            FloatVector v2 = Lanes.broadcast(value + 8);
            a2 = v2.fma(left, a2);
            b2 = v2.fma(right, b2);
            FloatVector v3 = Lanes.broadcast(value + 12);
            a3 = v3.fma(left, a3);
            b3 = v3.fma(right, b3);
        }
        Lanes.store(a0, out);
        Lanes.store(b0, out + Lanes.BYTES);
        Lanes.store(a1, out + ROW_BYTES);
        Lanes.store(b1, out + ROW_BYTES + Lanes.BYTES);
        Lanes.store(a2, out + 2 * ROW_BYTES);
        Lanes.store(b2, out + 2 * ROW_BYTES + Lanes.BYTES);
        Lanes.store(a3, out + 3 * ROW_BYTES);
        Lanes.store(b3, out + 3 * ROW_BYTES + Lanes.BYTES);
    }
}
