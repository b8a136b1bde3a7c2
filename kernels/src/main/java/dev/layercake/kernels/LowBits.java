package dev.layercake.kernels;

/**
 * Rows in 1 to 4 bits per element: each group of consecutive elements has a scale and an offset of its own (asymmetric,
 * round to nearest), both float16. A group is its codes, eight of them in {@code bits} bytes with the first in the lowest
 * bits, and then scale and offset. An element is {@code offset + scale * code}.
 *
 * <p>With 2 bits and more the codes reach from the group's minimum to its maximum. With 1 bit there are two levels, a quarter
 * of the range inside of both ends (SpeCache, arXiv 2503.16163).
 *
 * @param bits of a code, 1 to 4
 * @param group elements that share a scale and an offset; a row's last group may be shorter
 */
public record LowBits(int bits, int group) implements RowType {
    /** Elements whose codes fill whole bytes together. */
    static final int CODES = 8;
    /** Bytes of a scale and an offset. */
    static final int SCALES_BYTES = 2 * Short.BYTES;

    public LowBits {
        if (bits < 1 || bits > 4 || group < 1) {
            throw new IllegalArgumentException(bits + " bits in groups of " + group);
        }
    }

    @Override
    public long rowBytes(long elements) {
        long whole = elements / group;
        long rest = elements % group;
        return whole * groupBytes(group) + (rest == 0 ? 0 : groupBytes((int) rest));
    }

    /** Bytes of a group of so many elements. */
    int groupBytes(int elements) {
        return codeBytes(elements) + SCALES_BYTES;
    }

    /** Bytes of the codes of so many elements. */
    int codeBytes(int elements) {
        return (elements + CODES - 1) / CODES * bits;
    }

    /** The largest code. */
    int largest() {
        return (1 << bits) - 1;
    }

    @Override
    public String toString() {
        return bits + " bits in groups of " + group;
    }
}
