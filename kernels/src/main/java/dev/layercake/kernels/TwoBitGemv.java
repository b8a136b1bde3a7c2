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
 * lanes, see {@link QuantizedGemv}. As in {@link NibbleGemv} bytes are read as ints, and the loops are written out. The lower
 * eight lanes hold elements of the first half of a super-block, the upper ones of the second, 32 apart for every two bits.
 */
final class TwoBitGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(DType.Q2_K, "q2k", DType.Q3_K, "q3k", DType.Q6_K, "q6k"));

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    /** Which of 16 scales, one for each 16 elements, the lanes of a quarter have. */
    private static final IntVector RUNS_0 = VectorWidth.ints(lane -> lane / 4 % 2 + lane / 8 * 8);

    private static final IntVector RUNS_1 = RUNS_0.add(2);
    private static final IntVector RUNS_2 = RUNS_0.add(4);
    private static final IntVector RUNS_3 = RUNS_0.add(6);
    private static final VectorMask<Integer> SECOND_HALF = VectorMask.fromLong(INTS, 0xFF00);

    /** 32 bytes of third bits: the lower four of a byte belong to the first half of the super-block. */
    private static final IntVector REPEAT = VectorWidth.ints(lane -> lane % 8);

    private static final IntVector THIRDS = VectorWidth.ints(lane -> lane / 8 * 4);

    private TwoBitGemv() {}

    /** Six bits less 32 are a signed number whose sign bit is turned. */
    static void q6k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 210L * block);
            long atX = Memory.inside(x + 1088L * block);
            float scale = Memory.float16(at + 208);
            IntVector scales = ((FloatVector)
                            ByteVector.fromMemorySegment(ByteVector.SPECIES_128, ALL, at + 192, LITTLE)
                                    .convertShape(B2F, FLOATS, 0))
                    .reinterpretAsInts();
            IntVector middle = IntVector.fromMemorySegment(INTS, ALL, at + 32, LITTLE);
            IntVector even =
                    IntVector.fromMemorySegment(INTS, ALL, at + 0, LITTLE).blend(middle, SECOND_HALF);
            IntVector odd = middle.blend(IntVector.fromMemorySegment(INTS, ALL, at + 64, LITTLE), SECOND_HALF);
            IntVector high = IntVector.fromMemorySegment(INTS, ALL, at + 128, LITTLE);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            IntVector quants0 = even.lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(LSHL, 4).lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            part = ((FloatVector) quants0.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) quants0.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) quants0.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) quants0.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            total = RUNS_0.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants1 = odd.lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(LSHL, 2).lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            part = ((FloatVector) quants1.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) quants1.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) quants1.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) quants1.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_1.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants2 = even.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            part = ((FloatVector) quants2.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = ((FloatVector) quants2.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = ((FloatVector) quants2.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = ((FloatVector) quants2.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            total = RUNS_2.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants3 = odd.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, high.lanewise(LSHR, 2).lanewise(AND, 0x30303030))
                    .lanewise(XOR, 0x20202020);
            part = ((FloatVector) quants3.lanewise(LSHL, 26).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE));
            part = ((FloatVector) quants3.lanewise(LSHL, 18).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = ((FloatVector) quants3.lanewise(LSHL, 10).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = ((FloatVector) quants3.lanewise(LSHL, 2).lanewise(ASHR, 26).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = RUNS_3.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Two bits and a third, which stands for -4 where it is not set: a signed number whose sign bit is turned. */
    static void q3k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 110L * block);
            long atX = Memory.inside(x + 1088L * block);
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
                    .lanewise(LSHR, THIRDS);
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 32, LITTLE);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            IntVector quants0 = packed.lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(LSHL, 2).lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            part = ((FloatVector) quants0.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) quants0.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) quants0.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) quants0.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            total = RUNS_0.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants1 = packed.lanewise(LSHR, 2)
                    .lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(LSHL, 1).lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            part = ((FloatVector) quants1.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) quants1.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) quants1.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) quants1.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_1.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants2 = packed.lanewise(LSHR, 4)
                    .lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            part = ((FloatVector) quants2.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = ((FloatVector) quants2.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = ((FloatVector) quants2.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = ((FloatVector) quants2.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            total = RUNS_2.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            IntVector quants3 = packed.lanewise(LSHR, 6)
                    .lanewise(AND, 0x03030303)
                    .lanewise(OR, thirds.lanewise(LSHR, 1).lanewise(AND, 0x04040404))
                    .lanewise(XOR, 0x04040404);
            part = ((FloatVector) quants3.lanewise(LSHL, 29).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE));
            part = ((FloatVector) quants3.lanewise(LSHL, 21).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = ((FloatVector) quants3.lanewise(LSHL, 13).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = ((FloatVector) quants3.lanewise(LSHL, 5).lanewise(ASHR, 29).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = RUNS_3.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Minima meet only sums of x, which follow each super-block of x. */
    static void q2k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 84L * block);
            long atX = Memory.inside(x + 1088L * block);
            float scale = Memory.float16(at + 80);
            float minimum = -Memory.float16(at + 82);
            IntVector both = ((IntVector) ByteVector.fromMemorySegment(ByteVector.SPECIES_128, ALL, at, LITTLE)
                    .convertShape(ZERO_EXTEND_B2I, INTS, 0));
            IntVector scales = ((FloatVector) both.lanewise(AND, 15).convertShape(I2F, FLOATS, 0)).reinterpretAsInts();
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 16, LITTLE);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            part = ((FloatVector) packed.lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 8).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 16).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 24).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            total = RUNS_0.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            part = ((FloatVector) packed.lanewise(LSHR, 2).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 10).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 18).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 26).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = RUNS_1.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            part = ((FloatVector) packed.lanewise(LSHR, 4).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 12).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 20).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 28).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            total = RUNS_2.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            part = ((FloatVector) packed.lanewise(LSHR, 6).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 14).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 22).lanewise(AND, 3).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 30).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = RUNS_3.selectFrom(scales).reinterpretAsFloats().fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) both.lanewise(LSHR, 4).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 1024, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }
}
