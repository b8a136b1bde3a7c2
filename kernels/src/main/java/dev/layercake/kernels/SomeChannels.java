package dev.layercake.kernels;

/**
 * Keys of which only some channels are stored, one after the other, the same ones in all rows of a head; the others count as
 * zero (ThinK, arXiv 2407.21018). Which they are, {@link KvRows#channels(int[])} says.
 *
 * @param type of what is stored
 * @param kept channels
 */
public record SomeChannels(DType type, int kept) implements RowType {
    public SomeChannels {
        if (kept < 1 || kept % type.blockElements() != 0) {
            throw new IllegalArgumentException(kept + " channels in " + type);
        }
    }

    @Override
    public long rowBytes(long elements) {
        if (elements < kept) {
            throw new IllegalArgumentException(kept + " of " + elements + " channels");
        }
        return type.rowBytes(kept);
    }

    @Override
    public String toString() {
        return kept + " channels in " + type;
    }
}
