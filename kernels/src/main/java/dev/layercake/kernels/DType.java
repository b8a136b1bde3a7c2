package dev.layercake.kernels;

/**
 * How numbers lie in memory. Quantised types are blocks of {@link #blockElements} consecutive elements of a row in {@link
 * #blockBytes} bytes, laid out as in GGUF; the others are blocks of one element. Everything is little-endian.
 */
public enum DType implements RowType {
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    Q8_0(32, 34),
    Q4_0(32, 18),
    Q4_1(32, 20),
    Q5_0(32, 22),
    Q5_1(32, 24),
    Q2_K(256, 84),
    Q3_K(256, 110),
    Q4_K(256, 144),
    Q5_K(256, 176),
    Q6_K(256, 210),
    IQ4_NL(32, 18),
    IQ4_XS(256, 136),
    MXFP4(32, 17);

    private final int blockElements;
    private final int blockBytes;

    DType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
    }

    public int blockElements() {
        return blockElements;
    }

    public int blockBytes() {
        return blockBytes;
    }

    public boolean quantized() {
        return blockElements > 1;
    }

    /**
     * Bytes of a row of {@code elements}.
     *
     * @throws IllegalArgumentException if the row is not a whole number of blocks
     * @throws ArithmeticException if the size does not fit in a long
     */
    @Override
    public long rowBytes(long elements) {
        if (elements < 0 || elements % blockElements != 0) {
            throw new IllegalArgumentException("a row of " + elements + " elements is not a whole number of " + this
                    + " blocks of " + blockElements);
        }
        return Math.multiplyExact(elements / blockElements, blockBytes);
    }
}
