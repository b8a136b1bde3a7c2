package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LITTLE);

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
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector b0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector b1 = FloatVector.zero(FLOATS);
        FloatVector a2 = FloatVector.zero(FLOATS);
        FloatVector b2 = FloatVector.zero(FLOATS);
        FloatVector a3 = FloatVector.zero(FLOATS);
        FloatVector b3 = FloatVector.zero(FLOATS);
        FloatVector a4 = FloatVector.zero(FLOATS);
        FloatVector b4 = FloatVector.zero(FLOATS);
        FloatVector a5 = FloatVector.zero(FLOATS);
        FloatVector b5 = FloatVector.zero(FLOATS);
        FloatVector a6 = FloatVector.zero(FLOATS);
        FloatVector b6 = FloatVector.zero(FLOATS);
        FloatVector a7 = FloatVector.zero(FLOATS);
        FloatVector b7 = FloatVector.zero(FLOATS);
        for (int i = 0; i < headDim; i++) {
            long offset = (long) i * Float.BYTES;
            FloatVector left = FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * ROW_BYTES, LITTLE);
            FloatVector right =
                    FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * ROW_BYTES + Lanes.BYTES, LITTLE);
            FloatVector k0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, keys + offset));
            a0 = k0.fma(left, a0);
            b0 = k0.fma(right, b0);
            FloatVector k1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key1 + offset));
            a1 = k1.fma(left, a1);
            b1 = k1.fma(right, b1);
            FloatVector k2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key2 + offset));
            a2 = k2.fma(left, a2);
            b2 = k2.fma(right, b2);
            FloatVector k3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key3 + offset));
            a3 = k3.fma(left, a3);
            b3 = k3.fma(right, b3);
            FloatVector k4 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key4 + offset));
            a4 = k4.fma(left, a4);
            b4 = k4.fma(right, b4);
            FloatVector k5 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key5 + offset));
            a5 = k5.fma(left, a5);
            b5 = k5.fma(right, b5);
            FloatVector k6 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key6 + offset));
            a6 = k6.fma(left, a6);
            b6 = k6.fma(right, b6);
            FloatVector k7 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key7 + offset));
            a7 = k7.fma(left, a7);
            b7 = k7.fma(right, b7);
        }
        a0.intoMemorySegment(ALL, scores, LITTLE);
        b0.intoMemorySegment(ALL, scores + Lanes.BYTES, LITTLE);
        a1.intoMemorySegment(ALL, scores + ROW_BYTES, LITTLE);
        b1.intoMemorySegment(ALL, scores + ROW_BYTES + Lanes.BYTES, LITTLE);
        a2.intoMemorySegment(ALL, scores + 2 * ROW_BYTES, LITTLE);
        b2.intoMemorySegment(ALL, scores + 2 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a3.intoMemorySegment(ALL, scores + 3 * ROW_BYTES, LITTLE);
        b3.intoMemorySegment(ALL, scores + 3 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a4.intoMemorySegment(ALL, scores + 4 * ROW_BYTES, LITTLE);
        b4.intoMemorySegment(ALL, scores + 4 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a5.intoMemorySegment(ALL, scores + 5 * ROW_BYTES, LITTLE);
        b5.intoMemorySegment(ALL, scores + 5 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a6.intoMemorySegment(ALL, scores + 6 * ROW_BYTES, LITTLE);
        b6.intoMemorySegment(ALL, scores + 6 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a7.intoMemorySegment(ALL, scores + 7 * ROW_BYTES, LITTLE);
        b7.intoMemorySegment(ALL, scores + 7 * ROW_BYTES + Lanes.BYTES, LITTLE);
    }

    private static void scores4(long keys, long keyStride, long queries, int headDim, long scores) {
        long key1 = keys + keyStride;
        long key2 = key1 + keyStride;
        long key3 = key2 + keyStride;
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector b0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector b1 = FloatVector.zero(FLOATS);
        FloatVector a2 = FloatVector.zero(FLOATS);
        FloatVector b2 = FloatVector.zero(FLOATS);
        FloatVector a3 = FloatVector.zero(FLOATS);
        FloatVector b3 = FloatVector.zero(FLOATS);
        for (int i = 0; i < headDim; i++) {
            long offset = (long) i * Float.BYTES;
            FloatVector left = FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * ROW_BYTES, LITTLE);
            FloatVector right =
                    FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * ROW_BYTES + Lanes.BYTES, LITTLE);
            FloatVector k0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, keys + offset));
            a0 = k0.fma(left, a0);
            b0 = k0.fma(right, b0);
            FloatVector k1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key1 + offset));
            a1 = k1.fma(left, a1);
            b1 = k1.fma(right, b1);
            FloatVector k2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key2 + offset));
            a2 = k2.fma(left, a2);
            b2 = k2.fma(right, b2);
            FloatVector k3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, key3 + offset));
            a3 = k3.fma(left, a3);
            b3 = k3.fma(right, b3);
        }
        a0.intoMemorySegment(ALL, scores, LITTLE);
        b0.intoMemorySegment(ALL, scores + Lanes.BYTES, LITTLE);
        a1.intoMemorySegment(ALL, scores + ROW_BYTES, LITTLE);
        b1.intoMemorySegment(ALL, scores + ROW_BYTES + Lanes.BYTES, LITTLE);
        a2.intoMemorySegment(ALL, scores + 2 * ROW_BYTES, LITTLE);
        b2.intoMemorySegment(ALL, scores + 2 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a3.intoMemorySegment(ALL, scores + 3 * ROW_BYTES, LITTLE);
        b3.intoMemorySegment(ALL, scores + 3 * ROW_BYTES + Lanes.BYTES, LITTLE);
    }

    private static void weigh8(long values, long valueStride, int keys, long weights, long factors, long out) {
        FloatVector leftFactor = FloatVector.fromMemorySegment(FLOATS, ALL, factors, LITTLE);
        FloatVector rightFactor = FloatVector.fromMemorySegment(FLOATS, ALL, factors + Lanes.BYTES, LITTLE);
        FloatVector a0 = FloatVector.fromMemorySegment(FLOATS, ALL, out, LITTLE).mul(leftFactor);
        FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, ALL, out + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a1 = FloatVector.fromMemorySegment(FLOATS, ALL, out + ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, ALL, out + ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a2 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b2 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a3 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b3 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a4 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 4 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b4 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 4 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a5 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 5 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b5 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 5 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a6 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 6 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b6 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 6 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a7 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 7 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b7 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 7 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        for (int key = 0; key < keys; key++) {
            long value = values + key * valueStride;
            FloatVector left = FloatVector.fromMemorySegment(FLOATS, ALL, weights + (long) key * ROW_BYTES, LITTLE);
            FloatVector right =
                    FloatVector.fromMemorySegment(FLOATS, ALL, weights + (long) key * ROW_BYTES + Lanes.BYTES, LITTLE);
            FloatVector v0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value));
            a0 = v0.fma(left, a0);
            b0 = v0.fma(right, b0);
            FloatVector v1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 4));
            a1 = v1.fma(left, a1);
            b1 = v1.fma(right, b1);
            FloatVector v2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 8));
            a2 = v2.fma(left, a2);
            b2 = v2.fma(right, b2);
            FloatVector v3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 12));
            a3 = v3.fma(left, a3);
            b3 = v3.fma(right, b3);
            FloatVector v4 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 16));
            a4 = v4.fma(left, a4);
            b4 = v4.fma(right, b4);
            FloatVector v5 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 20));
            a5 = v5.fma(left, a5);
            b5 = v5.fma(right, b5);
            FloatVector v6 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 24));
            a6 = v6.fma(left, a6);
            b6 = v6.fma(right, b6);
            FloatVector v7 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 28));
            a7 = v7.fma(left, a7);
            b7 = v7.fma(right, b7);
        }
        a0.intoMemorySegment(ALL, out, LITTLE);
        b0.intoMemorySegment(ALL, out + Lanes.BYTES, LITTLE);
        a1.intoMemorySegment(ALL, out + ROW_BYTES, LITTLE);
        b1.intoMemorySegment(ALL, out + ROW_BYTES + Lanes.BYTES, LITTLE);
        a2.intoMemorySegment(ALL, out + 2 * ROW_BYTES, LITTLE);
        b2.intoMemorySegment(ALL, out + 2 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a3.intoMemorySegment(ALL, out + 3 * ROW_BYTES, LITTLE);
        b3.intoMemorySegment(ALL, out + 3 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a4.intoMemorySegment(ALL, out + 4 * ROW_BYTES, LITTLE);
        b4.intoMemorySegment(ALL, out + 4 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a5.intoMemorySegment(ALL, out + 5 * ROW_BYTES, LITTLE);
        b5.intoMemorySegment(ALL, out + 5 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a6.intoMemorySegment(ALL, out + 6 * ROW_BYTES, LITTLE);
        b6.intoMemorySegment(ALL, out + 6 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a7.intoMemorySegment(ALL, out + 7 * ROW_BYTES, LITTLE);
        b7.intoMemorySegment(ALL, out + 7 * ROW_BYTES + Lanes.BYTES, LITTLE);
    }

    private static void weigh4(long values, long valueStride, int keys, long weights, long factors, long out) {
        FloatVector leftFactor = FloatVector.fromMemorySegment(FLOATS, ALL, factors, LITTLE);
        FloatVector rightFactor = FloatVector.fromMemorySegment(FLOATS, ALL, factors + Lanes.BYTES, LITTLE);
        FloatVector a0 = FloatVector.fromMemorySegment(FLOATS, ALL, out, LITTLE).mul(leftFactor);
        FloatVector b0 = FloatVector.fromMemorySegment(FLOATS, ALL, out + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a1 = FloatVector.fromMemorySegment(FLOATS, ALL, out + ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b1 = FloatVector.fromMemorySegment(FLOATS, ALL, out + ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a2 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b2 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        FloatVector a3 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * ROW_BYTES, LITTLE)
                .mul(leftFactor);
        FloatVector b3 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * ROW_BYTES + Lanes.BYTES, LITTLE)
                .mul(rightFactor);
        for (int key = 0; key < keys; key++) {
            long value = values + key * valueStride;
            FloatVector left = FloatVector.fromMemorySegment(FLOATS, ALL, weights + (long) key * ROW_BYTES, LITTLE);
            FloatVector right =
                    FloatVector.fromMemorySegment(FLOATS, ALL, weights + (long) key * ROW_BYTES + Lanes.BYTES, LITTLE);
            FloatVector v0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value));
            a0 = v0.fma(left, a0);
            b0 = v0.fma(right, b0);
            FloatVector v1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 4));
            a1 = v1.fma(left, a1);
            b1 = v1.fma(right, b1);
            FloatVector v2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 8));
            a2 = v2.fma(left, a2);
            b2 = v2.fma(right, b2);
            FloatVector v3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, value + 12));
            a3 = v3.fma(left, a3);
            b3 = v3.fma(right, b3);
        }
        a0.intoMemorySegment(ALL, out, LITTLE);
        b0.intoMemorySegment(ALL, out + Lanes.BYTES, LITTLE);
        a1.intoMemorySegment(ALL, out + ROW_BYTES, LITTLE);
        b1.intoMemorySegment(ALL, out + ROW_BYTES + Lanes.BYTES, LITTLE);
        a2.intoMemorySegment(ALL, out + 2 * ROW_BYTES, LITTLE);
        b2.intoMemorySegment(ALL, out + 2 * ROW_BYTES + Lanes.BYTES, LITTLE);
        a3.intoMemorySegment(ALL, out + 3 * ROW_BYTES, LITTLE);
        b3.intoMemorySegment(ALL, out + 3 * ROW_BYTES + Lanes.BYTES, LITTLE);
    }
}
