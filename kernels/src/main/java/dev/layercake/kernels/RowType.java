package dev.layercake.kernels;

/** How one key or value vector of a head lies in memory: a {@link DType}, or a few bits per element. */
public sealed interface RowType permits DType, LowBits {
    /**
     * Bytes of a row of {@code elements}.
     *
     * @throws IllegalArgumentException if rows of so many elements are not possible
     */
    long rowBytes(long elements);
}
