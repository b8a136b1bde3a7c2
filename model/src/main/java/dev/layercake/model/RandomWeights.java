package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Weights of a {@link ModelShape} that mean nothing but cost what real ones cost. The same seed gives the same bytes.
 * Elements have about the spread of an initialised model, so that activations stay finite.
 */
final class RandomWeights {
    private final ModelShape shape;
    private final DType dtype;
    private final SplittableRandom random;
    private final Arena arena;

    private RandomWeights(ModelShape shape, DType dtype, long seed, Arena arena) {
        this.shape = shape;
        this.dtype = dtype;
        this.random = new SplittableRandom(seed);
        this.arena = arena;
    }

    /** @param dtype of all matrices: F32, F16, BF16, Q8_0 or Q4_0 */
    static Weights create(ModelShape shape, DType dtype, long seed, Arena arena) {
        return new RandomWeights(shape, dtype, seed, arena).weights();
    }

    private Weights weights() {
        int queryRows = shape.queryHeads() * shape.headDim();
        int kvRows = shape.kvHeads() * shape.headDim();
        Tensor embedding = matrix(shape.vocabularySize(), shape.hiddenSize());
        List<Weights.Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < shape.layers(); layer++) {
            Weights.Attention attention = new Weights.Attention(
                    linear(queryRows, shape.hiddenSize()),
                    linear(kvRows, shape.hiddenSize()),
                    linear(kvRows, shape.hiddenSize()),
                    linear(shape.hiddenSize(), queryRows),
                    null,
                    null);
            Weights.Gated feedForward = new Weights.Gated(
                    linear(shape.feedForwardSize(), shape.hiddenSize()),
                    linear(shape.feedForwardSize(), shape.hiddenSize()),
                    linear(shape.hiddenSize(), shape.feedForwardSize()));
            layers.add(new Weights.Layer(ones(), attention, null, ones(), feedForward, null));
        }
        Tensor output = shape.tied() ? embedding : matrix(shape.vocabularySize(), shape.hiddenSize());
        return new Weights(embedding, layers, ones(), output);
    }

    private Tensor ones() {
        Tensor norm = Tensor.allocate(arena, DType.F32, 1, shape.hiddenSize());
        for (int column = 0; column < shape.hiddenSize(); column++) {
            norm.set(0, column, 1f);
        }
        return norm;
    }

    private Weights.Linear linear(int outputs, int inputs) {
        return new Weights.Linear(matrix(outputs, inputs), null);
    }

    private Tensor matrix(int rows, int columns) {
        Tensor matrix = Tensor.allocate(arena, dtype, rows, columns);
        MemorySegment data = matrix.data();
        for (long offset = 0; offset + Long.BYTES <= matrix.bytes(); offset += Long.BYTES) {
            data.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, random.nextLong());
        }
        // Random bits, but the exponents are set: about 1 / sqrt(inputs), whatever the type.
        int exponent = -(Math.getExponent(Math.sqrt(columns)) + 1);
        switch (dtype) {
            case F32 -> setExponents32(matrix, exponent);
            case BF16 -> setExponents16(matrix, 7, exponent + 127);
            case F16 -> setExponents16(matrix, 10, exponent + 15);
            case Q8_0 -> setScales(matrix, Math.scalb(1f, exponent - 6));
            case Q4_0 -> setScales(matrix, Math.scalb(1f, exponent - 2));
            default ->
                throw LayercakeException.badInput("random weights can be F32, F16, BF16, Q8_0 or Q4_0, not " + dtype);
        }
        return matrix;
    }

    private static void setExponents32(Tensor matrix, int exponent) {
        MemorySegment data = matrix.data();
        for (long offset = 0; offset < matrix.bytes(); offset += Float.BYTES) {
            int bits = data.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
            data.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (bits & 0x807F_FFFF) | ((exponent + 127) << 23));
        }
    }

    private static void setExponents16(Tensor matrix, int mantissaBits, int biasedExponent) {
        MemorySegment data = matrix.data();
        int kept = 0x8000 | ((1 << mantissaBits) - 1);
        for (long offset = 0; offset < matrix.bytes(); offset += Short.BYTES) {
            int bits = data.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset);
            data.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short)
                    ((bits & kept) | (biasedExponent << mantissaBits)));
        }
    }

    private static void setScales(Tensor matrix, float scale) {
        MemorySegment data = matrix.data();
        short bits = Float.floatToFloat16(scale);
        for (long offset = 0; offset < matrix.bytes(); offset += matrix.dtype().blockBytes()) {
            data.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, bits);
        }
    }
}
