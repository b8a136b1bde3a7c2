package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/** Seeded random tensors of every dtype for tests; quantised ones are random bits with scales of a sensible size. */
final class RandomTensors {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final Arena arena;
    private final Random random;

    RandomTensors(Arena arena, long seed) {
        this.arena = arena;
        this.random = new Random(seed);
    }

    Tensor floats(long rows, long columns, float magnitude) {
        Tensor tensor = Tensor.allocate(arena, DType.F32, rows, columns);
        for (long row = 0; row < rows; row++) {
            for (long column = 0; column < columns; column++) {
                tensor.set(row, column, (float) random.nextGaussian() * magnitude);
            }
        }
        return tensor;
    }

    /** Weights of magnitude near 1; {@code columns} must be whole blocks. */
    Tensor weights(DType type, long rows, long columns) {
        Tensor tensor = Tensor.allocate(arena, type, rows, columns);
        MemorySegment data = tensor.data();
        long blocks = rows * columns / type.blockElements();
        for (long block = 0; block < blocks; block++) {
            fill(type, data.asSlice(block * type.blockBytes(), type.blockBytes()));
        }
        return tensor;
    }

    private void fill(DType type, MemorySegment block) {
        switch (type) {
            case F32 -> block.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 0, (float) random.nextGaussian());
            case F16 -> block.set(SHORT, 0, Float.floatToFloat16((float) random.nextGaussian()));
            case BF16 -> block.set(SHORT, 0, (short) (Float.floatToIntBits((float) random.nextGaussian()) >>> 16));
            default -> {
                byte[] bits = new byte[type.blockBytes()];
                random.nextBytes(bits);
                MemorySegment.copy(bits, 0, block, ValueLayout.JAVA_BYTE, 0, bits.length);
                switch (type) {
                    case Q8_0 -> scale(block, 0, 0.008f);
                    case Q4_0, Q5_0 -> scale(block, 0, 0.1f);
                    case Q4_1, Q5_1 -> {
                        scale(block, 0, 0.1f);
                        scale(block, 2, 1);
                    }
                    case Q2_K -> {
                        scale(block, 80, 0.05f);
                        scale(block, 82, 0.1f);
                    }
                    case Q3_K -> scale(block, 108, 0.01f);
                    case Q4_K, Q5_K -> {
                        scale(block, 0, 0.003f);
                        scale(block, 2, 0.02f);
                    }
                    case Q6_K -> scale(block, 208, 0.0005f);
                    case IQ4_NL -> scale(block, 0, 0.01f);
                    case IQ4_XS -> scale(block, 0, 0.0005f);
                    case MXFP4 -> block.set(ValueLayout.JAVA_BYTE, 0, (byte) random.nextInt(122, 128));
                    default -> throw new AssertionError(type);
                }
            }
        }
    }

    private void scale(MemorySegment block, long offset, float magnitude) {
        block.set(SHORT, offset, Float.floatToFloat16((float) random.nextGaussian() * magnitude));
    }
}
