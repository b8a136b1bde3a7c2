package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;
import static dev.layercake.kernels.VectorWidth.INTS;
import static jdk.incubator.vector.VectorOperators.AND;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.OR;

import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A row of super-blocks whose quants begin with nibbles (Q4_K, Q5_K, IQ4_XS) times one vector, in vectors of 16 lanes, see
 * {@link QuantizedGemv}. 64 bytes are read as 16 ints and shifted, so that nothing is widened; lane l of what is shifted by
 * 8 j belongs to byte 4 l + j, and {@link GemvInput} has x in that order.
 *
 * <p>The loops are written out on purpose. Past a number of nodes C2 inlines nothing but the JDK's own vector methods: a
 * helper of ours would be called, and every vector boxed.
 */
final class NibbleGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(DType.Q4_K, "q4k", DType.Q5_K, "q5k", DType.IQ4_XS, "iq4xs"));

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final VectorSpecies<Long> LONGS = VectorSpecies.of(long.class, FLOATS.vectorShape());

    /** 64 bytes are two runs of 32, whose low nibbles have the scales of bytes 0 and 2 of four. */
    private static final IntVector LOW_SCALE = VectorWidth.ints(lane -> lane / 8 * 16);

    private static final IntVector HIGH_SCALE = VectorWidth.ints(lane -> lane / 8 * 16 + 8);

    /** Brings the minima of runs 0, 4, 1, 5, 2, 6, 3, 7 to the lowest byte of each int, twice. */
    private static final LongVector MINIMA =
            VectorWidth.ints(lane -> lane % 2 == 0 ? lane / 2 % 4 * 8 : 0).reinterpretAsLongs();

    /** 32 bytes of fifth bits, for both runs. */
    private static final IntVector REPEAT = VectorWidth.ints(lane -> lane % 8);

    private static final IntVector FIFTHS = VectorWidth.ints(lane -> lane / 8 * 2);

    private static final IntVector CODES = Codebooks.vector(Codebooks.IQ4_NL);

    /** 64 bytes of IQ4_XS are four runs of 16, each with a scale of 4 low and 2 high bits. */
    private static final IntVector QUARTER_NIBBLE = VectorWidth.ints(lane -> lane / 4 * 4);

    private static final IntVector QUARTER_PAIR = VectorWidth.ints(lane -> lane / 4 * 2);

    private NibbleGemv() {}

    /** Minima meet only sums of x, which follow each super-block of x. */
    static void q4k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 144L * block);
            long atX = Memory.inside(x + 1088L * block);
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            long scales = SuperBlocks.scales6(at + 4);
            long minima = SuperBlocks.minima6(at + 4);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            IntVector packedA = IntVector.fromMemorySegment(INTS, ALL, at + 16, LITTLE);
            part = ((FloatVector) packedA.lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) packedA.lanewise(LSHR, 8).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) packedA.lanewise(LSHR, 16).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) packedA.lanewise(LSHR, 24).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) scales)
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            part = ((FloatVector) packedA.lanewise(LSHR, 4).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) packedA.lanewise(LSHR, 12).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) packedA.lanewise(LSHR, 20).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) packedA.lanewise(LSHR, 28).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) scales)
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            IntVector packedB = IntVector.fromMemorySegment(INTS, ALL, at + 80, LITTLE);
            part = ((FloatVector) packedB.lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = ((FloatVector) packedB.lanewise(LSHR, 8).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = ((FloatVector) packedB.lanewise(LSHR, 16).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = ((FloatVector) packedB.lanewise(LSHR, 24).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) (scales >>> 32))
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            part = ((FloatVector) packedB.lanewise(LSHR, 4).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE));
            part = ((FloatVector) packedB.lanewise(LSHR, 12).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = ((FloatVector) packedB.lanewise(LSHR, 20).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = ((FloatVector) packedB.lanewise(LSHR, 28).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) (scales >>> 32))
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) LongVector.broadcast(LONGS, minima)
                            .lanewise(LSHR, MINIMA)
                            .reinterpretAsInts()
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 1024, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }

    /** As {@link #q4k}, with a fifth bit: bit r of byte i is that of element i of run r. */
    static void q5k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 176L * block);
            long atX = Memory.inside(x + 1088L * block);
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            long scales = SuperBlocks.scales6(at + 4);
            long minima = SuperBlocks.minima6(at + 4);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            IntVector fifths = REPEAT.selectFrom(IntVector.fromMemorySegment(INTS, ALL, at + 16, LITTLE))
                    .lanewise(LSHR, FIFTHS);
            IntVector packedA = IntVector.fromMemorySegment(INTS, ALL, at + 48, LITTLE);
            IntVector quantsAL = packedA.lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, fifths.lanewise(LSHL, 4).lanewise(AND, 0x10101010));
            part = ((FloatVector) quantsAL.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) quantsAL.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) quantsAL.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) quantsAL.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) scales)
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            IntVector quantsAH = packedA.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, fifths.lanewise(LSHL, 3).lanewise(AND, 0x10101010));
            part = ((FloatVector) quantsAH.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) quantsAH.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) quantsAH.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) quantsAH.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) scales)
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            IntVector packedB = IntVector.fromMemorySegment(INTS, ALL, at + 112, LITTLE);
            IntVector quantsBL = packedB.lanewise(AND, 0x0F0F0F0F).lanewise(OR, fifths.lanewise(AND, 0x10101010));
            part = ((FloatVector) quantsBL.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = ((FloatVector) quantsBL.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = ((FloatVector) quantsBL.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = ((FloatVector) quantsBL.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) (scales >>> 32))
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            IntVector quantsBH = packedB.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, fifths.lanewise(LSHR, 1).lanewise(AND, 0x10101010));
            part = ((FloatVector) quantsBH.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE));
            part = ((FloatVector) quantsBH.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = ((FloatVector) quantsBH.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = ((FloatVector) quantsBH.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, (int) (scales >>> 32))
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) LongVector.broadcast(LONGS, minima)
                            .lanewise(LSHR, MINIMA)
                            .reinterpretAsInts()
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 1024, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Codes instead of numbers, scales less 32, no minima. */
    static void iq4xs(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            long at = Memory.inside(a + 136L * block);
            long atX = Memory.inside(x + 1088L * block);
            float scale = Memory.float16(at);
            int highBits = Memory.unsigned16(at + 2);
            int lowBits = Memory.int32(at + 4);
            FloatVector part;
            FloatVector total = FloatVector.zero(FLOATS);
            IntVector packedA = IntVector.fromMemorySegment(INTS, ALL, at + 8, LITTLE);
            IntVector scalesA = IntVector.broadcast(INTS, highBits << 4)
                    .lanewise(LSHR, QUARTER_PAIR)
                    .lanewise(AND, 48)
                    .lanewise(
                            OR,
                            IntVector.broadcast(INTS, lowBits)
                                    .lanewise(LSHR, QUARTER_NIBBLE)
                                    .lanewise(AND, 15))
                    .sub(32);
            part = packedA.lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = packedA.lanewise(LSHR, 8)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = packedA.lanewise(LSHR, 16)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = packedA.lanewise(LSHR, 24)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            part = packedA.lanewise(LSHR, 4)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE), part);
            part = packedA.lanewise(LSHR, 12)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = packedA.lanewise(LSHR, 20)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = packedA.lanewise(LSHR, 28)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = ((FloatVector) scalesA.convertShape(I2F, FLOATS, 0)).fma(part, total);
            IntVector packedB = IntVector.fromMemorySegment(INTS, ALL, at + 72, LITTLE);
            IntVector scalesB = IntVector.broadcast(INTS, highBits >>> 4)
                    .lanewise(LSHR, QUARTER_PAIR)
                    .lanewise(AND, 48)
                    .lanewise(
                            OR,
                            IntVector.broadcast(INTS, lowBits >>> 16)
                                    .lanewise(LSHR, QUARTER_NIBBLE)
                                    .lanewise(AND, 15))
                    .sub(32);
            part = packedB.lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE));
            part = packedB.lanewise(LSHR, 8)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 576, LITTLE), part);
            part = packedB.lanewise(LSHR, 16)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 640, LITTLE), part);
            part = packedB.lanewise(LSHR, 24)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 704, LITTLE), part);
            part = packedB.lanewise(LSHR, 4)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 768, LITTLE), part);
            part = packedB.lanewise(LSHR, 12)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 832, LITTLE), part);
            part = packedB.lanewise(LSHR, 20)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 896, LITTLE), part);
            part = packedB.lanewise(LSHR, 28)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 960, LITTLE), part);
            total = ((FloatVector) scalesB.convertShape(I2F, FLOATS, 0)).fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }
}
