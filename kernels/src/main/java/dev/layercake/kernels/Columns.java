package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.INTS;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Softmax and its relatives down columns of vectors in memory: row after row at a stride, each lane by itself.
 *
 * <p>No method here or in the products takes or returns a vector, and all call the JDK's vectors directly. Attention's
 * loops are large once they are inlined into each other, and beyond a limit the compiler inlines only the JDK's own
 * methods: a vector that crossed one of ours would become an object there. A call with addresses stays just a call.
 */
final class Columns {
    /** What maxima start from: below every score, yet finite, so that differences are never NaN. */
    static final float LOWEST = -Float.MAX_VALUE / 4;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    // The exponential and the logarithm are those of VectorMath.
    private static final float LEAST_EXPONENT = -87;
    private static final float LOG2_E = 1.442695f;
    private static final float LN2_HIGH = 355 / 512f;
    private static final float LN2_LOW = -2.1219444e-4f;
    private static final float ROUNDER = 12582912f;
    private static final int MANTISSA = 0x007FFFFF;
    private static final int SQUARE_ROOT_HALF = 0x3F3504F3;

    private Columns() {}

    /** Sets {@code bytes}, whole vectors of them, to one value. */
    static void fill(long address, long bytes, float value) {
        FloatVector values = FloatVector.broadcast(FLOATS, value);
        for (long i = 0; i < bytes; i += Lanes.BYTES) {
            values.intoMemorySegment(ALL, address + i, LITTLE);
        }
    }

    /** Multiplies {@code count} vectors by one factor. */
    static void scale(long address, int count, float factor) {
        for (int i = 0; i < count; i++) {
            long at = address + i * Lanes.BYTES;
            FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE).mul(factor).intoMemorySegment(ALL, at, LITTLE);
        }
    }

    /** {@code target[lane] = max(start[lane], the column's maximum)}. */
    static void maximum(long column, long stride, int count, long start, long target) {
        FloatVector most = FloatVector.fromMemorySegment(FLOATS, ALL, start, LITTLE);
        for (int i = 0; i < count; i++) {
            most = most.max(FloatVector.fromMemorySegment(FLOATS, ALL, column + i * stride, LITTLE));
        }
        most.intoMemorySegment(ALL, target, LITTLE);
    }

    /**
     * Moves a running softmax from the maximum at {@code largest} to the one at {@code next}: {@code factors[lane] =
     * e^(largest - next)}, and the sums of weights multiplied by that.
     */
    static void rescale(long largest, long next, long weightSums, long factors) {
        FloatVector.fromMemorySegment(FLOATS, ALL, largest, LITTLE).intoMemorySegment(ALL, factors, LITTLE);
        exponentiate(factors, Lanes.BYTES, 1, next);
        FloatVector.fromMemorySegment(FLOATS, ALL, weightSums, LITTLE)
                .mul(FloatVector.fromMemorySegment(FLOATS, ALL, factors, LITTLE))
                .intoMemorySegment(ALL, weightSums, LITTLE);
        FloatVector.fromMemorySegment(FLOATS, ALL, next, LITTLE).intoMemorySegment(ALL, largest, LITTLE);
    }

    /** {@code column = e^(column - largest)}, at most 1; 0 where that is below e^-87. */
    static void exponentiate(long column, long stride, int count, long largest) {
        FloatVector most = FloatVector.fromMemorySegment(FLOATS, ALL, largest, LITTLE);
        FloatVector rounder = FloatVector.broadcast(FLOATS, ROUNDER);
        FloatVector one = FloatVector.broadcast(FLOATS, 1f);
        for (int i = 0; i < count; i++) {
            long address = column + i * stride;
            FloatVector x = FloatVector.fromMemorySegment(FLOATS, ALL, address, LITTLE)
                    .sub(most)
                    .max(LEAST_EXPONENT - 1);
            FloatVector shifted = x.fma(FloatVector.broadcast(FLOATS, LOG2_E), rounder);
            FloatVector exponent = shifted.sub(rounder);
            FloatVector r = exponent.fma(FloatVector.broadcast(FLOATS, -LN2_HIGH), x);
            r = exponent.fma(FloatVector.broadcast(FLOATS, -LN2_LOW), r);
            FloatVector p =
                    r.fma(FloatVector.broadcast(FLOATS, 1.3814466e-3f), FloatVector.broadcast(FLOATS, 8.368781e-3f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 4.1668393e-2f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 0.1666652f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 0.49999994f));
            p = p.fma(r, one);
            p = p.fma(r, one);
            IntVector power = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
            p.reinterpretAsInts()
                    .add(power)
                    .reinterpretAsFloats()
                    .blend(0f, x.compare(VectorOperators.LT, LEAST_EXPONENT))
                    .intoMemorySegment(ALL, address, LITTLE);
        }
    }

    /** {@code sums[lane] += the column's sum}; one addition per call to the long sum keeps its rounding errors small. */
    static void addUp(long column, long stride, int count, long sums) {
        FloatVector even = FloatVector.zero(FLOATS);
        FloatVector odd = FloatVector.zero(FLOATS);
        int i = 0;
        for (; i + 2 <= count; i += 2) {
            even = even.add(FloatVector.fromMemorySegment(FLOATS, ALL, column + i * stride, LITTLE));
            odd = odd.add(FloatVector.fromMemorySegment(FLOATS, ALL, column + (i + 1) * stride, LITTLE));
        }
        if (i < count) {
            even = even.add(FloatVector.fromMemorySegment(FLOATS, ALL, column + i * stride, LITTLE));
        }
        FloatVector.fromMemorySegment(FLOATS, ALL, sums, LITTLE)
                .add(even.add(odd))
                .intoMemorySegment(ALL, sums, LITTLE);
    }

    /** {@code target[lane] += factors[lane] * row[lane]} for each of {@code count} rows and targets. */
    static void addScaled(long rows, long stride, int count, long factors, long targets, long targetStride) {
        FloatVector factor = FloatVector.fromMemorySegment(FLOATS, ALL, factors, LITTLE);
        for (int i = 0; i < count; i++) {
            long target = targets + i * targetStride;
            FloatVector.fromMemorySegment(FLOATS, ALL, rows + i * stride, LITTLE)
                    .fma(factor, FloatVector.fromMemorySegment(FLOATS, ALL, target, LITTLE))
                    .intoMemorySegment(ALL, target, LITTLE);
        }
    }

    /** Multiplies a column by {@code factors[lane]}. */
    static void multiply(long column, long stride, int count, long factors) {
        FloatVector factor = FloatVector.fromMemorySegment(FLOATS, ALL, factors, LITTLE);
        for (int i = 0; i < count; i++) {
            long address = column + i * stride;
            FloatVector.fromMemorySegment(FLOATS, ALL, address, LITTLE)
                    .mul(factor)
                    .intoMemorySegment(ALL, address, LITTLE);
        }
    }

    /** -sum of {@code p ln(p + 1e-10)} over a column of probabilities; {@code room} is a vector to work with. */
    static double entropy(long column, long stride, int count, long room) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int i = 0; i < count; i++) {
            FloatVector probability = FloatVector.fromMemorySegment(FLOATS, ALL, column + i * stride, LITTLE);
            IntVector offset = probability.add(1e-10f).reinterpretAsInts().sub(SQUARE_ROOT_HALF);
            IntVector exponent = offset.lanewise(VectorOperators.ASHR, 23);
            FloatVector f = offset.lanewise(VectorOperators.AND, MANTISSA)
                    .add(SQUARE_ROOT_HALF)
                    .reinterpretAsFloats()
                    .sub(1f);
            FloatVector e = (FloatVector) exponent.convertShape(VectorOperators.I2F, FLOATS, 0);
            FloatVector s = f.div(f.add(2f));
            FloatVector square = s.mul(s);
            FloatVector p = square.fma(FloatVector.broadcast(FLOATS, 2 / 9f), FloatVector.broadcast(FLOATS, 2 / 7f));
            p = p.fma(square, FloatVector.broadcast(FLOATS, 2 / 5f));
            p = p.fma(square, FloatVector.broadcast(FLOATS, 2 / 3f));
            FloatVector low =
                    e.fma(FloatVector.broadcast(FLOATS, LN2_LOW), s.mul(square).mul(p));
            FloatVector log =
                    e.fma(FloatVector.broadcast(FLOATS, LN2_HIGH), s.add(s).add(low));
            sum = sum.sub(probability.mul(log));
        }
        sum.intoMemorySegment(ALL, room, LITTLE);
        return Lanes.sum(room);
    }

    /** {@code x = cap * tanh(x / cap)} over consecutive vectors: a series near 0, where most logits are. */
    static void softcap(long address, int vectors, float cap) {
        FloatVector rounder = FloatVector.broadcast(FLOATS, ROUNDER);
        FloatVector one = FloatVector.broadcast(FLOATS, 1f);
        for (int i = 0; i < vectors; i++) {
            long at = address + i * Lanes.BYTES;
            FloatVector y =
                    FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE).mul(1 / cap);
            FloatVector square = y.mul(y);
            FloatVector near = square.fma(
                    FloatVector.broadcast(FLOATS, -0.0056039114f), FloatVector.broadcast(FLOATS, 0.020551717f));
            near = near.fma(square, FloatVector.broadcast(FLOATS, -0.053714108f));
            near = near.fma(square, FloatVector.broadcast(FLOATS, 0.13331152f));
            near = near.fma(square, FloatVector.broadcast(FLOATS, -0.33333272f));
            near = near.mul(square).fma(y, y);
            FloatVector size = y.abs();
            FloatVector x = size.mul(-2f).max(LEAST_EXPONENT);
            FloatVector shifted = x.fma(FloatVector.broadcast(FLOATS, LOG2_E), rounder);
            FloatVector exponent = shifted.sub(rounder);
            FloatVector r = exponent.fma(FloatVector.broadcast(FLOATS, -LN2_HIGH), x);
            r = exponent.fma(FloatVector.broadcast(FLOATS, -LN2_LOW), r);
            FloatVector p =
                    r.fma(FloatVector.broadcast(FLOATS, 1.3814466e-3f), FloatVector.broadcast(FLOATS, 8.368781e-3f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 4.1668393e-2f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 0.1666652f));
            p = p.fma(r, FloatVector.broadcast(FLOATS, 0.49999994f));
            p = p.fma(r, one);
            p = p.fma(r, one);
            FloatVector power = p.reinterpretAsInts()
                    .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                    .reinterpretAsFloats();
            FloatVector far = one.sub(power).div(power.add(1f));
            far = far.blend(far.neg(), y.compare(VectorOperators.LT, 0f));
            near.blend(far, size.compare(VectorOperators.GT, 0.625f)).mul(cap).intoMemorySegment(ALL, at, LITTLE);
        }
    }

    /**
     * Puts -infinity where a lane's query must not look at a row's entry: the entry is later than the query, or {@code
     * slidingWindow} (if not 0) or more positions earlier.
     *
     * @param lanePositions a vector of ints
     * @param positions of all slots; row i is slot {@code slot + i}
     */
    static void hide(
            long column, long stride, int count, long lanePositions, int[] positions, int slot, int slidingWindow) {
        IntVector queries = IntVector.fromMemorySegment(INTS, ALL, lanePositions, LITTLE);
        int reach = slidingWindow == 0 ? Integer.MAX_VALUE : slidingWindow;
        for (int i = 0; i < count; i++) {
            long address = column + i * stride;
            IntVector distance = queries.sub(positions[slot + i]);
            FloatVector.fromMemorySegment(FLOATS, ALL, address, LITTLE)
                    .blend(
                            Float.NEGATIVE_INFINITY,
                            distance.compare(VectorOperators.LT, 0)
                                    .or(distance.compare(VectorOperators.GE, reach))
                                    .cast(FLOATS))
                    .intoMemorySegment(ALL, address, LITTLE);
        }
    }

    /**
     * Puts -infinity where a row's entry is out of a lane's reach: the lane's position is {@code reaches} or more beyond the
     * entry's.
     *
     * @param lanePositions a vector of ints
     * @param positions of all slots; row i is slot {@code slot + i}
     * @param reaches of all slots
     */
    static void hideBeyond(
            long column, long stride, int count, long lanePositions, int[] positions, int[] reaches, int slot) {
        IntVector queries = IntVector.fromMemorySegment(INTS, ALL, lanePositions, LITTLE);
        for (int i = 0; i < count; i++) {
            long address = column + i * stride;
            FloatVector.fromMemorySegment(FLOATS, ALL, address, LITTLE)
                    .blend(
                            Float.NEGATIVE_INFINITY,
                            queries.sub(positions[slot + i])
                                    .compare(VectorOperators.GE, reaches[slot + i])
                                    .cast(FLOATS))
                    .intoMemorySegment(ALL, address, LITTLE);
        }
    }
}
