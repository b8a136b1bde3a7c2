package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import java.util.List;
import java.util.Optional;

/**
 * What a model file says about one of its tensors. Its last dimension is a row, all others together count the rows; a
 * scalar and a vector are one row.
 *
 * @param dtypeName the file's own word for the type, such as {@code BF16}, {@code Q4_K} or {@code I64}
 * @param dtype the type for the kernels, empty if they do not compute with it
 * @param shape dimensions, outermost first; the product of those above 0 fits in a long
 * @param bytes size in the file; where the size of the type is not known, up to the tensor that follows
 */
public record TensorInfo(String name, String dtypeName, Optional<DType> dtype, List<Long> shape, long bytes) {
    public TensorInfo {
        shape = List.copyOf(shape);
        long product = 1;
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException("negative dimension in " + shape);
            }
            product = Math.multiplyExact(product, Math.max(dimension, 1));
        }
        if (bytes < 0) {
            throw new IllegalArgumentException("negative size " + bytes);
        }
    }

    /** Numbers in the tensor. */
    public long elements() {
        return rows() * columns();
    }

    /** Size of the last dimension. */
    public long columns() {
        return shape.isEmpty() ? 1 : shape.getLast();
    }

    /** Product of all dimensions but the last. */
    public long rows() {
        long rows = 1;
        for (int i = 0; i < shape.size() - 1; i++) {
            rows *= shape.get(i);
        }
        return rows;
    }
}
