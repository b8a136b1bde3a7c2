package dev.layercake.kernels;

import jdk.incubator.vector.IntVector;

/** The 16 numbers that the 4-bit codes of a type stand for, before they are scaled. */
final class Codebooks {
    /** Of IQ4_NL and IQ4_XS: denser near 0, where most weights are. */
    static final float[] IQ4_NL = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    /** Of MXFP4: floats of one sign, two exponent and one mantissa bit (OCP Microscaling Formats 1.0), times two. */
    static final float[] MXFP4 = {0, 1, 2, 3, 4, 6, 8, 12, -0f, -1, -2, -3, -4, -6, -8, -12};

    private Codebooks() {}

    /** Half of the power of two that an exponent byte of MXFP4 means, biased by 127; subnormal below 2. */
    static float halfPower(int exponent) {
        return Float.intBitsToFloat(exponent < 2 ? 0x00200000 << exponent : (exponent - 1) << 23);
    }

    /** A codebook's bits in lanes, as far as they go: complete in vectors of 16. */
    static IntVector vector(float[] codes) {
        int[] bits = new int[16];
        for (int i = 0; i < 16; i++) {
            bits[i] = Float.floatToRawIntBits(codes[i]);
        }
        return IntVector.fromArray(VectorWidth.INTS, bits, 0);
    }
}
