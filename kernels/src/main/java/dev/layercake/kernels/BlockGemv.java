package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.BYTES;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.LANES;
import static jdk.incubator.vector.VectorOperators.AND;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.OR;
import static jdk.incubator.vector.VectorOperators.ROR;

import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.Map;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A row of blocks of 32 elements times one vector, or four for Q8_0, which is bound by memory; see {@link QuantizedGemv}.
 */
final class BlockGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(
                    DType.Q4_0,
                    "q40",
                    DType.Q4_1,
                    "q41",
                    DType.Q5_0,
                    "q50",
                    DType.Q5_1,
                    "q51",
                    DType.IQ4_NL,
                    "iq4nl",
                    DType.MXFP4,
                    "mxfp4"));

    static final LoopTable FAR_LOOPS = new LoopTable(
            MethodHandles.lookup(), QuantizedGemv.FAR_SIGNATURE, Map.of(DType.Q8_0, LANES == 4 ? "q80Narrow" : "q80"));

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Byte> QUARTER = LANES == 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;

    /** Steps that a block takes, of 32 elements at 16 lanes. */
    private static final int PARTS = 16 / LANES;

    /** How far the fifth bit of each lane's element must be turned to the right to become bit 4. */
    private static final IntVector LOW_FIFTH = fifths(0);

    private static final IntVector HIGH_FIFTH = fifths(16);

    private static final IntVector IQ4_NL = Codebooks.vector(Codebooks.IQ4_NL);
    private static final IntVector MXFP4 = Codebooks.vector(Codebooks.MXFP4);

    private BlockGemv() {}

    private static IntVector fifths(int first) {
        return IntVector.zero(VectorWidth.INTS).addIndex(1).add(first - 4).lanewise(AND, 31);
    }

    /**
     * Four rows, {@code apart} bytes from each other: their sums come in the order of the rows. Written out, as {@link
     * NibbleGemv} is.
     */
    static void q80(long a, long apart, int blocks, long x, float[] work) {
        FloatVector sumA = FloatVector.zero(FLOATS);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        for (int step = 0; step < PARTS * blocks; step++) {
            int i = step % PARTS * 2 * LANES;
            long atA = Memory.inside(a + 34L * (step / PARTS));
            long atB = Memory.inside(atA + apart);
            long atC = Memory.inside(atA + 2 * apart);
            long atD = Memory.inside(atB + 2 * apart);
            float scaleA = Memory.float16(atA);
            float scaleB = Memory.float16(atB);
            float scaleC = Memory.float16(atC);
            float scaleD = Memory.float16(atD);
            long atX = Memory.inside(x + 128L * (step / PARTS) + 4L * i);
            FloatVector low = FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE);
            FloatVector high = FloatVector.fromMemorySegment(FLOATS, ALL, atX + BYTES, LITTLE);
            sumA = ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atA + i + 2 + LANES, LITTLE)
                            .convertShape(B2F, FLOATS, 0))
                    .fma(
                            high,
                            ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atA + i + 2, LITTLE)
                                            .convertShape(B2F, FLOATS, 0))
                                    .mul(low))
                    .fma(FloatVector.broadcast(FLOATS, scaleA), sumA);
            sumB = ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atB + i + 2 + LANES, LITTLE)
                            .convertShape(B2F, FLOATS, 0))
                    .fma(
                            high,
                            ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atB + i + 2, LITTLE)
                                            .convertShape(B2F, FLOATS, 0))
                                    .mul(low))
                    .fma(FloatVector.broadcast(FLOATS, scaleB), sumB);
            sumC = ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atC + i + 2 + LANES, LITTLE)
                            .convertShape(B2F, FLOATS, 0))
                    .fma(
                            high,
                            ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atC + i + 2, LITTLE)
                                            .convertShape(B2F, FLOATS, 0))
                                    .mul(low))
                    .fma(FloatVector.broadcast(FLOATS, scaleC), sumC);
            sumD = ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atD + i + 2 + LANES, LITTLE)
                            .convertShape(B2F, FLOATS, 0))
                    .fma(
                            high,
                            ((FloatVector) ByteVector.fromMemorySegment(QUARTER, ALL, atD + i + 2, LITTLE)
                                            .convertShape(B2F, FLOATS, 0))
                                    .mul(low))
                    .fma(FloatVector.broadcast(FLOATS, scaleD), sumD);
        }
        sumA.intoArray(work, 0);
        sumB.intoArray(work, LANES);
        sumC.intoArray(work, 2 * LANES);
        sumD.intoArray(work, 3 * LANES);
    }

    /** As {@link #q80} in vectors of 4 lanes, for which there is no vector of so few bytes. */
    static void q80Narrow(long a, long apart, int blocks, long x, float[] work) {
        FloatVector sumA = VectorWidth.broadcast(0);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        for (int i = 0; i < 32 * blocks; i += LANES) {
            long block = Memory.inside(a + 34L * (i >>> 5));
            long at = block + 2 + (i & 31);
            FloatVector factor = VectorWidth.load(Memory.inside(x + 4L * i));
            sumA = signed(at).mul(factor).fma(scale(block), sumA);
            sumB = signed(Memory.inside(at + apart)).mul(factor).fma(scale(Memory.inside(block + apart)), sumB);
            sumC = signed(Memory.inside(at + 2 * apart)).mul(factor).fma(scale(Memory.inside(block + 2 * apart)), sumC);
            sumD = signed(Memory.inside(at + 3 * apart)).mul(factor).fma(scale(Memory.inside(block + 3 * apart)), sumD);
        }
        sumA.intoArray(work, 0);
        sumB.intoArray(work, LANES);
        sumC.intoArray(work, 2 * LANES);
        sumD.intoArray(work, 3 * LANES);
    }

    private static FloatVector signed(long address) {
        return VectorWidth.toFloats(VectorWidth.signedBytes(address));
    }

    private static FloatVector scale(long address) {
        return VectorWidth.broadcast(Memory.float16(address));
    }

    /** The offset of 8 is the start of a block's sum. */
    static void q40(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int step = 0; step < PARTS * blocks; step++) {
            int i = step % PARTS * LANES;
            long block = Memory.inside(a + 18L * (step / PARTS));
            long atX = Memory.inside(x + 128L * (step / PARTS) + 4L * i);
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 2 + i);
            FloatVector start = low.add(high).mul(-8f);
            FloatVector part = VectorWidth.toFloats(packed.lanewise(AND, 15)).fma(low, start);
            sum = VectorWidth.toFloats(packed.lanewise(LSHR, 4)).fma(high, part).fma(scale, sum);
        }
        sum.intoArray(work, 0);
    }

    static void q41(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int step = 0; step < PARTS * blocks; step++) {
            int i = step % PARTS * LANES;
            long block = Memory.inside(a + 20L * (step / PARTS));
            long atX = Memory.inside(x + 128L * (step / PARTS) + 4L * i);
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block));
            FloatVector minimum = VectorWidth.broadcast(Memory.float16(block + 2));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 4 + i);
            FloatVector part = VectorWidth.toFloats(packed.lanewise(AND, 15)).mul(low);
            part = VectorWidth.toFloats(packed.lanewise(LSHR, 4)).fma(high, part);
            // One addition in the chain from block to block: two would be what the loop waits for.
            sum = sum.add(part.fma(scale, low.add(high).mul(minimum)));
        }
        sum.intoArray(work, 0);
    }

    static void q50(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int step = 0; step < PARTS * blocks; step++) {
            int i = step % PARTS * LANES;
            long block = Memory.inside(a + 22L * (step / PARTS));
            long atX = Memory.inside(x + 128L * (step / PARTS) + 4L * i);
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block));
            IntVector fifths = IntVector.broadcast(VectorWidth.INTS, Integer.rotateRight(Memory.int32(block + 2), i));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 6 + i);
            IntVector lowQuants = packed.lanewise(AND, 15)
                    .lanewise(OR, fifths.lanewise(ROR, LOW_FIFTH).lanewise(AND, 16));
            IntVector highQuants = packed.lanewise(LSHR, 4)
                    .lanewise(OR, fifths.lanewise(ROR, HIGH_FIFTH).lanewise(AND, 16));
            FloatVector part =
                    VectorWidth.toFloats(lowQuants).fma(low, low.add(high).mul(-16f));
            sum = VectorWidth.toFloats(highQuants).fma(high, part).fma(scale, sum);
        }
        sum.intoArray(work, 0);
    }

    static void q51(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int step = 0; step < PARTS * blocks; step++) {
            int i = step % PARTS * LANES;
            long block = Memory.inside(a + 24L * (step / PARTS));
            long atX = Memory.inside(x + 128L * (step / PARTS) + 4L * i);
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block));
            FloatVector minimum = VectorWidth.broadcast(Memory.float16(block + 2));
            IntVector fifths = IntVector.broadcast(VectorWidth.INTS, Integer.rotateRight(Memory.int32(block + 4), i));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 8 + i);
            IntVector lowQuants = packed.lanewise(AND, 15)
                    .lanewise(OR, fifths.lanewise(ROR, LOW_FIFTH).lanewise(AND, 16));
            IntVector highQuants = packed.lanewise(LSHR, 4)
                    .lanewise(OR, fifths.lanewise(ROR, HIGH_FIFTH).lanewise(AND, 16));
            FloatVector part = VectorWidth.toFloats(lowQuants).mul(low);
            part = VectorWidth.toFloats(highQuants).fma(high, part);
            sum = sum.add(part.fma(scale, low.add(high).mul(minimum)));
        }
        sum.intoArray(work, 0);
    }

    /** For vectors of 16 lanes, which hold the codebook. */
    static void iq4nl(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < blocks; i++) {
            long block = Memory.inside(a + 18L * i);
            long atX = Memory.inside(x + 128L * i);
            FloatVector scale = VectorWidth.broadcast(Memory.float16(block));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 2);
            FloatVector lowCodes = packed.lanewise(AND, 15).selectFrom(IQ4_NL).reinterpretAsFloats();
            FloatVector highCodes = packed.lanewise(LSHR, 4).selectFrom(IQ4_NL).reinterpretAsFloats();
            sum = highCodes.fma(high, lowCodes.mul(low)).fma(scale, sum);
        }
        sum.intoArray(work, 0);
    }

    /** As {@link #iq4nl}, with a power of two as the scale. */
    static void mxfp4(long a, int blocks, long x, float[] work) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (int i = 0; i < blocks; i++) {
            long block = Memory.inside(a + 17L * i);
            long atX = Memory.inside(x + 128L * i);
            FloatVector scale = VectorWidth.broadcast(Codebooks.halfPower(Memory.unsigned8(block)));
            FloatVector low = VectorWidth.load(atX);
            FloatVector high = VectorWidth.load(atX + 64);
            IntVector packed = VectorWidth.unsignedBytes(block + 1);
            FloatVector lowCodes = packed.lanewise(AND, 15).selectFrom(MXFP4).reinterpretAsFloats();
            FloatVector highCodes = packed.lanewise(LSHR, 4).selectFrom(MXFP4).reinterpretAsFloats();
            sum = highCodes.fma(high, lowCodes.mul(low)).fma(scale, sum);
        }
        sum.intoArray(work, 0);
    }
}
