package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.FLOATS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions of float vectors: range reduction and a polynomial, no table and no branch. Everything is inlined
 * into the calling loop; a function call per vector would box it.
 */
final class VectorMath {
    private static final float LOWEST = -87;
    private static final float HIGHEST = 88.37f;
    private static final float LOG2_E = 1.442695f;
    /** ln 2 in two pieces; the first has so few bits that its product with an exponent is exact. */
    private static final float LN2_HIGH = 355 / 512f;

    private static final float LN2_LOW = -2.1219444e-4f;
    /** Adding 1.5 * 2^23 leaves the nearest integer in the low bits of a float's mantissa. */
    private static final float ROUNDER = 12582912f;

    private static final float SQUARE_ROOT_HALF = 0.70710677f;

    private VectorMath() {}

    /**
     * e^x to about 1e-7 relative. 0 below -87, infinity above 88.37, NaN for NaN.
     */
    static FloatVector exp(FloatVector x) {
        VectorMask<Float> vanishing = x.compare(VectorOperators.LT, LOWEST);
        VectorMask<Float> exploding = x.compare(VectorOperators.GT, HIGHEST);
        FloatVector shifted = x.fma(constant(LOG2_E), constant(ROUNDER));
        FloatVector exponent = shifted.sub(ROUNDER);
        FloatVector r = exponent.fma(constant(-LN2_HIGH), x);
        r = exponent.fma(constant(-LN2_LOW), r);
        // The minimax polynomial of relative error 3e-9 on [-ln2 / 2, ln2 / 2], its first two terms fixed at 1.
        FloatVector p = r.fma(constant(1.38131e-3f), constant(8.36942e-3f));
        p = p.fma(r, constant(4.166846e-2f));
        p = p.fma(r, constant(1.6666515e-1f));
        p = p.fma(r, constant(0.49999994f));
        p = p.fma(r, constant(1f));
        p = p.fma(r, constant(1f));
        IntVector scaled = p.reinterpretAsInts().add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23));
        return scaled.reinterpretAsFloats().blend(0f, vanishing).blend(Float.POSITIVE_INFINITY, exploding);
    }

    /** ln x to about 2e-7 relative for positive normal x; meaningless for others. */
    static FloatVector log(FloatVector x) {
        IntVector bits = x.reinterpretAsInts();
        // The mantissa is taken in [sqrt(1/2), sqrt(2)), so that x near 1 gives an exponent of 0.
        IntVector offset = bits.sub(Float.floatToRawIntBits(SQUARE_ROOT_HALF));
        IntVector exponent = offset.lanewise(VectorOperators.ASHR, 23);
        FloatVector mantissa =
                bits.sub(exponent.lanewise(VectorOperators.LSHL, 23)).reinterpretAsFloats();
        FloatVector e = VectorWidth.toFloats(exponent);
        FloatVector f = mantissa.sub(1f);
        // ln(1 + f) = 2 atanh(s) with s = f / (2 + f)
        FloatVector s = f.div(f.add(2f));
        FloatVector square = s.mul(s);
        FloatVector p = square.fma(constant(2 / 9f), constant(2 / 7f));
        p = p.fma(square, constant(2 / 5f));
        p = p.fma(square, constant(2 / 3f));
        FloatVector low = e.fma(constant(LN2_LOW), s.mul(square).mul(p));
        return e.fma(constant(LN2_HIGH), s.add(s).add(low));
    }

    /** tanh x to about 1e-6 relative, 1e-7 absolute. */
    static FloatVector tanh(FloatVector x) {
        FloatVector e = exp(x.add(x));
        FloatVector far = constant(1f).sub(constant(2f).div(e.add(1f)));
        return nearTanh(x).blend(far, x.abs().compare(VectorOperators.GT, 0.1f));
    }

    /** 1 / (1 + e^-x). */
    static FloatVector sigmoid(FloatVector x) {
        return constant(1f).div(exp(x.neg()).add(1f));
    }

    /** The Taylor series, good up to 1/10, where the difference of two near numbers would lose digits. */
    private static FloatVector nearTanh(FloatVector x) {
        FloatVector square = x.mul(x);
        FloatVector p = square.fma(constant(2f / 15f), constant(-1f / 3f));
        return p.mul(square).fma(x, x);
    }

    private static FloatVector constant(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }
}
