package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks are packed here from chosen integers, by the layout's definition, and must decode to what was chosen. */
class BlockCodecTest {
    private static final float SCALE = 0.125f;
    private static final float MINIMUM = 0.25f;

    private final Arena arena = Arena.ofConfined();
    private final Random random = new Random(17);

    @AfterEach
    void close() {
        arena.close();
    }

    @Test
    void float16CoversSubnormalsAndSigns() {
        float[] values = {0, 1, -2.5f, 65504, 6.1035156e-5f, 5.9604645e-8f, -5.9604645e-8f};
        byte[] block = new byte[values.length * 2];
        for (int i = 0; i < values.length; i++) {
            half(block, 2 * i, values[i]);
        }
        assertThat(decode(DType.F16, block, values.length)).containsExactly(values);
    }

    @Test
    void q4AndQ5SplitABlockIntoHalves() {
        int[] quants = random.ints(32, 0, 32).toArray();
        byte[] q40 = new byte[18];
        byte[] q41 = new byte[20];
        byte[] q50 = new byte[22];
        byte[] q51 = new byte[24];
        for (byte[] block : new byte[][] {q40, q41, q50, q51}) {
            half(block, 0, SCALE);
        }
        half(q41, 2, MINIMUM);
        half(q51, 2, MINIMUM);
        for (int i = 0; i < 32; i++) {
            int low = (quants[i] & 15) << (i < 16 ? 0 : 4);
            q40[2 + i % 16] |= (byte) low;
            q41[4 + i % 16] |= (byte) low;
            q50[6 + i % 16] |= (byte) low;
            q51[8 + i % 16] |= (byte) low;
            int fifth = (quants[i] >> 4) << (i % 8);
            q50[2 + i / 8] |= (byte) fifth;
            q51[4 + i / 8] |= (byte) fifth;
        }
        for (int i = 0; i < 32; i++) {
            assertThat(decode(DType.Q4_0, q40, 32)[i]).isEqualTo(SCALE * ((quants[i] & 15) - 8));
            assertThat(decode(DType.Q4_1, q41, 32)[i]).isEqualTo(SCALE * (quants[i] & 15) + MINIMUM);
            assertThat(decode(DType.Q5_0, q50, 32)[i]).isEqualTo(SCALE * (quants[i] - 16));
            assertThat(decode(DType.Q5_1, q51, 32)[i]).isEqualTo(SCALE * quants[i] + MINIMUM);
        }
    }

    @Test
    void q2k() {
        int[] quants = random.ints(256, 0, 4).toArray();
        int[] scales = random.ints(16, 0, 16).toArray();
        int[] minima = random.ints(16, 0, 16).toArray();
        byte[] block = new byte[84];
        half(block, 80, SCALE);
        half(block, 82, MINIMUM);
        for (int i = 0; i < 16; i++) {
            block[i] = (byte) (scales[i] | minima[i] << 4);
        }
        packTwoBits(block, 16, quants);
        float[] decoded = decode(DType.Q2_K, block, 256);
        for (int i = 0; i < 256; i++) {
            assertThat(decoded[i]).isEqualTo(SCALE * scales[i / 16] * quants[i] - MINIMUM * minima[i / 16]);
        }
    }

    @Test
    void q3k() {
        int[] quants = random.ints(256, -4, 4).toArray();
        int[] scales = random.ints(16, -32, 32).toArray();
        byte[] block = new byte[110];
        half(block, 108, SCALE);
        int[] lowBits = new int[256];
        for (int i = 0; i < 256; i++) {
            int stored = quants[i] + 4;
            lowBits[i] = stored & 3;
            block[i % 32] |= (byte) ((stored >> 2) << (i / 32));
        }
        packTwoBits(block, 32, lowBits);
        for (int i = 0; i < 16; i++) {
            int stored = scales[i] + 32;
            block[96 + i % 8] |= (byte) ((stored & 15) << (i < 8 ? 0 : 4));
            block[104 + i % 4] |= (byte) ((stored >> 4) << (2 * (i / 4)));
        }
        float[] decoded = decode(DType.Q3_K, block, 256);
        for (int i = 0; i < 256; i++) {
            assertThat(decoded[i]).isEqualTo(SCALE * scales[i / 16] * quants[i]);
        }
    }

    @Test
    void q4kAndQ5k() {
        int[] quants = random.ints(256, 0, 32).toArray();
        int[] scales = random.ints(8, 0, 64).toArray();
        int[] minima = random.ints(8, 0, 64).toArray();
        byte[] q4 = new byte[144];
        byte[] q5 = new byte[176];
        for (byte[] block : new byte[][] {q4, q5}) {
            half(block, 0, SCALE);
            half(block, 2, MINIMUM);
            for (int i = 0; i < 4; i++) {
                block[4 + i] = (byte) (scales[i] | (scales[i + 4] >> 4) << 6);
                block[8 + i] = (byte) (minima[i] | (minima[i + 4] >> 4) << 6);
                block[12 + i] = (byte) ((scales[i + 4] & 15) | (minima[i + 4] & 15) << 4);
            }
        }
        for (int i = 0; i < 256; i++) {
            int at = i / 64 * 32 + i % 32;
            int shift = i % 64 < 32 ? 0 : 4;
            q4[16 + at] |= (byte) ((quants[i] & 15) << shift);
            q5[48 + at] |= (byte) ((quants[i] & 15) << shift);
            q5[16 + i % 32] |= (byte) ((quants[i] >> 4) << (i / 32));
        }
        float[] fourBits = decode(DType.Q4_K, q4, 256);
        float[] fiveBits = decode(DType.Q5_K, q5, 256);
        for (int i = 0; i < 256; i++) {
            float minimum = MINIMUM * minima[i / 32];
            assertThat(fourBits[i]).isEqualTo(SCALE * scales[i / 32] * (quants[i] & 15) - minimum);
            assertThat(fiveBits[i]).isEqualTo(SCALE * scales[i / 32] * quants[i] - minimum);
        }
    }

    @Test
    void q6k() {
        int[] quants = random.ints(256, -32, 32).toArray();
        int[] scales = random.ints(16, -128, 128).toArray();
        byte[] block = new byte[210];
        half(block, 208, SCALE);
        for (int i = 0; i < 16; i++) {
            block[192 + i] = (byte) scales[i];
        }
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 32; i++) {
                int first = quants[128 * half + i] + 32;
                int second = quants[128 * half + 32 + i] + 32;
                int third = quants[128 * half + 64 + i] + 32;
                int fourth = quants[128 * half + 96 + i] + 32;
                block[64 * half + i] = (byte) ((first & 15) | (third & 15) << 4);
                block[64 * half + 32 + i] = (byte) ((second & 15) | (fourth & 15) << 4);
                block[128 + 32 * half + i] =
                        (byte) (first >> 4 | (second >> 4) << 2 | (third >> 4) << 4 | (fourth >> 4) << 6);
            }
        }
        float[] decoded = decode(DType.Q6_K, block, 256);
        for (int i = 0; i < 256; i++) {
            assertThat(decoded[i]).isEqualTo(SCALE * scales[i / 16] * quants[i]);
        }
    }

    @Test
    void iq4nlAndIq4xs() {
        int[] levels = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
        int[] codes = random.ints(256, 0, 16).toArray();
        int[] scales = random.ints(8, -32, 32).toArray();
        byte[] plain = new byte[18];
        byte[] block = new byte[136];
        half(plain, 0, SCALE);
        half(block, 0, SCALE);
        for (int run = 0; run < 8; run++) {
            int stored = scales[run] + 32;
            block[2 + run / 4] |= (byte) ((stored >> 4) << (run % 4 * 2));
            block[4 + run / 2] |= (byte) ((stored & 15) << (run % 2 * 4));
        }
        for (int i = 0; i < 256; i++) {
            byte code = (byte) (codes[i] << (i % 32 < 16 ? 0 : 4));
            block[8 + i / 32 * 16 + i % 16] |= code;
            if (i < 32) {
                plain[2 + i % 16] |= code;
            }
        }
        float[] decodedPlain = decode(DType.IQ4_NL, plain, 32);
        float[] decoded = decode(DType.IQ4_XS, block, 256);
        for (int i = 0; i < 256; i++) {
            assertThat(decoded[i]).isEqualTo(SCALE * scales[i / 32] * levels[codes[i]]);
            if (i < 32) {
                assertThat(decodedPlain[i]).isEqualTo(SCALE * levels[codes[i]]);
            }
        }
    }

    /** A code is a float of a sign, two bits of exponent biased by 1 and one of mantissa; the scale is 2^(byte - 127). */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 127, 130, 253})
    void mxfp4(int exponent) {
        byte[] block = new byte[17];
        block[0] = (byte) exponent;
        for (int i = 0; i < 32; i++) {
            block[1 + i % 16] |= (byte) (i < 16 ? i : (31 - i) << 4);
        }
        float[] decoded = decode(DType.MXFP4, block, 32);
        for (int i = 0; i < 32; i++) {
            int code = i < 16 ? i : 31 - i;
            double size = (code & 6) == 0 ? (code & 1) * 0.5 : (1 + (code & 1) * 0.5) * Math.pow(2, (code / 2 % 4) - 1);
            float expected = (float) ((code < 8 ? size : -size) * Math.pow(2, exponent - 127));
            assertThat(decoded[i]).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void roundTripStaysWithinHalfAStep(DType type) {
        Tensor source = new RandomTensors(arena, 3).floats(7, 96, 2);
        Tensor packed = Tensor.allocate(arena, type, 7, 96);
        BlockCodec.encode(type, source.address(), packed.address(), 7 * 96);
        Tensor back = Tensor.allocate(arena, DType.F32, 7, 96);
        BlockCodec.decode(type, packed.address(), back.address(), 7 * 96);
        float[] before = source.toArray();
        float[] after = back.toArray();
        for (int block = 0; block < before.length; block += 32) {
            float largest = 0;
            for (int i = block; i < block + 32; i++) {
                largest = Math.max(largest, Math.abs(before[i]));
            }
            for (int i = block; i < block + 32; i++) {
                float bound = switch (type) {
                    case F32 -> 0;
                    case F16 -> Math.abs(before[i]) / 2048;
                    case BF16 -> Math.abs(before[i]) / 256;
                    case Q8_0 -> largest / 127 * 0.51f;
                    // The levels are -8..7: a value opposite to the largest may be a whole step off.
                    default -> largest / 8 * 1.01f;
                };
                assertThat(after[i]).isCloseTo(before[i], within(bound));
            }
        }
    }

    @Test
    void float16SaturatesInsteadOfBecomingInfinite() {
        float[] values = {65_504, 65_520, 1e6f, 3e38f, Float.POSITIVE_INFINITY, -65_520, -1e9f, Float.NaN};
        Tensor source = Tensor.of(arena, 1, values.length, values);
        try (Workers workers = new Workers(1)) {
            for (Kernels kernels : new Kernels[] {new ScalarKernels(), new SimdKernels()}) {
                Tensor packed = Tensor.allocate(arena, DType.F16, 1, values.length);
                kernels.quantize(source, packed, workers);
                Tensor back = Tensor.allocate(arena, DType.F32, 1, values.length);
                kernels.dequantize(packed, 0, back);
                assertThat(back.toArray())
                        .containsExactly(65_504, 65_504, 65_504, 65_504, 65_504, -65_504, -65_504, Float.NaN);
            }
        }
    }

    @Test
    void blocksOfZerosAndHugeNumbersStayFinite() {
        float[] values = new float[64];
        values[40] = 3e38f;
        values[41] = -1;
        for (DType type : new DType[] {DType.Q8_0, DType.Q4_0}) {
            Tensor source = Tensor.of(arena, 1, 64, values);
            Tensor packed = Tensor.allocate(arena, type, 1, 64);
            BlockCodec.encode(type, source.address(), packed.address(), 64);
            Tensor back = Tensor.allocate(arena, DType.F32, 1, 64);
            BlockCodec.decode(type, packed.address(), back.address(), 64);
            assertThat(back.get(0, 3)).isZero();
            assertThat(back.get(0, 40)).isPositive().isFinite();
        }
    }

    @Test
    void bfloat16RoundsTiesToEvenAndKeepsNaN() {
        MemorySegment cell = arena.allocate(4);
        Memory.putBfloat16(cell.address(), Float.intBitsToFloat(0x3F808000));
        assertThat(Memory.bfloat16(cell.address())).isEqualTo(1f);
        Memory.putBfloat16(cell.address(), Float.intBitsToFloat(0x3F818000));
        assertThat(Memory.bfloat16(cell.address())).isEqualTo(Float.intBitsToFloat(0x3F820000));
        Memory.putBfloat16(cell.address(), Float.NaN);
        assertThat(Memory.bfloat16(cell.address())).isNaN();
    }

    @Test
    void encodingAKQuantIsRefused() {
        assertThatThrownBy(() -> BlockCodec.encode(DType.Q4_K, 0, 0, 256))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Q4_K");
    }

    /** Element i of a half of 128 lies in byte i mod 32, at two bits per quarter. */
    private static void packTwoBits(byte[] block, int offset, int[] quants) {
        for (int half = 0; half < 2; half++) {
            for (int quarter = 0; quarter < 4; quarter++) {
                for (int i = 0; i < 32; i++) {
                    int quant = quants[128 * half + 32 * quarter + i];
                    block[offset + 32 * half + i] |= (byte) (quant << (2 * quarter));
                }
            }
        }
    }

    private static void half(byte[] block, int offset, float value) {
        short bits = Float.floatToFloat16(value);
        block[offset] = (byte) bits;
        block[offset + 1] = (byte) (bits >> 8);
    }

    private float[] decode(DType type, byte[] block, int elements) {
        MemorySegment source = arena.allocate(block.length);
        MemorySegment.copy(block, 0, source, ValueLayout.JAVA_BYTE, 0, block.length);
        Tensor out = Tensor.allocate(arena, DType.F32, 1, elements);
        new ScalarKernels().dequantize(new Tensor(type, source, 1, elements), 0, out);
        return out.toArray();
    }
}
