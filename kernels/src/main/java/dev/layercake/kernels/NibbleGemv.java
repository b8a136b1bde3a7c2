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

/**
 * A row of super-blocks whose quants begin with nibbles (Q4_K, Q5_K, IQ4_XS) times one vector, in vectors of 16 lanes, see
 * {@link QuantizedGemv}. 64 bytes are read as 16 ints and shifted, so that nothing is widened; lane l of what is shifted by
 * 8 j belongs to byte 4 l + j, and {@link GemvInput} has x in that order.
 *
 * <p>The loops are written out on purpose. Past a number of nodes C2 inlines nothing but the JDK's own vector methods: a
 * helper of ours would be called, and every vector boxed. Past another it inlines not even those: a turn of a loop is half
 * a super-block.
 */
final class NibbleGemv {
    static final LoopTable LOOPS = new LoopTable(
            MethodHandles.lookup(),
            QuantizedGemv.SIGNATURE,
            Map.of(DType.Q4_K, "q4k", DType.Q5_K, "q5k", DType.IQ4_XS, "iq4xs"));

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    /** 64 bytes are two runs of 32, whose low nibbles have the scales of bytes 0 and 2 of four. */
    private static final IntVector LOW_SCALE = VectorWidth.ints(lane -> lane / 8 * 16);

    private static final IntVector HIGH_SCALE = VectorWidth.ints(lane -> lane / 8 * 16 + 8);

    /** Brings the minima of four runs to the lowest byte of each int, four times. */
    private static final IntVector MINIMA = VectorWidth.ints(lane -> lane % 4 * 8);

    /** 32 bytes of fifth bits, for both runs. */
    private static final IntVector REPEAT = VectorWidth.ints(lane -> lane % 8);

    private static final IntVector FIFTHS = VectorWidth.ints(lane -> lane / 8 * 2);

    private static final IntVector CODES = Codebooks.vector(Codebooks.IQ4_NL);

    /** 64 bytes of IQ4_XS are four runs of 16, each with a scale of 4 low and 2 high bits. */
    private static final IntVector QUARTER_NIBBLE = VectorWidth.ints(lane -> lane / 4 * 4);

    private static final IntVector QUARTER_PAIR = VectorWidth.ints(lane -> lane / 4 * 2);

    private NibbleGemv() {}

    /** Minima meet only sums of x, which follow each half of a super-block of x. */
    static void q4k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 144L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            int scales = (int) (SuperBlocks.scales6(at + 4) >>> (32 * half));
            int minima = (int) (SuperBlocks.minima6(at + 4) >>> (32 * half));
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 16 + 64L * half, LITTLE);
            FloatVector part;
            part = ((FloatVector) packed.lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 8).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 16).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 24).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            FloatVector total = ((FloatVector) IntVector.broadcast(INTS, scales)
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(part);
            part = ((FloatVector) packed.lanewise(LSHR, 4).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) packed.lanewise(LSHR, 12).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 20).lanewise(AND, 15).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) packed.lanewise(LSHR, 28).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, scales)
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) IntVector.broadcast(INTS, minima)
                            .lanewise(LSHR, MINIMA)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }

    /** As {@link #q4k}, with a fifth bit: bit r of byte i is that of element i of run r. */
    static void q5k(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 176L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at);
            float minimum = -Memory.float16(at + 2);
            int scales = (int) (SuperBlocks.scales6(at + 4) >>> (32 * half));
            int minima = (int) (SuperBlocks.minima6(at + 4) >>> (32 * half));
            IntVector fifths = REPEAT.selectFrom(IntVector.fromMemorySegment(INTS, ALL, at + 16, LITTLE))
                    .lanewise(LSHR, FIFTHS)
                    .lanewise(LSHR, 4 * half);
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 48 + 64L * half, LITTLE);
            IntVector low = packed.lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, fifths.lanewise(LSHL, 4).lanewise(AND, 0x10101010));
            IntVector high = packed.lanewise(LSHR, 4)
                    .lanewise(AND, 0x0F0F0F0F)
                    .lanewise(OR, fifths.lanewise(LSHL, 3).lanewise(AND, 0x10101010));
            FloatVector part;
            part = ((FloatVector) low.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = ((FloatVector) low.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = ((FloatVector) low.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = ((FloatVector) low.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            FloatVector total = ((FloatVector) IntVector.broadcast(INTS, scales)
                            .lanewise(LSHR, LOW_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(part);
            part = ((FloatVector) high.lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE));
            part = ((FloatVector) high.lanewise(LSHR, 8).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = ((FloatVector) high.lanewise(LSHR, 16).lanewise(AND, 255).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = ((FloatVector) high.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0))
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            total = ((FloatVector) IntVector.broadcast(INTS, scales)
                            .lanewise(LSHR, HIGH_SCALE)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .fma(part, total);
            sum = total.fma(FloatVector.broadcast(FLOATS, scale), sum);
            sum = ((FloatVector) IntVector.broadcast(INTS, minima)
                            .lanewise(LSHR, MINIMA)
                            .lanewise(AND, 63)
                            .convertShape(I2F, FLOATS, 0))
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 512, LITTLE))
                    .fma(FloatVector.broadcast(FLOATS, minimum), sum);
        }
        sum.intoArray(work, 0);
    }

    /** Codes instead of numbers, scales less 32, no minima. */
    static void iq4xs(long a, int blocks, long x, float[] work) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int group = 0; group < 2 * blocks; group++) {
            int half = group % 2;
            long at = Memory.inside(a + 136L * (group / 2));
            long atX = Memory.inside(x + 576L * group);
            float scale = Memory.float16(at);
            int highBits = (Memory.unsigned16(at + 2) << 4) >>> (8 * half);
            int lowBits = Memory.int32(at + 4) >>> (16 * half);
            IntVector packed = IntVector.fromMemorySegment(INTS, ALL, at + 8 + 64L * half, LITTLE);
            IntVector scales = IntVector.broadcast(INTS, highBits)
                    .lanewise(LSHR, QUARTER_PAIR)
                    .lanewise(AND, 48)
                    .lanewise(
                            OR,
                            IntVector.broadcast(INTS, lowBits)
                                    .lanewise(LSHR, QUARTER_NIBBLE)
                                    .lanewise(AND, 15))
                    .sub(32);
            FloatVector part;
            part = packed.lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .mul(FloatVector.fromMemorySegment(FLOATS, ALL, atX, LITTLE));
            part = packed.lanewise(LSHR, 8)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 64, LITTLE), part);
            part = packed.lanewise(LSHR, 16)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 128, LITTLE), part);
            part = packed.lanewise(LSHR, 24)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 192, LITTLE), part);
            part = packed.lanewise(LSHR, 4)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 256, LITTLE), part);
            part = packed.lanewise(LSHR, 12)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 320, LITTLE), part);
            part = packed.lanewise(LSHR, 20)
                    .lanewise(AND, 15)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 384, LITTLE), part);
            part = packed.lanewise(LSHR, 28)
                    .selectFrom(CODES)
                    .reinterpretAsFloats()
                    .fma(FloatVector.fromMemorySegment(FLOATS, ALL, atX + 448, LITTLE), part);
            sum = ((FloatVector) scales.convertShape(I2F, FLOATS, 0))
                    .mul(part)
                    .fma(FloatVector.broadcast(FLOATS, scale), sum);
        }
        sum.intoArray(work, 0);
    }
}
