package dev.layercake.kernels;

/**
 * Rows in 1 to 4 bits per element whose scales and offsets belong to channels: each channel of so many consecutive rows
 * shares them (KIVI's keys, arXiv 2402.02750; SpeCache, arXiv 2503.16163). Such a block of rows is stored at once: the codes
 * row by row, as in {@link LowBits}, then all scales and then all offsets, float16.
 *
 * @param bits of a code, 1 to 4; with 1 bit the levels are those of {@link LowBits}
 * @param rows of a block
 */
public record ChannelBits(int bits, int rows) implements RowType {
    public ChannelBits {
        if (bits < 1 || bits > 4 || rows < 1) {
            throw new IllegalArgumentException(bits + " bits in blocks of " + rows + " rows");
        }
    }

    /** A row's share of its block, rounded up. */
    @Override
    public long rowBytes(long elements) {
        return (blockBytes(Math.toIntExact(elements)) + rows - 1) / rows;
    }

    /** Bytes of a row's codes. */
    int codeBytes(int elements) {
        return (elements + LowBits.CODES - 1) / LowBits.CODES * bits;
    }

    long blockBytes(int elements) {
        return (long) rows * codeBytes(elements) + (long) elements * LowBits.SCALES_BYTES;
    }

    @Override
    public String toString() {
        return bits + " bits in blocks of " + rows + " rows";
    }
}
