package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The SIMD kernels against the specification: every dtype and operation, over primes and other awkward extents. The
 * build runs this class once for each width of vectors.
 */
class SimdKernelsTest {
    private final Arena arena = Arena.ofConfined();
    private final Workers workers = new Workers(3);
    private final Kernels simd = new SimdKernels();
    private final Kernels scalar = new ScalarKernels();
    private final RandomTensors random = new RandomTensors(arena, 41);

    static void assumeWidth() {
        String forced = System.getProperty(VectorWidth.PROPERTY, "");
        assumeTrue(
                forced.isEmpty() || Integer.parseInt(forced) <= VectorWidth.preferredBits(),
                "this machine has vectors of " + VectorWidth.preferredBits() + " bits, not " + forced);
        assertThat(SimdKernels.vectorBits())
                .isEqualTo(forced.isEmpty() ? VectorWidth.preferredBits() : Integer.parseInt(forced));
    }

    @BeforeEach
    void onlyWidthsOfThisMachine() {
        assumeWidth();
    }

    @AfterEach
    void close() {
        workers.close();
        arena.close();
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void oneToken(DType type) {
        for (int outputs : new int[] {1, 2, 3, 4, 5, 13, 53, 97}) {
            matmul(type, 1, outputs, type.quantized() ? 512 : 131);
        }
        matmul(type, 1, 29, type.quantized() ? 1280 : 1031);
        matmul(type, 1, 3, type.quantized() ? type.blockElements() : 7);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void fewTokens(DType type) {
        for (int tokens = 2; tokens <= 7; tokens++) {
            matmul(type, tokens, 23, type.quantized() ? 1280 : 1069);
        }
        matmul(type, 3, 2, type.quantized() ? type.blockElements() : 1);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void manyTokens(DType type) {
        for (int tokens : new int[] {8, 17, 31, 32, 41, 67}) {
            matmul(type, tokens, 61, type.quantized() ? 512 : 307);
        }
        matmul(type, 19, 1, type.quantized() ? type.blockElements() : 3);
        matmul(type, 37, 211, type.quantized() ? 768 : 521);
    }

    /** Matrices of one input, of several dtypes and sizes, more pieces than workers: as one product after the other. */
    @ParameterizedTest
    @ValueSource(ints = {1, 5})
    void severalMatricesOfOneInput(int tokens) {
        int inputs = 1024;
        Tensor x = random.floats(tokens, inputs, 1);
        DType[] types = {DType.BF16, DType.Q8_0, DType.Q5_0, DType.Q4_K, DType.Q4_K, DType.F32};
        int[] outputs = {1_031, 2, 97, 16, 613, 48};
        Tensor[] weights = new Tensor[types.length];
        Tensor[] outs = new Tensor[types.length];
        for (int i = 0; i < types.length; i++) {
            weights[i] = random.weights(types[i], outputs[i], inputs);
            outs[i] = random.floats(tokens, outputs[i], 1);
        }
        simd.matmulAll(weights, x, outs, workers);
        for (int i = 0; i < types.length; i++) {
            Tensor expected = Tensor.allocate(arena, DType.F32, tokens, outputs[i]);
            simd.matmul(weights[i], x, expected, workers);
            assertThat(outs[i].toArray()).isEqualTo(expected.toArray());
        }
    }

    /** Whether a loop is interpreted or compiled by now must not show in a single bit. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void sameBitsEveryTime(DType type) {
        Tensor weights = random.weights(type, 9, 512);
        Tensor x = random.floats(1, 512, 1);
        Tensor out = Tensor.allocate(arena, DType.F32, 1, 9);
        simd.matmul(weights, x, out, workers);
        float[] first = out.toArray();
        for (int run = 0; run < 3_000; run++) {
            simd.matmul(weights, x, out, workers);
        }
        assertThat(out.toArray()).isEqualTo(first);
    }

    /** A scale that is no number makes its row's product none, whatever the order of multiplications, and no other row's. */
    @ParameterizedTest
    @CsvSource({
        "Q8_0,0",
        "Q4_0,0",
        "Q4_1,0",
        "Q4_1,2",
        "Q5_0,0",
        "Q5_1,0",
        "Q5_1,2",
        "Q2_K,80",
        "Q2_K,82",
        "Q3_K,108",
        "Q4_K,0",
        "Q4_K,2",
        "Q5_K,0",
        "Q5_K,2",
        "Q6_K,208",
        "IQ4_NL,0",
        "IQ4_XS,0"
    })
    void scalesThatAreNoNumbers(DType type, int offset) {
        for (float scale : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            Tensor weights = random.weights(type, 7, 512);
            Memory.putFloat16(weights.rowAddress(3) + type.rowBytes(256) + offset, scale);
            Tensor x = random.floats(1, 512, 1);
            Tensor expected = Tensor.allocate(arena, DType.F32, 1, 7);
            Tensor actual = Tensor.allocate(arena, DType.F32, 1, 7);
            scalar.matmul(weights, x, expected, workers);
            simd.matmul(weights, x, actual, workers);
            for (int row = 0; row < 7; row++) {
                assertThat(Float.isFinite(actual.get(0, row)))
                        .isEqualTo(Float.isFinite(expected.get(0, row)))
                        .isEqualTo(row != 3);
            }
        }
    }

    /** Real models' shapes: 18, 20 and 48 blocks of 32, rows that are no multiple of a vector's lanes. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "MXFP4"})
    void shortRows(DType type) {
        for (int inputs : new int[] {32, 96, 576, 640, 1536}) {
            matmul(type, 1, 19, inputs);
        }
    }

    @Test
    void moreTokensThanArePackedAtATime() {
        matmul(DType.F32, 1031, 29, 37);
        matmul(DType.Q8_0, 513, 101, 64);
    }

    @ParameterizedTest
    @CsvSource({"0,5", "5,0", "0,0"})
    void emptyProductsAreFine(int tokens, int outputs) {
        Tensor out = Tensor.allocate(arena, DType.F32, tokens, outputs);
        simd.matmul(random.weights(DType.F32, outputs, 3), random.floats(tokens, 3, 1), out, workers);
        assertThat(out.toArray()).isEmpty();
    }

    /** Each output may be off by the rounding of its own terms, whose magnitudes add up. */
    private void matmul(DType type, int tokens, int outputs, int inputs) {
        Tensor weights = random.weights(type, outputs, inputs);
        Tensor x = random.floats(tokens, inputs, 1);
        Tensor expected = Tensor.allocate(arena, DType.F32, tokens, outputs);
        Tensor actual = random.floats(tokens, outputs, 1);
        scalar.matmul(weights, x, expected, workers);
        simd.matmul(weights, x, actual, workers);
        Tensor row = Tensor.allocate(arena, DType.F32, 1, inputs);
        float[] factors = x.toArray();
        for (int output = 0; output < outputs; output++) {
            scalar.dequantize(weights, output, row);
            float[] terms = row.toArray();
            for (int token = 0; token < tokens; token++) {
                double magnitude = 0;
                for (int i = 0; i < inputs; i++) {
                    magnitude += Math.abs(terms[i] * factors[token * inputs + i]);
                }
                float error = Math.abs(actual.get(token, output) - expected.get(token, output));
                // Written so that NaN fails.
                if (!(error <= 1e-6 * magnitude + 1e-20)) {
                    fail(
                            "%s of %d x %d x %d: token %d output %d is off by %s",
                            type, tokens, outputs, inputs, token, output, error);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void dequantize(DType type) {
        int columns = type.quantized() ? 1280 : 131;
        Tensor source = random.weights(type, 5, columns);
        Tensor expected = Tensor.allocate(arena, DType.F32, 1, columns);
        Tensor actual = Tensor.allocate(arena, DType.F32, 1, columns);
        for (int row = 0; row < 5; row++) {
            scalar.dequantize(source, row, expected);
            simd.dequantize(source, row, actual);
            for (int i = 0; i < columns; i++) {
                // Where a minimum is subtracted a fused multiplication rounds once less.
                assertThat(actual.get(0, i)).isCloseTo(expected.get(0, i), within(1e-5f));
            }
        }
    }

    @Test
    void everyFloat16IsWidenedExactly() {
        MemorySegment halves = arena.allocate(1 << 17);
        for (int bits = 0; bits < 1 << 16; bits++) {
            Memory.putInt8(halves.address() + 2L * bits, (byte) bits);
            Memory.putInt8(halves.address() + 2L * bits + 1, (byte) (bits >> 8));
        }
        Tensor out = Tensor.allocate(arena, DType.F32, 1, 1 << 16);
        simd.dequantize(new Tensor(DType.F16, halves, 1, 1 << 16), 0, out);
        float[] widened = out.toArray();
        for (int bits = 0; bits < 1 << 16; bits++) {
            float expected = Float.float16ToFloat((short) bits);
            if (Float.isNaN(expected)) {
                assertThat(widened[bits]).isNaN();
            } else if (Float.floatToRawIntBits(widened[bits]) != Float.floatToRawIntBits(expected)) {
                fail("float16 0x%x became %s, not %s", bits, widened[bits], expected);
            }
        }
    }

    /** Every float16 number, all that lies halfway between two and just beside that, and what no float16 is. */
    @Test
    void float16IsRoundedToEvenAndSaturates() {
        int halves = 0x7C00;
        Tensor source = Tensor.allocate(arena, DType.F32, 1, 8L * halves);
        for (int half = 0; half < halves; half++) {
            float value = Float.float16ToFloat((short) half);
            float middle = value + Math.scalb(1f, Math.max(half >> 10, 1) - 26);
            float[] values = {value, middle, Math.nextUp(middle), Math.nextDown(middle)};
            for (int i = 0; i < 4; i++) {
                source.set(0, 8L * half + 2L * i, values[i]);
                source.set(0, 8L * half + 2L * i + 1, -values[i]);
            }
        }
        source.set(0, 8, Float.NaN);
        source.set(0, 9, Float.POSITIVE_INFINITY);
        source.set(0, 10, Float.NEGATIVE_INFINITY);
        source.set(0, 11, 1e30f);
        Tensor target = Tensor.allocate(arena, DType.F16, 1, source.columns());
        simd.quantize(source, target, workers);
        Tensor widened = Tensor.allocate(arena, DType.F32, 1, source.columns());
        scalar.dequantize(target, 0, widened);
        for (int i = 0; i < source.columns(); i++) {
            float expected = Float.float16ToFloat(Float.floatToFloat16(Math.clamp(source.get(0, i), -65504f, 65504f)));
            if (Float.floatToIntBits(widened.get(0, i)) != Float.floatToIntBits(expected)) {
                fail("%s became %s, not %s", source.get(0, i), widened.get(0, i), expected);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void quantizeGivesTheSameBytes(DType type) {
        int columns = type.quantized() ? 96 : 131;
        Tensor source = random.floats(7, columns, 3);
        source.set(1, 3, 0);
        Tensor expected = Tensor.allocate(arena, type, 7, columns);
        Tensor actual = Tensor.allocate(arena, type, 7, columns);
        scalar.quantize(source, expected, workers);
        simd.quantize(source, actual, workers);
        assertThat(expected.data().mismatch(actual.data())).isEqualTo(-1);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 31, 64, 257, 20011})
    void rmsNormAndGates(int columns) {
        for (int rows : new int[] {1, 3, 89}) {
            if ((long) rows * columns > 200_000) {
                continue;
            }
            Tensor x = random.floats(rows, columns, 2);
            Tensor weight = random.floats(1, columns, 1);
            Tensor expected = Tensor.allocate(arena, DType.F32, rows, columns);
            Tensor actual = Tensor.allocate(arena, DType.F32, rows, columns);
            scalar.rmsNorm(x, weight, 1e-5f, expected, workers);
            simd.rmsNorm(x, weight, 1e-5f, actual, workers);
            assertClose(actual, expected, 5e-6);
            Tensor up = random.floats(rows, columns, 2);
            scalar.siluGate(expected, up, workers);
            simd.siluGate(actual, up, workers);
            assertClose(actual, expected, 2e-5);
            simd.scale(actual, 3, workers);
            scalar.scale(expected, 3, workers);
            scalar.geluGate(expected, up, workers);
            simd.geluGate(actual, up, workers);
            assertClose(actual, expected, 1e-4);
            scalar.softcap(expected, 3, workers);
            simd.softcap(actual, 3, workers);
            assertClose(actual, expected, 1e-4);
            Tensor expectedSums = random.floats(1, rows, 1);
            Tensor actualSums = Tensor.of(arena, 1, rows, expectedSums.toArray());
            scalar.addMagnitudes(x, expectedSums, workers);
            simd.addMagnitudes(x, actualSums, workers);
            assertClose(actualSums, expectedSums, 1e-5);
            if (columns % 2 == 0) {
                expectedSums = random.floats(2, rows, 1);
                actualSums = Tensor.of(arena, 2, rows, expectedSums.toArray());
                scalar.addMagnitudes(x, expectedSums, workers);
                simd.addMagnitudes(x, actualSums, workers);
                assertClose(actualSums, expectedSums, 1e-5);
            }
        }
    }

    @Test
    void gatesOfExtremeNumbers() {
        Tensor extremes = Tensor.of(
                arena, 1, 17, -3e38f, -1000, -90, -88, -30, -1e-30f, -0f, 0, 1e-30f, 1e-7f, 30, 87, 88, 89, 1000, 3e38f,
                5);
        Tensor up = Tensor.of(arena, 1, 17, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
        Tensor expected = Tensor.of(arena, 1, 17, extremes.toArray());
        Tensor actual = Tensor.of(arena, 1, 17, extremes.toArray());
        scalar.siluGate(expected, up, workers);
        simd.siluGate(actual, up, workers);
        assertClose(actual, expected, 1e-6);
        expected = Tensor.of(arena, 1, 17, extremes.toArray());
        actual = Tensor.of(arena, 1, 17, extremes.toArray());
        scalar.softcap(expected, 30, workers);
        simd.softcap(actual, 30, workers);
        assertClose(actual, expected, 1e-6);
    }

    @ParameterizedTest
    @CsvSource({"64,32,3", "64,31,5", "24,12,2", "128,64,7", "80,16,2", "7,3,1", "96,48,89"})
    void rope(int headDim, int pairs, int tokens) {
        for (boolean interleaved : new boolean[] {true, false}) {
            Tensor cos = random.floats(tokens, pairs, 1);
            Tensor sin = random.floats(tokens, pairs, 1);
            Tensor expected = random.floats(tokens, 3L * headDim, 1);
            Tensor actual = Tensor.of(arena, tokens, 3L * headDim, expected.toArray());
            scalar.rope(expected, headDim, cos, sin, interleaved, workers);
            simd.rope(actual, headDim, cos, sin, interleaved, workers);
            assertClose(actual, expected, 1e-6);
        }
    }

    @ParameterizedTest
    @CsvSource({"1,31", "3,257", "131,131"})
    void addScaled(int rows, int columns) {
        Tensor addend = random.floats(rows, columns, 1);
        Tensor expected = random.floats(rows, columns, 1);
        Tensor actual = Tensor.of(arena, rows, columns, expected.toArray());
        for (Tensor added : new Tensor[] {addend, addend.slice(0, 1)}) {
            scalar.addScaled(expected, added, 0.7f, workers);
            simd.addScaled(actual, added, 0.7f, workers);
            assertClose(actual, expected, 1e-6);
        }
    }

    private static void assertClose(Tensor actual, Tensor expected, double tolerance) {
        float[] left = actual.toArray();
        float[] right = expected.toArray();
        for (int i = 0; i < left.length; i++) {
            if (!(Math.abs(left[i] - right[i]) <= tolerance * (1 + Math.abs(right[i])))) {
                fail("element %d of %s is %s, not %s", i, actual, left[i], right[i]);
            }
        }
    }
}
