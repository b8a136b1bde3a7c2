package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** The bytes of a tensor that is being written, made when they are needed, so that a big one never lies in memory whole. */
@FunctionalInterface
public interface TensorContent {
    /** Where float32 numbers come from, a few rows at a time. */
    @FunctionalInterface
    interface Rows {
        /**
         * Fills all of {@code rows}.
         *
         * @param first number of the first row wanted; calls come in ascending order without gaps
         * @param rows F32 [count x columns], contents undefined
         */
        void fill(long first, Tensor rows);
    }

    /**
     * Passes the bytes on in order, in as many pieces as it likes; a piece is written before the call returns.
     *
     * @param out takes pieces of native memory or byte arrays
     */
    void writeTo(Consumer<MemorySegment> out);

    /** Bytes that lie ready. */
    static TensorContent of(MemorySegment bytes) {
        return out -> out.accept(bytes);
    }

    /** A tensor as it is. */
    static TensorContent of(Tensor tensor) {
        return of(tensor.data().asSlice(0, tensor.bytes()));
    }

    /** Float32 numbers, written as F32. */
    static TensorContent ofFloats(float... values) {
        return out -> {
            try (Arena arena = Arena.ofConfined()) {
                out.accept(arena.allocateFrom(ValueLayout.JAVA_FLOAT.withOrder(ByteOrder.LITTLE_ENDIAN), values));
            }
        };
    }

    /**
     * Numbers converted while they are written.
     *
     * @param target F32, F16, BF16, Q8_0 or Q4_0: what {@link Kernels#quantize} makes
     */
    static TensorContent converted(
            DType target, long rows, long columns, Rows source, Kernels kernels, Workers workers) {
        return new ConvertedRows(target, rows, columns, source, kernels, workers);
    }

    /** {@link #converted} from an array, row-major. */
    static TensorContent converted(
            DType target, long rows, long columns, float[] values, Kernels kernels, Workers workers) {
        if (Math.multiplyExact(rows, columns) != values.length) {
            throw new IllegalArgumentException(values.length + " values for " + rows + " x " + columns);
        }
        Rows source = (first, part) -> MemorySegment.copy(
                values,
                Math.toIntExact(first * columns),
                part.data(),
                ValueLayout.JAVA_FLOAT_UNALIGNED,
                0,
                Math.toIntExact(part.rows() * columns));
        return converted(target, rows, columns, source, kernels, workers);
    }
}
