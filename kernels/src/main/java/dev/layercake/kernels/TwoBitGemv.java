package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.INTS;
import static jdk.incubator.vector.VectorOperators.AND;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.OR;
import static jdk.incubator.vector.VectorOperators.XOR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.Map;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;

/**
 * A row of super-blocks that keep two bits of four elements in a byte (Q2_K, Q3_K, Q6_K) times one vector, in vectors of 16
 * lanes, see {@link QuantizedGemv}. As in {@link NibbleGemv} bytes are read as ints, and the loops are written
 * out; a turn takes every other quarter. The lower
 * eight lanes hold elements of the first half of a super-block, the upper ones of the second, 32 apart for every two bits.
 */
final class TwoBitGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(DType.Q2_K, "q2k", DType.Q3_K, "q3k", DType.Q6_K, "q6k"));

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    /** Which of 16 scales, one for each 16 elements, the lanes have: of quarters 0 and 1, then of 2 and 3. */
    private static final IntVector RUNS_0 = VectorWidth.ints(lane -> lane / 4 % 2 + lane / 8 * 8);

    private static final IntVector RUNS_2 = RUNS_0.add(4);
    private static final VectorMask<Integer> SECOND_HALF = VectorMask.fromLong(INTS, 0xFF00);

    /** 32 bytes of third bits: the lower four of a byte belong to the first half of the super-block. */
    private static final IntVector REPEAT = VectorWidth.ints(lane -> lane % 8);

    private static final IntVector THIRDS = VectorWidth.ints(lane -> lane / 8 * 4);

    private TwoBitGemv() {}

    /** Six bits less 32 are a signed number whose sign bit is turned. */
    static void q6k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 210L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at + 208);
            IntVector scales = ((FloatVector)
                            ByteVector.fromMemorySegment(ByteVector.SPECIES_128, ALL, at + 192, LITTLE)
                                    .convertShape(B2F, FLOATS, 0))
                    .reinterpretAsInts();
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 32L * half, LITTLE)
                    .blend(IntVector.fromMemorySegment(INTS, ALL, at + 32L * half + 32, LITTLE), SECOND_HALF);
            IntVector high =
                    IntVector.fromMemorySegment(INTS, ALL, at + 128, LITTLE).lanewise(LSHR, 2 * half);
            IntVector first = packed.lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(LSHL, 4).lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            IntVector second = packed.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            FloatVector part;
            part = ((FloatVector) first.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) first.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) first.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) first.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            FloatVector total = RUNS_0.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .mul(part);
            part = ((FloatVector) second.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) second.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) second.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) second.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_2.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Two bits and a third, which stands for -4 where it is not set: a signed number whose sign bit is turned. */
    static void q3k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 110L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at + 108);
            long lowScales = SuperBlocks.lowScalesQ3(at + 96);
            long highScales = SuperBlocks.highScalesQ3(at + 96);
            IntVector scales = ((FloatVector) LongVector.broadcast(LongVector.SPECIES_128, lowScales)
                            .withLane(1, highScales)
                            .reinterpretAsBytes()
                            .sub((byte) 32)
                            .convertShape(B2F, FLOATS, 0))
                    .reinterpretAsInts();
            IntVector thirds = REPEAT.selectFrom(IntVector.fromMemorySegment(INTS, ALL, at + 0, LITTLE))
                    .lanewise(LSHR, THIRDS)
                    .lanewise(LSHR, half);
            IntVector packed =
                    IntVector.fromMemorySegment(INTS, ALL, at + 32, LITTLE).lanewise(LSHR, 2 * half);
            IntVector first = packed.lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(LSHL, 2).lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            IntVector second = packed.lanewise(LSHR, 4)
                    .lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            FloatVector part;
            part = ((FloatVector) first.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) first.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) first.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) first.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            FloatVector total = RUNS_0.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .mul(part);
            part = ((FloatVector) second.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) second.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) second.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) second.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_2.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Minima meet only sums of x, which follow each half of a super-block of x. */
    static void q2k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 84L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at + 80);
            float minimum = -Memory.float16(at + 82);
            IntVector both = ((IntVector) ByteVector.fromMemorySegment(ByteVector.SPECIES_128, ALL, at, LITTLE)
                    .convertShape(ZERO_EXTEND_B2I, INTS, 0));
            IntVector scales = ((FloatVector) both.lanewise(AND, 15).convertShape(I2F, FLOATS, 0)).reinterpretAsInts();
            IntVector packed =
                    IntVector.fromMemorySegment(INTS, ALL, at + 16, LITTLE).lanewise(LSHR, 2 * half);
            FloatVector part;
            part = ((FloatVector) packed.lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 8).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 16).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 24).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            FloatVector total = RUNS_0.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .mul(part);
            part = ((FloatVector) packed.lanewise(LSHR, 4).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 12).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 20).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 28).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_2.add(2 * half)
                    .selectFrom(scales)
                    .reinterpretAsFloats()
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) both.lanewise(LSHR, 4).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }
}
