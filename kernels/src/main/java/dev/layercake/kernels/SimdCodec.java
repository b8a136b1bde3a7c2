package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** {@link BlockCodec} with vectors: the same numbers up to a fused multiplication. */
final class SimdCodec {
    private static final float TWO_POW_112 = 0x1p112f;
    /** The bits of 2^-14. */
    private static final int LEAST_NORMAL_FLOAT16 = 0x38800000;

    private static final IntVector IQ4_NL = Codebooks.vector(Codebooks.IQ4_NL);
    private static final IntVector MXFP4 = Codebooks.vector(Codebooks.MXFP4);

    private static final LoopTable DECODERS = new LoopTable(
            MethodHandles.lookup(),
            MethodType.methodType(void.class, long.class, long.class, int.class),
            Map.ofEntries(
                    Map.entry(DType.F32, "float32"),
                    Map.entry(DType.F16, "float16"),
                    Map.entry(DType.BF16, "bfloat16"),
                    Map.entry(DType.Q8_0, "q80"),
                    Map.entry(DType.Q4_0, "q40"),
                    Map.entry(DType.Q4_1, "q41"),
                    Map.entry(DType.Q5_0, "q50"),
                    Map.entry(DType.Q5_1, "q51"),
                    Map.entry(DType.Q2_K, "q2k"),
                    Map.entry(DType.Q3_K, "q3k"),
                    Map.entry(DType.Q4_K, "q4k"),
                    Map.entry(DType.Q5_K, "q5k"),
                    Map.entry(DType.Q6_K, "q6k"),
                    Map.entry(DType.IQ4_NL, "iq4nl"),
                    Map.entry(DType.IQ4_XS, "iq4xs"),
                    Map.entry(DType.MXFP4, "mxfp4")));

    private SimdCodec() {}

    /** Widens {@code elements}, a whole number of blocks, to packed float32. */
    static void decode(DType type, long source, long target, int elements) {
        try {
            DECODERS.loop(type).invokeExact(source, target, elements);
        } catch (Throwable thrown) {
            throw LoopTable.unchecked(thrown);
        }
    }

    /** Narrows {@code elements}, a whole number of blocks, rounding to nearest. */
    static void encode(DType type, long source, long target, int elements) {
        switch (type) {
            case F32 -> float32(source, target, elements);
            case F16 -> encodeFloat16(source, target, elements);
            case BF16 -> encodeBfloat16(source, target, elements);
            case Q8_0 -> encodeQ80(source, target, elements);
            default -> BlockCodec.encode(type, source, target, elements);
        }
    }

    /** Halves in the low 16 bits of ints, widened; subnormals, infinities and NaN included. */
    static FloatVector widenHalves(IntVector halves) {
        IntVector shifted = halves.lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 3)
                .lanewise(VectorOperators.AND, 0x8FFFE000);
        IntVector exponent = shifted.lanewise(VectorOperators.AND, 0x0F800000);
        VectorMask<Integer> special = exponent.compare(VectorOperators.EQ, 0x0F800000);
        FloatVector finite = shifted.reinterpretAsFloats().mul(TWO_POW_112);
        return finite.reinterpretAsInts()
                .blend(shifted.lanewise(VectorOperators.OR, 0x7F800000), special)
                .reinterpretAsFloats();
    }

    static void float32(long source, long target, int elements) {
        int i = 0;
        for (; i <= elements - LANES; i += LANES) {
            VectorWidth.store(target + 4L * i, VectorWidth.load(source + 4L * i));
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + 4L * i, Memory.float32(source + 4L * i));
        }
    }

    static void float16(long source, long target, int elements) {
        int i = 0;
        for (; i <= elements - LANES; i += LANES) {
            VectorWidth.store(target + 4L * i, widenHalves(VectorWidth.unsignedShorts(source + 2L * i)));
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + 4L * i, Memory.float16(source + 2L * i));
        }
    }

    static void bfloat16(long source, long target, int elements) {
        int i = 0;
        for (; i <= elements - LANES; i += LANES) {
            IntVector bits = VectorWidth.unsignedShorts(source + 2L * i).lanewise(VectorOperators.LSHL, 16);
            VectorWidth.store(target + 4L * i, bits.reinterpretAsFloats());
        }
        for (; i < elements; i++) {
            Memory.putFloat32(target + 4L * i, Memory.bfloat16(source + 2L * i));
        }
    }

    static void q80(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 34L * block;
            long to = target + 128L * block;
            float scale = Memory.float16(at);
            for (int i = 0; i < 32; i += LANES) {
                FloatVector quants = VectorWidth.toFloats(VectorWidth.signedBytes(at + 2 + i));
                VectorWidth.store(to + 4L * i, quants.mul(scale));
            }
        }
    }

    static void q40(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 18L * block;
            float scale = Memory.float16(at);
            nibbles(at + 2, scale, -8 * scale, target + 128L * block);
        }
    }

    static void q41(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 20L * block;
            nibbles(at + 4, Memory.float16(at), Memory.float16(at + 2), target + 128L * block);
        }
    }

    static void q50(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 22L * block;
            float scale = Memory.float16(at);
            fiveBits(at + 2, scale, -16 * scale, target + 128L * block);
        }
    }

    static void q51(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 24L * block;
            fiveBits(at + 4, Memory.float16(at), Memory.float16(at + 2), target + 128L * block);
        }
    }

    static void q2k(long source, long target, int elements) {
        SimdSuperBlocks.decodeQ2(source, target, elements);
    }

    static void q3k(long source, long target, int elements) {
        SimdSuperBlocks.decodeQ3(source, target, elements);
    }

    static void q4k(long source, long target, int elements) {
        SimdSuperBlocks.decodeQ4(source, target, elements);
    }

    static void q5k(long source, long target, int elements) {
        SimdSuperBlocks.decodeQ5(source, target, elements);
    }

    static void q6k(long source, long target, int elements) {
        SimdSuperBlocks.decodeQ6(source, target, elements);
    }

    static void iq4nl(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 18L * block;
            codes(at + 2, Memory.float16(at), IQ4_NL, Codebooks.IQ4_NL, target + 128L * block);
        }
    }

    static void iq4xs(long source, long target, int elements) {
        for (int run = 0; run < elements / 32; run++) {
            long at = source + 136L * (run / 8);
            float scale = Memory.float16(at) * (SuperBlocks.scaleIq4(at + 2, run % 8) - 32);
            codes(at + 8 + 16L * (run % 8), scale, IQ4_NL, Codebooks.IQ4_NL, target + 128L * run);
        }
    }

    static void mxfp4(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long at = source + 17L * block;
            float scale = Codebooks.halfPower(Memory.unsigned8(at));
            codes(at + 1, scale, MXFP4, Codebooks.MXFP4, target + 128L * block);
        }
    }

    /** Vectors of fewer than 16 lanes do not hold the codebook. */
    private static void codes(long source, float scale, IntVector lanes, float[] codebook, long target) {
        if (LANES < 16) {
            BlockCodec.decodeCodes(scale, codebook, source, target);
            return;
        }
        IntVector packed = VectorWidth.unsignedBytes(source);
        FloatVector low =
                packed.lanewise(VectorOperators.AND, 15).selectFrom(lanes).reinterpretAsFloats();
        FloatVector high =
                packed.lanewise(VectorOperators.LSHR, 4).selectFrom(lanes).reinterpretAsFloats();
        VectorWidth.store(target, low.mul(scale));
        VectorWidth.store(target + 64, high.mul(scale));
    }

    private static void nibbles(long source, float scale, float offset, long target) {
        FloatVector scales = VectorWidth.broadcast(scale);
        FloatVector offsets = VectorWidth.broadcast(offset);
        for (int i = 0; i < 16; i += LANES) {
            IntVector packed = VectorWidth.unsignedBytes(source + i);
            FloatVector low = VectorWidth.toFloats(packed.lanewise(VectorOperators.AND, 15));
            FloatVector high = VectorWidth.toFloats(packed.lanewise(VectorOperators.LSHR, 4));
            VectorWidth.store(target + 4L * i, low.fma(scales, offsets));
            VectorWidth.store(target + 4L * (i + 16), high.fma(scales, offsets));
        }
    }

    private static void fiveBits(long fifthBits, float scale, float offset, long target) {
        FloatVector scales = VectorWidth.broadcast(scale);
        FloatVector offsets = VectorWidth.broadcast(offset);
        IntVector fifth = IntVector.broadcast(VectorWidth.INTS, Memory.int32(fifthBits));
        for (int i = 0; i < 16; i += LANES) {
            IntVector packed = VectorWidth.unsignedBytes(fifthBits + 4 + i);
            IntVector low = packed.lanewise(VectorOperators.AND, 15).lanewise(VectorOperators.OR, fifthBit(fifth, i));
            IntVector high =
                    packed.lanewise(VectorOperators.LSHR, 4).lanewise(VectorOperators.OR, fifthBit(fifth, i + 16));
            VectorWidth.store(target + 4L * i, VectorWidth.toFloats(low).fma(scales, offsets));
            VectorWidth.store(target + 4L * (i + 16), VectorWidth.toFloats(high).fma(scales, offsets));
        }
    }

    /** Bit {@code first + lane} of a broadcast int, moved to bit 4. */
    private static IntVector fifthBit(IntVector fifth, int first) {
        IntVector index = IntVector.zero(VectorWidth.INTS).addIndex(1).add(first);
        return fifth.lanewise(VectorOperators.LSHR, index)
                .lanewise(VectorOperators.LSHL, 4)
                .lanewise(VectorOperators.AND, 16);
    }

    /**
     * Rounds to nearest, ties to even. What is too small for a float16's exponent is added to 0.5, whose last bit is worth as
     * much as a subnormal's. What is too large saturates, as in {@link BlockCodec}.
     */
    private static void encodeFloat16(long source, long target, int elements) {
        int i = 0;
        for (; i <= elements - LANES; i += LANES) {
            FloatVector values = VectorWidth.load(source + 4L * i);
            FloatVector size = values.abs().min(BlockCodec.LARGEST_FLOAT16);
            IntVector bits = size.reinterpretAsInts();
            IntVector odd = bits.lanewise(VectorOperators.LSHR, 13).lanewise(VectorOperators.AND, 1);
            IntVector normal = bits.add(odd).add(0xFFF - (112 << 23)).lanewise(VectorOperators.LSHR, 13);
            IntVector small = size.add(0.5f).reinterpretAsInts().sub(0x3F000000);
            IntVector rounded = normal.blend(small, bits.compare(VectorOperators.LT, LEAST_NORMAL_FLOAT16))
                    .blend(0x7E00, bits.compare(VectorOperators.GT, 0x7F800000));
            IntVector sign = values.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHR, 16)
                    .lanewise(VectorOperators.AND, 0x8000);
            VectorWidth.storeShorts(target + 2L * i, rounded.or(sign));
        }
        if (i < elements) {
            BlockCodec.encode(DType.F16, source + 4L * i, target + 2L * i, elements - i);
        }
    }

    private static void encodeBfloat16(long source, long target, int elements) {
        int i = 0;
        for (; i <= elements - LANES; i += LANES) {
            FloatVector values = VectorWidth.load(source + 4L * i);
            IntVector bits = values.reinterpretAsInts();
            IntVector even = bits.lanewise(VectorOperators.LSHR, 16).lanewise(VectorOperators.AND, 1);
            IntVector rounded = bits.add(even)
                    .add(0x7FFF)
                    .blend(0x7FC00000, values.test(VectorOperators.IS_NAN).cast(VectorWidth.INTS));
            VectorWidth.storeShorts(target + 2L * i, rounded.lanewise(VectorOperators.LSHR, 16));
        }
        for (; i < elements; i++) {
            Memory.putBfloat16(target + 2L * i, Memory.float32(source + 4L * i));
        }
    }

    private static void encodeQ80(long source, long target, int elements) {
        for (int block = 0; block < elements / 32; block++) {
            long from = source + 128L * block;
            long to = target + 34L * block;
            FloatVector largest = VectorWidth.load(from).abs();
            for (int i = LANES; i < 32; i += LANES) {
                largest = largest.max(VectorWidth.load(from + 4L * i).abs());
            }
            float inverse = BlockCodec.putScale(to, largest.reduceLanes(VectorOperators.MAX) / 127);
            for (int i = 0; i < 32; i += LANES) {
                FloatVector scaled = VectorWidth.load(from + 4L * i).mul(inverse);
                FloatVector shifted = scaled.max(-127f).min(127f).add(127.5f);
                VectorWidth.storeBytes(to + 2 + i, toInts(shifted).sub(127));
            }
        }
    }

    private static IntVector toInts(FloatVector values) {
        return (IntVector) values.convertShape(VectorOperators.F2I, VectorWidth.INTS, 0);
    }
}
