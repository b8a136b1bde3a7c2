package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * The two products of decode attention: one key or value row against all query heads of its group, a tile of {@link
 * #QUERIES} of them at a time. Four keys are taken together, so that a tile has as many independent dot products as a
 * vector has lanes, and their sums across lanes are made all at once. Two vectors are added to themselves over a distance of half their lanes,
 * one's sums kept in the lower and the other's in the upper half; then over a quarter, an eighth, a sixteenth.
 *
 * <p>Scores of a tile lie as [keys / 4][QUERIES][4]: one vector per four keys. Queries and outputs lie as [vectors of a
 * row][QUERIES] vectors. {@link Bfloat16Product} and {@link Float16Product} read rows of 16-bit numbers without widening them first.
 */
final class GroupProduct {
    static final int KEYS = 4;
    static final int QUERIES = Lanes.COUNT / KEYS;
    /** Bytes of the scores of four keys. */
    static final long TILE_BYTES = Lanes.BYTES;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LITTLE);

    static final boolean MANY_REGISTERS = Lanes.COUNT == 16;
    static final long QUERY_BYTES = (long) KEYS * Float.BYTES;
    static final long ROW_BYTES = QUERIES * Lanes.BYTES;

    static final VectorMask<Float> UPPER_8 = Lanes.upper(8);
    static final VectorMask<Float> UPPER_4 = Lanes.upper(4);
    static final VectorMask<Float> UPPER_2 = Lanes.upper(2);
    static final VectorMask<Float> UPPER_1 = Lanes.upper(1);
    static final VectorShuffle<Float> EXCHANGE_8 = Lanes.exchange(8);
    static final VectorShuffle<Float> EXCHANGE_4 = Lanes.exchange(4);
    static final VectorShuffle<Float> EXCHANGE_2 = Lanes.exchange(2);
    static final VectorShuffle<Float> EXCHANGE_1 = Lanes.exchange(1);

    private GroupProduct() {}

    /**
     * Scores of {@code count} keys whose rows are {@code vectors} whole float vectors long. The last tile may be partly
     * filled; what it holds beyond the last key is the last key's again.
     */
    static void scores(long keys, long stride, int count, int vectors, long queries, long scores) {
        if (MANY_REGISTERS) {
            scoreTiles(keys, stride, count, vectors, queries, scores);
            return;
        }
        for (int key = 0; key < count; key += KEYS) {
            long k0 = keys + key * stride;
            long k1 = keys + Math.min(key + 1, count - 1) * stride;
            long k2 = keys + Math.min(key + 2, count - 1) * stride;
            long k3 = keys + Math.min(key + 3, count - 1) * stride;
            long target = scores + (long) (key / KEYS) * TILE_BYTES;
            for (int query = 0; query < QUERIES; query++) {
                scoreNarrow(k0, k1, k2, k3, vectors, queries + query * Lanes.BYTES, target + query * QUERY_BYTES);
            }
        }
    }

    /**
     * {@code out[query] = factors[query] * out[query] + sum over key of weights[key][query] * values[key]}.
     *
     * @param factors where the factor of query q lies in element 4 q
     */
    static void weigh(long values, long stride, int count, int vectors, long weights, long factors, long out) {
        int vector = 0;
        if (MANY_REGISTERS) {
            for (; vector + 4 <= vectors; vector += 4) {
                weigh4(values + vector * Lanes.BYTES, stride, count, weights, factors, out + vector * ROW_BYTES);
            }
        }
        for (; vector < vectors; vector++) {
            for (int query = 0; query < QUERIES; query++) {
                weigh1(
                        values + vector * Lanes.BYTES,
                        stride,
                        count,
                        weights + query * QUERY_BYTES,
                        factors + query * QUERY_BYTES,
                        out + vector * ROW_BYTES + query * Lanes.BYTES);
            }
        }
    }

    /** {@code out[query] += factors[query] * sums[query]}, both [vectors][QUERIES]; factors as in {@link #weigh}. */
    static void addScaled(long sums, int vectors, long factors, long out) {
        for (int query = 0; query < QUERIES; query++) {
            FloatVector factor = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors + query * QUERY_BYTES));
            for (int vector = 0; vector < vectors; vector++) {
                long at = vector * ROW_BYTES + query * Lanes.BYTES;
                FloatVector.fromMemorySegment(FLOATS, ALL, sums + at, LITTLE)
                        .fma(factor, FloatVector.fromMemorySegment(FLOATS, ALL, out + at, LITTLE))
                        .intoMemorySegment(ALL, out + at, LITTLE);
            }
        }
    }

    /** Puts into each lane the maximum over the four keys of its query. */
    static void spreadMaximum(long address) {
        FloatVector most = FloatVector.fromMemorySegment(FLOATS, ALL, address, LITTLE);
        most = most.max(most.rearrange(EXCHANGE_1));
        most.max(most.rearrange(EXCHANGE_2)).intoMemorySegment(ALL, address, LITTLE);
    }

    private static void scoreTiles(long keys, long stride, int count, int vectors, long queries, long scores) {
        for (int key = 0; key < count; key += KEYS) {
            long k0 = keys + key * stride;
            long k1 = keys + Math.min(key + 1, count - 1) * stride;
            long k2 = keys + Math.min(key + 2, count - 1) * stride;
            long k3 = keys + Math.min(key + 3, count - 1) * stride;
            long target = scores + (long) (key / KEYS) * TILE_BYTES;

            FloatVector s0 = FloatVector.zero(FLOATS);
            FloatVector s1 = FloatVector.zero(FLOATS);
            FloatVector s2 = FloatVector.zero(FLOATS);
            FloatVector s3 = FloatVector.zero(FLOATS);
            FloatVector s4 = FloatVector.zero(FLOATS);
            FloatVector s5 = FloatVector.zero(FLOATS);
            FloatVector s6 = FloatVector.zero(FLOATS);
            FloatVector s7 = FloatVector.zero(FLOATS);
            FloatVector s8 = FloatVector.zero(FLOATS);
            FloatVector s9 = FloatVector.zero(FLOATS);
            FloatVector s10 = FloatVector.zero(FLOATS);
            FloatVector s11 = FloatVector.zero(FLOATS);
            FloatVector s12 = FloatVector.zero(FLOATS);
            FloatVector s13 = FloatVector.zero(FLOATS);
            FloatVector s14 = FloatVector.zero(FLOATS);
            FloatVector s15 = FloatVector.zero(FLOATS);
            for (int i = 0; i < vectors; i++) {
                long offset = (long) i * Lanes.BYTES;
                long query = queries + (long) i * ROW_BYTES;
                FloatVector key0 = FloatVector.fromMemorySegment(FLOATS, ALL, k0 + offset, LITTLE);
                FloatVector key1 = FloatVector.fromMemorySegment(FLOATS, ALL, k1 + offset, LITTLE);
                FloatVector key2 = FloatVector.fromMemorySegment(FLOATS, ALL, k2 + offset, LITTLE);
                FloatVector key3 = FloatVector.fromMemorySegment(FLOATS, ALL, k3 + offset, LITTLE);
                FloatVector q0 = FloatVector.fromMemorySegment(FLOATS, ALL, query, LITTLE);
                s0 = key0.fma(q0, s0);
                s1 = key1.fma(q0, s1);
                s2 = key2.fma(q0, s2);
                s3 = key3.fma(q0, s3);
                FloatVector q1 = FloatVector.fromMemorySegment(FLOATS, ALL, query + Lanes.BYTES, LITTLE);
                s4 = key0.fma(q1, s4);
                s5 = key1.fma(q1, s5);
                s6 = key2.fma(q1, s6);
                s7 = key3.fma(q1, s7);
                FloatVector q2 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 2 * Lanes.BYTES, LITTLE);
                s8 = key0.fma(q2, s8);
                s9 = key1.fma(q2, s9);
                s10 = key2.fma(q2, s10);
                s11 = key3.fma(q2, s11);
                FloatVector q3 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 3 * Lanes.BYTES, LITTLE);
                s12 = key0.fma(q3, s12);
                s13 = key1.fma(q3, s13);
                s14 = key2.fma(q3, s14);
                s15 = key3.fma(q3, s15);
            }
            s0 = s0.blend(s8, UPPER_8).add(s8.blend(s0, UPPER_8).rearrange(EXCHANGE_8));
            s1 = s1.blend(s9, UPPER_8).add(s9.blend(s1, UPPER_8).rearrange(EXCHANGE_8));
            s2 = s2.blend(s10, UPPER_8).add(s10.blend(s2, UPPER_8).rearrange(EXCHANGE_8));
            s3 = s3.blend(s11, UPPER_8).add(s11.blend(s3, UPPER_8).rearrange(EXCHANGE_8));
            s4 = s4.blend(s12, UPPER_8).add(s12.blend(s4, UPPER_8).rearrange(EXCHANGE_8));
            s5 = s5.blend(s13, UPPER_8).add(s13.blend(s5, UPPER_8).rearrange(EXCHANGE_8));
            s6 = s6.blend(s14, UPPER_8).add(s14.blend(s6, UPPER_8).rearrange(EXCHANGE_8));
            s7 = s7.blend(s15, UPPER_8).add(s15.blend(s7, UPPER_8).rearrange(EXCHANGE_8));
            s0 = s0.blend(s4, UPPER_4).add(s4.blend(s0, UPPER_4).rearrange(EXCHANGE_4));
            s1 = s1.blend(s5, UPPER_4).add(s5.blend(s1, UPPER_4).rearrange(EXCHANGE_4));
            s2 = s2.blend(s6, UPPER_4).add(s6.blend(s2, UPPER_4).rearrange(EXCHANGE_4));
            s3 = s3.blend(s7, UPPER_4).add(s7.blend(s3, UPPER_4).rearrange(EXCHANGE_4));
            s0 = s0.blend(s2, UPPER_2).add(s2.blend(s0, UPPER_2).rearrange(EXCHANGE_2));
            s1 = s1.blend(s3, UPPER_2).add(s3.blend(s1, UPPER_2).rearrange(EXCHANGE_2));
            s0 = s0.blend(s1, UPPER_1).add(s1.blend(s0, UPPER_1).rearrange(EXCHANGE_1));
            s0.intoMemorySegment(ALL, target, LITTLE);
        }
    }

    private static void scoreNarrow(long k0, long k1, long k2, long k3, int vectors, long queries, long target) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        for (int i = 0; i < vectors; i++) {
            long offset = (long) i * Lanes.BYTES;
            FloatVector query = FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * ROW_BYTES, LITTLE);
            s0 = FloatVector.fromMemorySegment(FLOATS, ALL, k0 + offset, LITTLE).fma(query, s0);
            s1 = FloatVector.fromMemorySegment(FLOATS, ALL, k1 + offset, LITTLE).fma(query, s1);
            s2 = FloatVector.fromMemorySegment(FLOATS, ALL, k2 + offset, LITTLE).fma(query, s2);
            s3 = FloatVector.fromMemorySegment(FLOATS, ALL, k3 + offset, LITTLE).fma(query, s3);
        }
        s0 = s0.blend(s2, UPPER_2).add(s2.blend(s0, UPPER_2).rearrange(EXCHANGE_2));
        s1 = s1.blend(s3, UPPER_2).add(s3.blend(s1, UPPER_2).rearrange(EXCHANGE_2));
        s0 = s0.blend(s1, UPPER_1).add(s1.blend(s0, UPPER_1).rearrange(EXCHANGE_1));
        if (Lanes.COUNT >= 8) {
            s0 = s0.add(s0.rearrange(EXCHANGE_4));
        }
        // Beyond the four sums this writes into the next query's place, before that is written itself.
        s0.intoMemorySegment(ALL, target, LITTLE);
    }

    private static void weigh4(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector factor0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors));
        FloatVector factor1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors + QUERY_BYTES));
        FloatVector factor2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors + 2 * QUERY_BYTES));
        FloatVector factor3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors + 3 * QUERY_BYTES));
        FloatVector s00 =
                FloatVector.fromMemorySegment(FLOATS, ALL, out, LITTLE).mul(factor0);
        FloatVector s01 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 4 * Lanes.BYTES, LITTLE)
                .mul(factor0);
        FloatVector s02 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 8 * Lanes.BYTES, LITTLE)
                .mul(factor0);
        FloatVector s03 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 12 * Lanes.BYTES, LITTLE)
                .mul(factor0);
        FloatVector s10 = FloatVector.fromMemorySegment(FLOATS, ALL, out + Lanes.BYTES, LITTLE)
                .mul(factor1);
        FloatVector s11 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 5 * Lanes.BYTES, LITTLE)
                .mul(factor1);
        FloatVector s12 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 9 * Lanes.BYTES, LITTLE)
                .mul(factor1);
        FloatVector s13 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 13 * Lanes.BYTES, LITTLE)
                .mul(factor1);
        FloatVector s20 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * Lanes.BYTES, LITTLE)
                .mul(factor2);
        FloatVector s21 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 6 * Lanes.BYTES, LITTLE)
                .mul(factor2);
        FloatVector s22 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 10 * Lanes.BYTES, LITTLE)
                .mul(factor2);
        FloatVector s23 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 14 * Lanes.BYTES, LITTLE)
                .mul(factor2);
        FloatVector s30 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * Lanes.BYTES, LITTLE)
                .mul(factor3);
        FloatVector s31 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 7 * Lanes.BYTES, LITTLE)
                .mul(factor3);
        FloatVector s32 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 11 * Lanes.BYTES, LITTLE)
                .mul(factor3);
        FloatVector s33 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 15 * Lanes.BYTES, LITTLE)
                .mul(factor3);
        for (int key = 0; key < count; key++) {
            long value = values + key * stride;
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, value, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, value + Lanes.BYTES, LITTLE);
            FloatVector v2 = FloatVector.fromMemorySegment(FLOATS, ALL, value + 2 * Lanes.BYTES, LITTLE);
            FloatVector v3 = FloatVector.fromMemorySegment(FLOATS, ALL, value + 3 * Lanes.BYTES, LITTLE);
            FloatVector w0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight));
            s00 = v0.fma(w0, s00);
            s01 = v1.fma(w0, s01);
            s02 = v2.fma(w0, s02);
            s03 = v3.fma(w0, s03);
            FloatVector w1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight + QUERY_BYTES));
            s10 = v0.fma(w1, s10);
            s11 = v1.fma(w1, s11);
            s12 = v2.fma(w1, s12);
            s13 = v3.fma(w1, s13);
            FloatVector w2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight + 2 * QUERY_BYTES));
            s20 = v0.fma(w2, s20);
            s21 = v1.fma(w2, s21);
            s22 = v2.fma(w2, s22);
            s23 = v3.fma(w2, s23);
            FloatVector w3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight + 3 * QUERY_BYTES));
            s30 = v0.fma(w3, s30);
            s31 = v1.fma(w3, s31);
            s32 = v2.fma(w3, s32);
            s33 = v3.fma(w3, s33);
        }
        s00.intoMemorySegment(ALL, out, LITTLE);
        s01.intoMemorySegment(ALL, out + 4 * Lanes.BYTES, LITTLE);
        s02.intoMemorySegment(ALL, out + 8 * Lanes.BYTES, LITTLE);
        s03.intoMemorySegment(ALL, out + 12 * Lanes.BYTES, LITTLE);
        s10.intoMemorySegment(ALL, out + Lanes.BYTES, LITTLE);
        s11.intoMemorySegment(ALL, out + 5 * Lanes.BYTES, LITTLE);
        s12.intoMemorySegment(ALL, out + 9 * Lanes.BYTES, LITTLE);
        s13.intoMemorySegment(ALL, out + 13 * Lanes.BYTES, LITTLE);
        s20.intoMemorySegment(ALL, out + 2 * Lanes.BYTES, LITTLE);
        s21.intoMemorySegment(ALL, out + 6 * Lanes.BYTES, LITTLE);
        s22.intoMemorySegment(ALL, out + 10 * Lanes.BYTES, LITTLE);
        s23.intoMemorySegment(ALL, out + 14 * Lanes.BYTES, LITTLE);
        s30.intoMemorySegment(ALL, out + 3 * Lanes.BYTES, LITTLE);
        s31.intoMemorySegment(ALL, out + 7 * Lanes.BYTES, LITTLE);
        s32.intoMemorySegment(ALL, out + 11 * Lanes.BYTES, LITTLE);
        s33.intoMemorySegment(ALL, out + 15 * Lanes.BYTES, LITTLE);
    }

    private static void weigh1(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector even = FloatVector.fromMemorySegment(FLOATS, ALL, out, LITTLE)
                .mul(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors)));
        FloatVector odd = FloatVector.zero(FLOATS);
        int key = 0;
        for (; key + 2 <= count; key += 2) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            even = FloatVector.fromMemorySegment(FLOATS, ALL, values + key * stride, LITTLE)
                    .fma(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight)), even);
            odd = FloatVector.fromMemorySegment(FLOATS, ALL, values + (key + 1) * stride, LITTLE)
                    .fma(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight + Float.BYTES)), odd);
        }
        if (key < count) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            even = FloatVector.fromMemorySegment(FLOATS, ALL, values + key * stride, LITTLE)
                    .fma(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight)), even);
        }
        even.add(odd).intoMemorySegment(ALL, out, LITTLE);
    }
}
