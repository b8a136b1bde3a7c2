package dev.layercake.kernels;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * The two products of decode attention: one key or value row against all query heads of its group, a tile of {@link
 * #QUERIES} of them at a time. Four keys are taken together, so that a tile has as many independent dot products as a
 * vector has lanes, and their sums across lanes are made all at once, by exchanging halves.
 *
 * <p>Scores of a tile lie as [keys / 4][QUERIES][4]: one vector per four keys. Queries and outputs lie as [vectors of a
 * row][QUERIES] vectors. For bfloat16 rows that are whole pairs of vectors there are kernels that read them directly; the
 * elements of queries and outputs then lie even ones first, odd ones second in each pair of vectors.
 */
final class GroupProduct {
    static final int KEYS = 4;
    static final int QUERIES = Lanes.COUNT / KEYS;
    /** Bytes of the scores of four keys. */
    static final long TILE_BYTES = Lanes.BYTES;

    private static final boolean MANY_REGISTERS = Lanes.COUNT == 16;
    private static final long QUERY_BYTES = (long) KEYS * Float.BYTES;
    private static final long ROW_BYTES = QUERIES * Lanes.BYTES;

    private static final VectorMask<Float> UPPER_8 = Lanes.upper(8);
    private static final VectorMask<Float> UPPER_4 = Lanes.upper(4);
    private static final VectorMask<Float> UPPER_2 = Lanes.upper(2);
    private static final VectorMask<Float> UPPER_1 = Lanes.upper(1);
    private static final VectorShuffle<Float> EXCHANGE_8 = Lanes.exchange(8);
    private static final VectorShuffle<Float> EXCHANGE_4 = Lanes.exchange(4);
    private static final VectorShuffle<Float> EXCHANGE_2 = Lanes.exchange(2);
    private static final VectorShuffle<Float> EXCHANGE_1 = Lanes.exchange(1);

    private GroupProduct() {}

    /**
     * Scores of {@code count} keys whose rows are {@code vectors} whole float vectors long. The last tile may be partly
     * filled; what it holds beyond the last key is the last key's again.
     */
    static void scores(long keys, long stride, int count, int vectors, long queries, long scores) {
        for (int key = 0; key < count; key += KEYS) {
            long k0 = keys + key * stride;
            long k1 = keys + Math.min(key + 1, count - 1) * stride;
            long k2 = keys + Math.min(key + 2, count - 1) * stride;
            long k3 = keys + Math.min(key + 3, count - 1) * stride;
            long target = scores + (long) (key / KEYS) * TILE_BYTES;
            if (MANY_REGISTERS) {
                scoreTile(k0, k1, k2, k3, vectors, queries, target);
            } else {
                for (int query = 0; query < QUERIES; query++) {
                    scoreNarrow(k0, k1, k2, k3, vectors, queries + query * Lanes.BYTES, target + query * QUERY_BYTES);
                }
            }
        }
    }

    /** As {@link #scores}, of rows that are {@code pairs} whole vectors of pairs of bfloat16 numbers long. */
    static void scoresBfloat16(long keys, long stride, int count, int pairs, long queries, long scores) {
        for (int key = 0; key < count; key += KEYS) {
            long k0 = keys + key * stride;
            long k1 = keys + Math.min(key + 1, count - 1) * stride;
            long k2 = keys + Math.min(key + 2, count - 1) * stride;
            long k3 = keys + Math.min(key + 3, count - 1) * stride;
            long target = scores + (long) (key / KEYS) * TILE_BYTES;
            if (MANY_REGISTERS) {
                scoreTileBfloat16(k0, k1, k2, k3, pairs, queries, target);
            } else {
                for (int query = 0; query < QUERIES; query++) {
                    scoreNarrowBfloat16(
                            k0, k1, k2, k3, pairs, queries + query * Lanes.BYTES, target + query * QUERY_BYTES);
                }
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

    /** As {@link #weigh}, of rows that are {@code pairs} whole vectors of pairs of bfloat16 numbers long. */
    static void weighBfloat16(long values, long stride, int count, int pairs, long weights, long factors, long out) {
        int pair = 0;
        if (MANY_REGISTERS) {
            for (; pair + 2 <= pairs; pair += 2) {
                weigh2Bfloat16(
                        values + pair * Lanes.BYTES, stride, count, weights, factors, out + 2L * pair * ROW_BYTES);
            }
        }
        for (; pair < pairs; pair++) {
            for (int query = 0; query < QUERIES; query++) {
                weigh1Bfloat16(
                        values + pair * Lanes.BYTES,
                        stride,
                        count,
                        weights + query * QUERY_BYTES,
                        factors + query * QUERY_BYTES,
                        out + 2L * pair * ROW_BYTES + query * Lanes.BYTES);
            }
        }
    }

    /** In each lane the maximum over the four keys of its query. */
    static FloatVector largestOfKeys(FloatVector scores) {
        FloatVector most = scores.max(scores.rearrange(EXCHANGE_1));
        return most.max(most.rearrange(EXCHANGE_2));
    }

    private static void scoreTile(long k0, long k1, long k2, long k3, int vectors, long queries, long target) {
        FloatVector s0 = VectorWidth.broadcast(0f);
        FloatVector s1 = VectorWidth.broadcast(0f);
        FloatVector s2 = VectorWidth.broadcast(0f);
        FloatVector s3 = VectorWidth.broadcast(0f);
        FloatVector s4 = VectorWidth.broadcast(0f);
        FloatVector s5 = VectorWidth.broadcast(0f);
        FloatVector s6 = VectorWidth.broadcast(0f);
        FloatVector s7 = VectorWidth.broadcast(0f);
        FloatVector s8 = VectorWidth.broadcast(0f);
        FloatVector s9 = VectorWidth.broadcast(0f);
        FloatVector s10 = VectorWidth.broadcast(0f);
        FloatVector s11 = VectorWidth.broadcast(0f);
        FloatVector s12 = VectorWidth.broadcast(0f);
        FloatVector s13 = VectorWidth.broadcast(0f);
        FloatVector s14 = VectorWidth.broadcast(0f);
        FloatVector s15 = VectorWidth.broadcast(0f);
        for (int i = 0; i < vectors; i++) {
            long offset = (long) i * Lanes.BYTES;
            long query = queries + (long) i * ROW_BYTES;
            FloatVector key0 = Lanes.load(k0 + offset);
            FloatVector key1 = Lanes.load(k1 + offset);
            FloatVector key2 = Lanes.load(k2 + offset);
            FloatVector key3 = Lanes.load(k3 + offset);
            FloatVector q0 = Lanes.load(query);
            s0 = key0.fma(q0, s0);
            s1 = key1.fma(q0, s1);
            s2 = key2.fma(q0, s2);
            s3 = key3.fma(q0, s3);
            FloatVector q1 = Lanes.load(query + Lanes.BYTES);
            s4 = key0.fma(q1, s4);
            s5 = key1.fma(q1, s5);
            s6 = key2.fma(q1, s6);
            s7 = key3.fma(q1, s7);
            FloatVector q2 = Lanes.load(query + 2 * Lanes.BYTES);
            s8 = key0.fma(q2, s8);
            s9 = key1.fma(q2, s9);
            s10 = key2.fma(q2, s10);
            s11 = key3.fma(q2, s11);
            FloatVector q3 = Lanes.load(query + 3 * Lanes.BYTES);
            s12 = key0.fma(q3, s12);
            s13 = key1.fma(q3, s13);
            s14 = key2.fma(q3, s14);
            s15 = key3.fma(q3, s15);
        }
        s0 = merge(s0, s8, UPPER_8, EXCHANGE_8);
        s1 = merge(s1, s9, UPPER_8, EXCHANGE_8);
        s2 = merge(s2, s10, UPPER_8, EXCHANGE_8);
        s3 = merge(s3, s11, UPPER_8, EXCHANGE_8);
        s4 = merge(s4, s12, UPPER_8, EXCHANGE_8);
        s5 = merge(s5, s13, UPPER_8, EXCHANGE_8);
        s6 = merge(s6, s14, UPPER_8, EXCHANGE_8);
        s7 = merge(s7, s15, UPPER_8, EXCHANGE_8);
        s0 = merge(s0, s4, UPPER_4, EXCHANGE_4);
        s1 = merge(s1, s5, UPPER_4, EXCHANGE_4);
        s2 = merge(s2, s6, UPPER_4, EXCHANGE_4);
        s3 = merge(s3, s7, UPPER_4, EXCHANGE_4);
        s0 = merge(s0, s2, UPPER_2, EXCHANGE_2);
        s1 = merge(s1, s3, UPPER_2, EXCHANGE_2);
        s0 = merge(s0, s1, UPPER_1, EXCHANGE_1);
        Lanes.store(s0, target);
    }

    private static void scoreTileBfloat16(long k0, long k1, long k2, long k3, int pairs, long queries, long target) {
        FloatVector s0 = VectorWidth.broadcast(0f);
        FloatVector s1 = VectorWidth.broadcast(0f);
        FloatVector s2 = VectorWidth.broadcast(0f);
        FloatVector s3 = VectorWidth.broadcast(0f);
        FloatVector s4 = VectorWidth.broadcast(0f);
        FloatVector s5 = VectorWidth.broadcast(0f);
        FloatVector s6 = VectorWidth.broadcast(0f);
        FloatVector s7 = VectorWidth.broadcast(0f);
        FloatVector s8 = VectorWidth.broadcast(0f);
        FloatVector s9 = VectorWidth.broadcast(0f);
        FloatVector s10 = VectorWidth.broadcast(0f);
        FloatVector s11 = VectorWidth.broadcast(0f);
        FloatVector s12 = VectorWidth.broadcast(0f);
        FloatVector s13 = VectorWidth.broadcast(0f);
        FloatVector s14 = VectorWidth.broadcast(0f);
        FloatVector s15 = VectorWidth.broadcast(0f);
        for (int i = 0; i < pairs; i++) {
            long offset = (long) i * Lanes.BYTES;
            long query = queries + (long) i * 2 * ROW_BYTES;
            IntVector pair0 = VectorWidth.loadInts(k0 + offset);
            IntVector pair1 = VectorWidth.loadInts(k1 + offset);
            IntVector pair2 = VectorWidth.loadInts(k2 + offset);
            IntVector pair3 = VectorWidth.loadInts(k3 + offset);
            FloatVector evens0 = Lanes.evens(pair0);
            FloatVector evens1 = Lanes.evens(pair1);
            FloatVector evens2 = Lanes.evens(pair2);
            FloatVector evens3 = Lanes.evens(pair3);
            FloatVector evensQuery0 = Lanes.load(query);
            s0 = evens0.fma(evensQuery0, s0);
            s1 = evens1.fma(evensQuery0, s1);
            s2 = evens2.fma(evensQuery0, s2);
            s3 = evens3.fma(evensQuery0, s3);
            FloatVector evensQuery1 = Lanes.load(query + Lanes.BYTES);
            s4 = evens0.fma(evensQuery1, s4);
            s5 = evens1.fma(evensQuery1, s5);
            s6 = evens2.fma(evensQuery1, s6);
            s7 = evens3.fma(evensQuery1, s7);
            FloatVector evensQuery2 = Lanes.load(query + 2 * Lanes.BYTES);
            s8 = evens0.fma(evensQuery2, s8);
            s9 = evens1.fma(evensQuery2, s9);
            s10 = evens2.fma(evensQuery2, s10);
            s11 = evens3.fma(evensQuery2, s11);
            FloatVector evensQuery3 = Lanes.load(query + 3 * Lanes.BYTES);
            s12 = evens0.fma(evensQuery3, s12);
            s13 = evens1.fma(evensQuery3, s13);
            s14 = evens2.fma(evensQuery3, s14);
            s15 = evens3.fma(evensQuery3, s15);
            FloatVector odds0 = Lanes.odds(pair0);
            FloatVector odds1 = Lanes.odds(pair1);
            FloatVector odds2 = Lanes.odds(pair2);
            FloatVector odds3 = Lanes.odds(pair3);
            FloatVector oddsQuery0 = Lanes.load(query + 4 * Lanes.BYTES);
            s0 = odds0.fma(oddsQuery0, s0);
            s1 = odds1.fma(oddsQuery0, s1);
            s2 = odds2.fma(oddsQuery0, s2);
            s3 = odds3.fma(oddsQuery0, s3);
            FloatVector oddsQuery1 = Lanes.load(query + 5 * Lanes.BYTES);
            s4 = odds0.fma(oddsQuery1, s4);
            s5 = odds1.fma(oddsQuery1, s5);
            s6 = odds2.fma(oddsQuery1, s6);
            s7 = odds3.fma(oddsQuery1, s7);
            FloatVector oddsQuery2 = Lanes.load(query + 6 * Lanes.BYTES);
            s8 = odds0.fma(oddsQuery2, s8);
            s9 = odds1.fma(oddsQuery2, s9);
            s10 = odds2.fma(oddsQuery2, s10);
            s11 = odds3.fma(oddsQuery2, s11);
            FloatVector oddsQuery3 = Lanes.load(query + 7 * Lanes.BYTES);
            s12 = odds0.fma(oddsQuery3, s12);
            s13 = odds1.fma(oddsQuery3, s13);
            s14 = odds2.fma(oddsQuery3, s14);
            s15 = odds3.fma(oddsQuery3, s15);
        }
        s0 = merge(s0, s8, UPPER_8, EXCHANGE_8);
        s1 = merge(s1, s9, UPPER_8, EXCHANGE_8);
        s2 = merge(s2, s10, UPPER_8, EXCHANGE_8);
        s3 = merge(s3, s11, UPPER_8, EXCHANGE_8);
        s4 = merge(s4, s12, UPPER_8, EXCHANGE_8);
        s5 = merge(s5, s13, UPPER_8, EXCHANGE_8);
        s6 = merge(s6, s14, UPPER_8, EXCHANGE_8);
        s7 = merge(s7, s15, UPPER_8, EXCHANGE_8);
        s0 = merge(s0, s4, UPPER_4, EXCHANGE_4);
        s1 = merge(s1, s5, UPPER_4, EXCHANGE_4);
        s2 = merge(s2, s6, UPPER_4, EXCHANGE_4);
        s3 = merge(s3, s7, UPPER_4, EXCHANGE_4);
        s0 = merge(s0, s2, UPPER_2, EXCHANGE_2);
        s1 = merge(s1, s3, UPPER_2, EXCHANGE_2);
        s0 = merge(s0, s1, UPPER_1, EXCHANGE_1);
        Lanes.store(s0, target);
    }

    private static void scoreNarrow(long k0, long k1, long k2, long k3, int vectors, long queries, long target) {
        FloatVector s0 = VectorWidth.broadcast(0f);
        FloatVector s1 = VectorWidth.broadcast(0f);
        FloatVector s2 = VectorWidth.broadcast(0f);
        FloatVector s3 = VectorWidth.broadcast(0f);
        for (int i = 0; i < vectors; i++) {
            long offset = (long) i * Lanes.BYTES;
            FloatVector query = Lanes.load(queries + (long) i * ROW_BYTES);
            s0 = Lanes.load(k0 + offset).fma(query, s0);
            s1 = Lanes.load(k1 + offset).fma(query, s1);
            s2 = Lanes.load(k2 + offset).fma(query, s2);
            s3 = Lanes.load(k3 + offset).fma(query, s3);
        }
        s0 = merge(s0, s2, UPPER_2, EXCHANGE_2);
        s1 = merge(s1, s3, UPPER_2, EXCHANGE_2);
        s0 = merge(s0, s1, UPPER_1, EXCHANGE_1);
        if (Lanes.COUNT >= 8) {
            s0 = s0.add(s0.rearrange(EXCHANGE_4));
        }
        // Beyond the four sums this writes into the next query's place, before that is written itself.
        Lanes.store(s0, target);
    }

    private static void scoreNarrowBfloat16(long k0, long k1, long k2, long k3, int pairs, long queries, long target) {
        FloatVector s0 = VectorWidth.broadcast(0f);
        FloatVector s1 = VectorWidth.broadcast(0f);
        FloatVector s2 = VectorWidth.broadcast(0f);
        FloatVector s3 = VectorWidth.broadcast(0f);
        for (int i = 0; i < pairs; i++) {
            long offset = (long) i * Lanes.BYTES;
            FloatVector evens = Lanes.load(queries + (long) i * 2 * ROW_BYTES);
            FloatVector odds = Lanes.load(queries + ((long) i * 2 + 1) * ROW_BYTES);
            IntVector pair0 = VectorWidth.loadInts(k0 + offset);
            s0 = Lanes.evens(pair0).fma(evens, s0);
            s0 = Lanes.odds(pair0).fma(odds, s0);
            IntVector pair1 = VectorWidth.loadInts(k1 + offset);
            s1 = Lanes.evens(pair1).fma(evens, s1);
            s1 = Lanes.odds(pair1).fma(odds, s1);
            IntVector pair2 = VectorWidth.loadInts(k2 + offset);
            s2 = Lanes.evens(pair2).fma(evens, s2);
            s2 = Lanes.odds(pair2).fma(odds, s2);
            IntVector pair3 = VectorWidth.loadInts(k3 + offset);
            s3 = Lanes.evens(pair3).fma(evens, s3);
            s3 = Lanes.odds(pair3).fma(odds, s3);
        }
        s0 = merge(s0, s2, UPPER_2, EXCHANGE_2);
        s1 = merge(s1, s3, UPPER_2, EXCHANGE_2);
        s0 = merge(s0, s1, UPPER_1, EXCHANGE_1);
        if (Lanes.COUNT >= 8) {
            s0 = s0.add(s0.rearrange(EXCHANGE_4));
        }
        // Beyond the four sums this writes into the next query's place, before that is written itself.
        Lanes.store(s0, target);
    }

    /**
     * Adds each of two vectors to itself over a distance: lanes without the bit of that distance receive the left one's
     * sums, the others the right one's.
     */
    private static FloatVector merge(
            FloatVector left, FloatVector right, VectorMask<Float> upper, VectorShuffle<Float> exchange) {
        return left.blend(right, upper).add(right.blend(left, upper).rearrange(exchange));
    }

    private static void weigh4(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector factor0 = Lanes.broadcast(factors);
        FloatVector factor1 = Lanes.broadcast(factors + QUERY_BYTES);
        FloatVector factor2 = Lanes.broadcast(factors + 2 * QUERY_BYTES);
        FloatVector factor3 = Lanes.broadcast(factors + 3 * QUERY_BYTES);
        FloatVector s00 = Lanes.load(out).mul(factor0);
        FloatVector s01 = Lanes.load(out + 4 * Lanes.BYTES).mul(factor0);
        FloatVector s02 = Lanes.load(out + 8 * Lanes.BYTES).mul(factor0);
        FloatVector s03 = Lanes.load(out + 12 * Lanes.BYTES).mul(factor0);
        FloatVector s10 = Lanes.load(out + Lanes.BYTES).mul(factor1);
        FloatVector s11 = Lanes.load(out + 5 * Lanes.BYTES).mul(factor1);
        FloatVector s12 = Lanes.load(out + 9 * Lanes.BYTES).mul(factor1);
        FloatVector s13 = Lanes.load(out + 13 * Lanes.BYTES).mul(factor1);
        FloatVector s20 = Lanes.load(out + 2 * Lanes.BYTES).mul(factor2);
        FloatVector s21 = Lanes.load(out + 6 * Lanes.BYTES).mul(factor2);
        FloatVector s22 = Lanes.load(out + 10 * Lanes.BYTES).mul(factor2);
        FloatVector s23 = Lanes.load(out + 14 * Lanes.BYTES).mul(factor2);
        FloatVector s30 = Lanes.load(out + 3 * Lanes.BYTES).mul(factor3);
        FloatVector s31 = Lanes.load(out + 7 * Lanes.BYTES).mul(factor3);
        FloatVector s32 = Lanes.load(out + 11 * Lanes.BYTES).mul(factor3);
        FloatVector s33 = Lanes.load(out + 15 * Lanes.BYTES).mul(factor3);
        for (int key = 0; key < count; key++) {
            long value = values + key * stride;
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            FloatVector v0 = Lanes.load(value);
            FloatVector v1 = Lanes.load(value + Lanes.BYTES);
            FloatVector v2 = Lanes.load(value + 2 * Lanes.BYTES);
            FloatVector v3 = Lanes.load(value + 3 * Lanes.BYTES);
            FloatVector w0 = Lanes.broadcast(weight);
            s00 = v0.fma(w0, s00);
            s01 = v1.fma(w0, s01);
            s02 = v2.fma(w0, s02);
            s03 = v3.fma(w0, s03);
            FloatVector w1 = Lanes.broadcast(weight + QUERY_BYTES);
            s10 = v0.fma(w1, s10);
            s11 = v1.fma(w1, s11);
            s12 = v2.fma(w1, s12);
            s13 = v3.fma(w1, s13);
            FloatVector w2 = Lanes.broadcast(weight + 2 * QUERY_BYTES);
            s20 = v0.fma(w2, s20);
            s21 = v1.fma(w2, s21);
            s22 = v2.fma(w2, s22);
            s23 = v3.fma(w2, s23);
            FloatVector w3 = Lanes.broadcast(weight + 3 * QUERY_BYTES);
            s30 = v0.fma(w3, s30);
            s31 = v1.fma(w3, s31);
            s32 = v2.fma(w3, s32);
            s33 = v3.fma(w3, s33);
        }
        Lanes.store(s00, out);
        Lanes.store(s01, out + 4 * Lanes.BYTES);
        Lanes.store(s02, out + 8 * Lanes.BYTES);
        Lanes.store(s03, out + 12 * Lanes.BYTES);
        Lanes.store(s10, out + Lanes.BYTES);
        Lanes.store(s11, out + 5 * Lanes.BYTES);
        Lanes.store(s12, out + 9 * Lanes.BYTES);
        Lanes.store(s13, out + 13 * Lanes.BYTES);
        Lanes.store(s20, out + 2 * Lanes.BYTES);
        Lanes.store(s21, out + 6 * Lanes.BYTES);
        Lanes.store(s22, out + 10 * Lanes.BYTES);
        Lanes.store(s23, out + 14 * Lanes.BYTES);
        Lanes.store(s30, out + 3 * Lanes.BYTES);
        Lanes.store(s31, out + 7 * Lanes.BYTES);
        Lanes.store(s32, out + 11 * Lanes.BYTES);
        Lanes.store(s33, out + 15 * Lanes.BYTES);
    }

    private static void weigh2Bfloat16(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector factor0 = Lanes.broadcast(factors);
        FloatVector factor1 = Lanes.broadcast(factors + QUERY_BYTES);
        FloatVector factor2 = Lanes.broadcast(factors + 2 * QUERY_BYTES);
        FloatVector factor3 = Lanes.broadcast(factors + 3 * QUERY_BYTES);
        FloatVector s00 = Lanes.load(out).mul(factor0);
        FloatVector s01 = Lanes.load(out + 4 * Lanes.BYTES).mul(factor0);
        FloatVector s02 = Lanes.load(out + 8 * Lanes.BYTES).mul(factor0);
        FloatVector s03 = Lanes.load(out + 12 * Lanes.BYTES).mul(factor0);
        FloatVector s10 = Lanes.load(out + Lanes.BYTES).mul(factor1);
        FloatVector s11 = Lanes.load(out + 5 * Lanes.BYTES).mul(factor1);
        FloatVector s12 = Lanes.load(out + 9 * Lanes.BYTES).mul(factor1);
        FloatVector s13 = Lanes.load(out + 13 * Lanes.BYTES).mul(factor1);
        FloatVector s20 = Lanes.load(out + 2 * Lanes.BYTES).mul(factor2);
        FloatVector s21 = Lanes.load(out + 6 * Lanes.BYTES).mul(factor2);
        FloatVector s22 = Lanes.load(out + 10 * Lanes.BYTES).mul(factor2);
        FloatVector s23 = Lanes.load(out + 14 * Lanes.BYTES).mul(factor2);
        FloatVector s30 = Lanes.load(out + 3 * Lanes.BYTES).mul(factor3);
        FloatVector s31 = Lanes.load(out + 7 * Lanes.BYTES).mul(factor3);
        FloatVector s32 = Lanes.load(out + 11 * Lanes.BYTES).mul(factor3);
        FloatVector s33 = Lanes.load(out + 15 * Lanes.BYTES).mul(factor3);
        for (int key = 0; key < count; key++) {
            long value = values + key * stride;
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            IntVector pair0 = VectorWidth.loadInts(value);
            IntVector pair1 = VectorWidth.loadInts(value + Lanes.BYTES);
            FloatVector v0 = Lanes.evens(pair0);
            FloatVector v1 = Lanes.odds(pair0);
            FloatVector v2 = Lanes.evens(pair1);
            FloatVector v3 = Lanes.odds(pair1);
            FloatVector w0 = Lanes.broadcast(weight);
            s00 = v0.fma(w0, s00);
            s01 = v1.fma(w0, s01);
            s02 = v2.fma(w0, s02);
            s03 = v3.fma(w0, s03);
            FloatVector w1 = Lanes.broadcast(weight + QUERY_BYTES);
            s10 = v0.fma(w1, s10);
            s11 = v1.fma(w1, s11);
            s12 = v2.fma(w1, s12);
            s13 = v3.fma(w1, s13);
            FloatVector w2 = Lanes.broadcast(weight + 2 * QUERY_BYTES);
            s20 = v0.fma(w2, s20);
            s21 = v1.fma(w2, s21);
            s22 = v2.fma(w2, s22);
            s23 = v3.fma(w2, s23);
            FloatVector w3 = Lanes.broadcast(weight + 3 * QUERY_BYTES);
            s30 = v0.fma(w3, s30);
            s31 = v1.fma(w3, s31);
            s32 = v2.fma(w3, s32);
            s33 = v3.fma(w3, s33);
        }
        Lanes.store(s00, out);
        Lanes.store(s01, out + 4 * Lanes.BYTES);
        Lanes.store(s02, out + 8 * Lanes.BYTES);
        Lanes.store(s03, out + 12 * Lanes.BYTES);
        Lanes.store(s10, out + Lanes.BYTES);
        Lanes.store(s11, out + 5 * Lanes.BYTES);
        Lanes.store(s12, out + 9 * Lanes.BYTES);
        Lanes.store(s13, out + 13 * Lanes.BYTES);
        Lanes.store(s20, out + 2 * Lanes.BYTES);
        Lanes.store(s21, out + 6 * Lanes.BYTES);
        Lanes.store(s22, out + 10 * Lanes.BYTES);
        Lanes.store(s23, out + 14 * Lanes.BYTES);
        Lanes.store(s30, out + 3 * Lanes.BYTES);
        Lanes.store(s31, out + 7 * Lanes.BYTES);
        Lanes.store(s32, out + 11 * Lanes.BYTES);
        Lanes.store(s33, out + 15 * Lanes.BYTES);
    }

    private static void weigh1(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector even = Lanes.load(out).mul(Lanes.broadcast(factors));
        FloatVector odd = VectorWidth.broadcast(0f);
        int key = 0;
        for (; key + 2 <= count; key += 2) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            even = Lanes.load(values + key * stride).fma(Lanes.broadcast(weight), even);
            odd = Lanes.load(values + (key + 1) * stride).fma(Lanes.broadcast(weight + Float.BYTES), odd);
        }
        if (key < count) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            even = Lanes.load(values + key * stride).fma(Lanes.broadcast(weight), even);
        }
        Lanes.store(even.add(odd), out);
    }

    private static void weigh1Bfloat16(long values, long stride, int count, long weights, long factors, long out) {
        FloatVector factor = Lanes.broadcast(factors);
        FloatVector evens = Lanes.load(out).mul(factor);
        FloatVector odds = Lanes.load(out + ROW_BYTES).mul(factor);
        for (int key = 0; key < count; key++) {
            long weight = weights + (long) (key / KEYS) * TILE_BYTES + (long) (key % KEYS) * Float.BYTES;
            IntVector pair = VectorWidth.loadInts(values + key * stride);
            FloatVector w = Lanes.broadcast(weight);
            evens = Lanes.evens(pair).fma(w, evens);
            odds = Lanes.odds(pair).fma(w, odds);
        }
        Lanes.store(evens, out);
        Lanes.store(odds, out + ROW_BYTES);
    }
}
