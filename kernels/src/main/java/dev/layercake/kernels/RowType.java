package dev.layercake.kernels;

/** How the key or value vectors of a head lie in memory: in a {@link DType}, in a few bits per element, or in part. */
public sealed interface RowType permits DType, LowBits, ChannelBits, SomeChannels {
    /**
     * Bytes of a row of {@code elements}.
     *
     * @throws IllegalArgumentException if rows of so many elements are not possible
     */
    long rowBytes(long elements);
}
