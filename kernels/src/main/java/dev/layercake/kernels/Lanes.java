package dev.layercake.kernels;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width that attention runs at, and the functions on vectors that it needs. All of them are small enough for
 * the compiler to inline, which is what keeps vectors in registers.
 */
final class Lanes {
    static final VectorSpecies<Float> FLOATS = species(Integer.getInteger("layercake.kernels.bits", 0));
    static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);
    static final int COUNT = FLOATS.length();
    static final long BYTES = (long) COUNT * Float.BYTES;

    private static final float LOG2_E = 1.442695f;
    // ln 2 in two parts: the high one has so few bits that its product with an exponent is exact.
    private static final float LN_2_HIGH = 355f / 512;
    private static final float LN_2_LOW = -2.1219444e-4f;
    private static final float ROUNDING = 12582912f;
    private static final float LEAST_EXPONENT = -87f;

    private static final int MANTISSA = 0x007FFFFF;
    /** Bits of sqrt(1/2): mantissas are brought into [sqrt(1/2), sqrt(2)), where the series of the logarithm is short. */
    private static final int ROOT_HALF_BITS = 0x3F3504F3;

    private Lanes() {}

    private static VectorSpecies<Float> species(int bits) {
        return switch (bits) {
            case 0 -> FloatVector.SPECIES_PREFERRED;
            case 128 -> FloatVector.SPECIES_128;
            case 256 -> FloatVector.SPECIES_256;
            case 512 -> FloatVector.SPECIES_512;
            default -> throw new IllegalArgumentException("layercake.kernels.bits=" + bits);
        };
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(FLOATS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN);
    }

    static FloatVector load(long address, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(FLOATS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN, mask);
    }

    static void store(FloatVector vector, long address, VectorMask<Float> mask) {
        vector.intoMemorySegment(Memory.ALL, address, ByteOrder.LITTLE_ENDIAN, mask);
    }

    static IntVector loadInts(long address) {
        return IntVector.fromMemorySegment(INTS, Memory.ALL, address, ByteOrder.LITTLE_ENDIAN);
    }

    static void store(FloatVector vector, long address) {
        vector.intoMemorySegment(Memory.ALL, address, ByteOrder.LITTLE_ENDIAN);
    }

    static FloatVector broadcast(long address) {
        return FloatVector.broadcast(FLOATS, Memory.float32(address));
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }

    /** The even half of pairs of bfloat16 numbers. */
    static FloatVector evens(IntVector pairs) {
        return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /** The odd half of pairs of bfloat16 numbers. */
    static FloatVector odds(IntVector pairs) {
        return pairs.lanewise(VectorOperators.AND, 0xFFFF0000).reinterpretAsFloats();
    }

    /** Rounds {@code elements} up to whole vectors. */
    static int padded(int elements) {
        return (elements + COUNT - 1) / COUNT * COUNT;
    }

    /**
     * e^x for x in (-inf, 88): relative error below 1e-7, exactly 0 below -87 (where the true value is below 1.7e-38).
     * Range reduction by powers of two, then a polynomial of degree 6 fitted to exp on [-ln(2)/2, ln(2)/2].
     */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(LEAST_EXPONENT);
        FloatVector rounding = broadcast(ROUNDING);
        FloatVector shifted = clamped.fma(broadcast(LOG2_E), rounding);
        FloatVector whole = shifted.sub(rounding);
        FloatVector r = whole.fma(broadcast(-LN_2_HIGH), clamped);
        r = whole.fma(broadcast(-LN_2_LOW), r);
        FloatVector p = r.fma(broadcast(0.0013814466f), broadcast(0.008368781f));
        p = p.fma(r, broadcast(0.041668393f));
        p = p.fma(r, broadcast(0.1666652f));
        p = p.fma(r, broadcast(0.49999994f));
        p = p.fma(r, broadcast(1f));
        p = p.fma(r, broadcast(1f));
        // The low bits of the shifted number are the integer; into the exponent with them.
        IntVector power = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        FloatVector result = p.reinterpretAsInts().add(power).reinterpretAsFloats();
        return result.blend(0f, x.compare(VectorOperators.LT, LEAST_EXPONENT));
    }

    /**
     * ln x for positive normal x: relative error below 2e-7. With x = 2^k m and s = (m - 1) / (m + 1), ln m = 2 artanh
     * s, an odd series that converges fast since |s| is below 0.172.
     */
    static FloatVector log(FloatVector x) {
        IntVector bits = x.reinterpretAsInts();
        IntVector shifted = bits.sub(ROOT_HALF_BITS);
        FloatVector k = (FloatVector) shifted.lanewise(VectorOperators.ASHR, 23).convert(VectorOperators.I2F, 0);
        FloatVector m = shifted.lanewise(VectorOperators.AND, MANTISSA)
                .add(ROOT_HALF_BITS)
                .reinterpretAsFloats();
        FloatVector f = m.sub(1f);
        FloatVector s = f.div(f.add(2f));
        FloatVector z = s.mul(s);
        FloatVector p = z.fma(broadcast(2f / 9), broadcast(2f / 7));
        p = p.fma(z, broadcast(2f / 5));
        p = p.fma(z, broadcast(2f / 3));
        // ln m = 2 s + s z p, and 2 s = f - s f exactly enough to keep the leading term free of the division's
        // rounding.
        FloatVector logMantissa = f.sub(s.mul(f.sub(z.mul(p))));
        return k.fma(broadcast(LN_2_HIGH), k.fma(broadcast(LN_2_LOW), logMantissa));
    }

    /** {@code cap * tanh(x / cap)}: relative error below 3e-7 also near 0, where most logits are. */
    static FloatVector softcap(FloatVector x, float cap) {
        FloatVector y = x.mul(1f / cap);
        FloatVector z = y.mul(y);
        FloatVector p = z.fma(broadcast(-0.0056039114f), broadcast(0.020551717f));
        p = p.fma(z, broadcast(-0.053714108f));
        p = p.fma(z, broadcast(0.13331152f));
        p = p.fma(z, broadcast(-0.33333272f));
        FloatVector small = p.mul(z).fma(y, y);
        FloatVector size = y.abs();
        FloatVector e = exp(size.mul(-2f));
        FloatVector large = broadcast(1f).sub(e).div(e.add(1f));
        FloatVector signed = large.blend(large.neg(), y.compare(VectorOperators.LT, 0f));
        return small.blend(signed, size.compare(VectorOperators.GT, 0.625f)).mul(cap);
    }

    /** Lanes whose number has the bit {@code distance}; empty if the vector is too short to have any. */
    static VectorMask<Float> upper(int distance) {
        long bits = 0;
        for (int lane = 0; lane < COUNT; lane++) {
            if ((lane & distance) != 0) {
                bits |= 1L << lane;
            }
        }
        return VectorMask.fromLong(FLOATS, bits);
    }

    /** Exchanges each lane with the one {@code distance} (a power of two) away. */
    static VectorShuffle<Float> exchange(int distance) {
        return VectorShuffle.fromOp(FLOATS, lane -> distance < COUNT ? lane ^ distance : lane);
    }
}
