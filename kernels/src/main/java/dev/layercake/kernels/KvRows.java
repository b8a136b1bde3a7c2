package dev.layercake.kernels;

import java.util.Arrays;

/**
 * The entries of one KV head of one layer as attention reads them: slots {@code [0, length)} in fixed-size pages, each
 * slot with the position of its token. A page holds {@code rowsPerPage} key rows and then as many value rows. The order
 * of slots carries no meaning unless a kernel asks for ascending positions.
 *
 * <p>This is a view: the cache that owns the pages keeps it up to date. Not thread-safe for writers.
 */
public final class KvRows {
    private final DType keyType;
    private final DType valueType;
    private final int headDim;
    private final int rowsPerPage;
    private final long keyRowBytes;
    private final long valueRowBytes;
    private long[] pages = new long[1];
    private int pageCount;
    private int[] positions = new int[0];
    private int length;

    public KvRows(DType keyType, DType valueType, int headDim, int rowsPerPage) {
        if (rowsPerPage < 1) {
            throw new IllegalArgumentException("rowsPerPage " + rowsPerPage);
        }
        this.keyType = keyType;
        this.valueType = valueType;
        this.headDim = headDim;
        this.rowsPerPage = rowsPerPage;
        this.keyRowBytes = keyType.rowBytes(headDim);
        this.valueRowBytes = valueType.rowBytes(headDim);
    }

    public DType keyType() {
        return keyType;
    }

    public DType valueType() {
        return valueType;
    }

    public int headDim() {
        return headDim;
    }

    public int rowsPerPage() {
        return rowsPerPage;
    }

    public long keyRowBytes() {
        return keyRowBytes;
    }

    public long valueRowBytes() {
        return valueRowBytes;
    }

    /** Entries in use. */
    public int length() {
        return length;
    }

    /** Entries for which there are pages. */
    public int capacity() {
        return (int) Math.min(Integer.MAX_VALUE, (long) pageCount * rowsPerPage);
    }

    public int pageCount() {
        return pageCount;
    }

    /** Address of the first byte of a page. */
    public long page(int index) {
        return pages[index];
    }

    public long keyAddress(int slot) {
        return pages[slot / rowsPerPage] + (slot % rowsPerPage) * keyRowBytes;
    }

    public long valueAddress(int slot) {
        return pages[slot / rowsPerPage] + rowsPerPage * keyRowBytes + (slot % rowsPerPage) * valueRowBytes;
    }

    /** Widens the key at a slot. */
    public void readKey(int slot, float[] target) {
        BlockCodec.decodeRow(keyType, keyAddress(slot), target, headDim);
    }

    /** Widens the value at a slot. */
    public void readValue(int slot, float[] target) {
        BlockCodec.decodeRow(valueType, valueAddress(slot), target, headDim);
    }

    /** Overwrites the key at a slot, converted to the keys' dtype. */
    public void writeKey(int slot, float[] source) {
        BlockCodec.encodeRow(keyType, source, keyAddress(slot), headDim);
    }

    /** Overwrites the value at a slot, converted to the values' dtype. */
    public void writeValue(int slot, float[] source) {
        BlockCodec.encodeRow(valueType, source, valueAddress(slot), headDim);
    }

    /** Position in the text of the token at a slot. */
    public int position(int slot) {
        return positions[slot];
    }

    /** The positions of all slots; only the first {@link #length} are valid, and only until the next change. */
    public int[] positions() {
        return positions;
    }

    public void position(int slot, int position) {
        positions[slot] = position;
    }

    /** Adds an entry at slot {@link #length}; its page must be there, its key and value rows are the caller's to write. */
    public void append(int position) {
        if (length == capacity()) {
            throw new IllegalStateException("no page for slot " + length);
        }
        if (length == positions.length) {
            positions = Arrays.copyOf(positions, Math.max(rowsPerPage, length + (length >> 1) + 1));
        }
        positions[length++] = position;
    }

    /** Forgets the entries from slot {@code newLength} on; pages stay until {@link #removePage}. */
    public void truncate(int newLength) {
        if (newLength < 0 || newLength > length) {
            throw new IllegalArgumentException(newLength + " of " + length);
        }
        length = newLength;
    }

    /** Adds a page of {@code rowsPerPage * (keyRowBytes + valueRowBytes)} bytes at the end. */
    public void addPage(long address) {
        if (pageCount == pages.length) {
            pages = Arrays.copyOf(pages, pages.length * 2);
        }
        pages[pageCount++] = address;
    }

    /** Takes the last page off; no entry may lie in it. Returns its address. */
    public long removePage() {
        if (pageCount == 0 || length > (pageCount - 1) * rowsPerPage) {
            throw new IllegalStateException("the last page of " + pageCount + " is in use (" + length + " entries)");
        }
        return pages[--pageCount];
    }
}
