package dev.layercake.kernels;

import static dev.layercake.kernels.GroupProduct.EXCHANGE_1;
import static dev.layercake.kernels.GroupProduct.EXCHANGE_2;
import static dev.layercake.kernels.GroupProduct.EXCHANGE_4;
import static dev.layercake.kernels.GroupProduct.EXCHANGE_8;
import static dev.layercake.kernels.GroupProduct.KEYS;
import static dev.layercake.kernels.GroupProduct.MANY_REGISTERS;
import static dev.layercake.kernels.GroupProduct.QUERIES;
import static dev.layercake.kernels.GroupProduct.QUERY_BYTES;
import static dev.layercake.kernels.GroupProduct.ROW_BYTES;
import static dev.layercake.kernels.GroupProduct.TILE_BYTES;
import static dev.layercake.kernels.GroupProduct.UPPER_1;
import static dev.layercake.kernels.GroupProduct.UPPER_2;
import static dev.layercake.kernels.GroupProduct.UPPER_4;
import static dev.layercake.kernels.GroupProduct.UPPER_8;
import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.INTS;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link GroupProduct} of bfloat16 rows, read directly. Two of them lie in one int, the even one low, so the elements of
 * queries and outputs lie even ones first, odd ones second in each pair of vectors. Rows are whole such pairs.
 */
final class Bfloat16Product {
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LITTLE);

    private Bfloat16Product() {}

    /** As {@link GroupProduct#scores}, of rows that are {@code pairs} vectors of pairs of numbers long. */
    static void scores(long keys, long stride, int count, int pairs, long queries, long scores) {
        if (MANY_REGISTERS) {
            scoreTiles(keys, stride, count, pairs, queries, scores);
            return;
        }
        for (int key = 0; key < count; key += KEYS) {
            long k0 = keys + key * stride;
            long k1 = keys + Math.min(key + 1, count - 1) * stride;
            long k2 = keys + Math.min(key + 2, count - 1) * stride;
            long k3 = keys + Math.min(key + 3, count - 1) * stride;
            long target = scores + (long) (key / KEYS) * TILE_BYTES;
            for (int query = 0; query < QUERIES; query++) {
                scoreNarrow(k0, k1, k2, k3, pairs, queries + query * Lanes.BYTES, target + query * QUERY_BYTES);
            }
        }
    }

    /** As {@link GroupProduct#weigh}, of rows that are {@code pairs} vectors of pairs of numbers long. */
    static void weigh(long values, long stride, int count, int pairs, long weights, long factors, long out) {
        int pair = 0;
        if (MANY_REGISTERS) {
            for (; pair + 2 <= pairs; pair += 2) {
                weigh2(values + pair * Lanes.BYTES, stride, count, weights, factors, out + 2L * pair * ROW_BYTES);
            }
        }
        for (; pair < pairs; pair++) {
            for (int query = 0; query < QUERIES; query++) {
                weigh1(
                        values + pair * Lanes.BYTES,
                        stride,
                        count,
                        weights + query * QUERY_BYTES,
                        factors + query * QUERY_BYTES,
                        out + 2L * pair * ROW_BYTES + query * Lanes.BYTES);
            }
        }
    }

    /** Why the loop over a row is none that C2 counts, {@link Float16Product} says. */
    private static void scoreTiles(long keys, long stride, int count, int pairs, long queries, long scores) {
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
            long query = queries;
            for (long offset = 0; offset != pairs * Lanes.BYTES; offset += Lanes.BYTES) {
                FloatVector evens0 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 0 * Lanes.BYTES, LITTLE);
                FloatVector odds0 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 4 * Lanes.BYTES, LITTLE);
                FloatVector evens1 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 1 * Lanes.BYTES, LITTLE);
                FloatVector odds1 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 5 * Lanes.BYTES, LITTLE);
                FloatVector evens2 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 2 * Lanes.BYTES, LITTLE);
                FloatVector odds2 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 6 * Lanes.BYTES, LITTLE);
                FloatVector evens3 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 3 * Lanes.BYTES, LITTLE);
                FloatVector odds3 = FloatVector.fromMemorySegment(FLOATS, ALL, query + 7 * Lanes.BYTES, LITTLE);
                query += 2 * ROW_BYTES;
                IntVector pair0 = IntVector.fromMemorySegment(INTS, ALL, k0 + offset, LITTLE);
                FloatVector e0 = pair0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
                FloatVector o0 = pair0.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
                s0 = e0.fma(evens0, s0);
                s4 = e0.fma(evens1, s4);
                s8 = e0.fma(evens2, s8);
                s12 = e0.fma(evens3, s12);
                s0 = o0.fma(odds0, s0);
                s4 = o0.fma(odds1, s4);
                s8 = o0.fma(odds2, s8);
                s12 = o0.fma(odds3, s12);
                IntVector pair1 = IntVector.fromMemorySegment(INTS, ALL, k1 + offset, LITTLE);
                FloatVector e1 = pair1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
                FloatVector o1 = pair1.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
                s1 = e1.fma(evens0, s1);
                s5 = e1.fma(evens1, s5);
                s9 = e1.fma(evens2, s9);
                s13 = e1.fma(evens3, s13);
                s1 = o1.fma(odds0, s1);
                s5 = o1.fma(odds1, s5);
                s9 = o1.fma(odds2, s9);
                s13 = o1.fma(odds3, s13);
                IntVector pair2 = IntVector.fromMemorySegment(INTS, ALL, k2 + offset, LITTLE);
                FloatVector e2 = pair2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
                FloatVector o2 = pair2.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
                s2 = e2.fma(evens0, s2);
                s6 = e2.fma(evens1, s6);
                s10 = e2.fma(evens2, s10);
                s14 = e2.fma(evens3, s14);
                s2 = o2.fma(odds0, s2);
                s6 = o2.fma(odds1, s6);
                s10 = o2.fma(odds2, s10);
                s14 = o2.fma(odds3, s14);
                IntVector pair3 = IntVector.fromMemorySegment(INTS, ALL, k3 + offset, LITTLE);
                FloatVector e3 = pair3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
                FloatVector o3 = pair3.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
                s3 = e3.fma(evens0, s3);
                s7 = e3.fma(evens1, s7);
                s11 = e3.fma(evens2, s11);
                s15 = e3.fma(evens3, s15);
                s3 = o3.fma(odds0, s3);
                s7 = o3.fma(odds1, s7);
                s11 = o3.fma(odds2, s11);
                s15 = o3.fma(odds3, s15);
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

    private static void scoreNarrow(long k0, long k1, long k2, long k3, int pairs, long queries, long target) {
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = FloatVector.zero(FLOATS);
        FloatVector s2 = FloatVector.zero(FLOATS);
        FloatVector s3 = FloatVector.zero(FLOATS);
        for (int i = 0; i < pairs; i++) {
            long offset = (long) i * Lanes.BYTES;
            FloatVector evens = FloatVector.fromMemorySegment(FLOATS, ALL, queries + (long) i * 2 * ROW_BYTES, LITTLE);
            FloatVector odds =
                    FloatVector.fromMemorySegment(FLOATS, ALL, queries + ((long) i * 2 + 1) * ROW_BYTES, LITTLE);
            IntVector pair0 = IntVector.fromMemorySegment(INTS, ALL, k0 + offset, LITTLE);
            s0 = pair0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(evens, s0);
            s0 = pair0.lanewise(VectorOperators.AND, 0xFFFF0000)
                    .reinterpretAsFloats()
                    .fma(odds, s0);
            IntVector pair1 = IntVector.fromMemorySegment(INTS, ALL, k1 + offset, LITTLE);
            s1 = pair1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(evens, s1);
            s1 = pair1.lanewise(VectorOperators.AND, 0xFFFF0000)
                    .reinterpretAsFloats()
                    .fma(odds, s1);
            IntVector pair2 = IntVector.fromMemorySegment(INTS, ALL, k2 + offset, LITTLE);
            s2 = pair2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(evens, s2);
            s2 = pair2.lanewise(VectorOperators.AND, 0xFFFF0000)
                    .reinterpretAsFloats()
                    .fma(odds, s2);
            IntVector pair3 = IntVector.fromMemorySegment(INTS, ALL, k3 + offset, LITTLE);
            s3 = pair3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(evens, s3);
            s3 = pair3.lanewise(VectorOperators.AND, 0xFFFF0000)
                    .reinterpretAsFloats()
                    .fma(odds, s3);
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

    private static void weigh2(long values, long stride, int count, long weights, long factors, long out) {
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
            IntVector pair0 = IntVector.fromMemorySegment(INTS, ALL, value, LITTLE);
            IntVector pair1 = IntVector.fromMemorySegment(INTS, ALL, value + Lanes.BYTES, LITTLE);
            FloatVector v0 = pair0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            FloatVector v1 = pair0.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
            FloatVector v2 = pair1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            FloatVector v3 = pair1.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
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
        FloatVector factor = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, factors));
        FloatVector evens =
                FloatVector.fromMemorySegment(FLOATS, ALL, out, LITTLE).mul(factor);
        FloatVector odds = FloatVector.fromMemorySegment(FLOATS, ALL, out + ROW_BYTES, LITTLE)
                .mul(factor);
        for (int key = 0; key < count; key++) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            IntVector pair = IntVector.fromMemorySegment(INTS, ALL, values + key * stride, LITTLE);
            FloatVector w = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, weight));
            evens = pair.lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats()
                    .fma(w, evens);
            odds = pair.lanewise(VectorOperators.AND, 0xFFFF0000)
                    .reinterpretAsFloats()
                    .fma(w, odds);
        }
        evens.intoMemorySegment(ALL, out, LITTLE);
        odds.intoMemorySegment(ALL, out + ROW_BYTES, LITTLE);
    }
}
