package dev.layercake.kernels;

import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The entries of one KV head of one layer as attention reads them: slots {@code [0, length)} in fixed-size pages, each
 * slot with the position of its token. A page holds {@code rowsPerPage} key rows and then as many value rows. The order
 * of slots carries no meaning unless a kernel asks for ascending positions.
 *
 * <p>A head may have a second run of entries, {@link #lower}, in rows of another type. Attention reads both in one softmax;
 * slots, lengths and what kernels tell about single entries concern the first run only.
 *
 * <p>This is a view: the cache that owns the pages keeps it up to date. Not thread-safe for writers.
 */
public final class KvRows {
    private final RowType keyType;
    private final RowType valueType;
    private final int headDim;
    private final int rowsPerPage;
    private final long keyRowBytes;
    private final long valueRowBytes;
    private long[] pages = new long[1];
    private int pageCount;
    /** The row of the first page in which slot 0 lies: those before it have been forgotten. */
    private int firstRow;

    private int[] positions = new int[0];
    /** How near a query must be to see a slot: at a distance below this; empty if no slot is hidden. */
    private int[] reaches = new int[0];

    private int length;
    private @Nullable KvRows lower;
    private @Nullable Tensor balancer;
    /** The channels of a key that are stored, if not all are. */
    private int[] channels = new int[0];

    private @Nullable BitSet withheld;
    /** Slots that are withheld or not together; 0 if each is for itself. */
    private int withheldRun;
    /** Slots of the first such run that are no more there. */
    private int withheldOffset;

    public KvRows(RowType keyType, RowType valueType, int headDim, int rowsPerPage) {
        if (rowsPerPage < 1) {
            throw new IllegalArgumentException("rowsPerPage " + rowsPerPage);
        }
        this.keyType = keyType;
        this.valueType = valueType;
        this.headDim = headDim;
        this.rowsPerPage = rowsPerPage;
        this.keyRowBytes = keyType.rowBytes(headDim);
        this.valueRowBytes = valueType.rowBytes(headDim);
        if (valueType instanceof ChannelBits
                || valueType instanceof SomeChannels
                || (keyType instanceof ChannelBits blocks && rowsPerPage % blocks.rows() != 0)) {
            throw new IllegalArgumentException(
                    "keys in " + keyType + ", values in " + valueType + ", " + rowsPerPage + " rows per page");
        }
    }

    public RowType keyType() {
        return keyType;
    }

    public RowType valueType() {
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
        return (int) Math.min(Integer.MAX_VALUE, (long) pageCount * rowsPerPage - firstRow);
    }

    public int pageCount() {
        return pageCount;
    }

    /** Address of the first byte of a page. */
    public long page(int index) {
        return pages[index];
    }

    /** Address of the block of keys in which a slot's key lies; its first row is at a multiple of the block's rows. */
    long keyBlock(int slot) {
        return keyAddress(slot) - rowInBlock(slot) * keyRowBytes;
    }

    /** The row of its block of keys in which a slot's key lies. */
    int rowInBlock(int slot) {
        return (slot + firstRow) % ((ChannelBits) keyType).rows();
    }

    public long keyAddress(int slot) {
        int row = slot + firstRow;
        return pages[row / rowsPerPage] + (row % rowsPerPage) * keyRowBytes;
    }

    public long valueAddress(int slot) {
        int row = slot + firstRow;
        return pages[row / rowsPerPage] + rowsPerPage * keyRowBytes + (row % rowsPerPage) * valueRowBytes;
    }

    /** Consecutive slots from {@code slot} on that lie in one page. */
    int leftInPage(int slot) {
        return rowsPerPage - (slot + firstRow) % rowsPerPage;
    }

    /** The row of the first page in which slot 0 lies; see {@link #dropFirst}. */
    public int firstRow() {
        return firstRow;
    }

    /** Lets slot 0 lie in a row of the first page, below {@link #rowsPerPage}; there must be no entries. */
    public void firstRow(int row) {
        if (length > 0 || row < 0 || row >= rowsPerPage) {
            throw new IllegalArgumentException("row " + row + " for " + length + " entries");
        }
        firstRow = row;
    }

    /** Further entries of the same head, which attention reads along with these; null if there are none. */
    public @Nullable KvRows lower() {
        return lower;
    }

    /** Gives this head a second run of entries, of the same {@link #headDim}. */
    public void lower(@Nullable KvRows newLower) {
        lower = newLower;
    }

    /** Entries of this run and the one below it. */
    int entries() {
        return lower == null ? length : Math.addExact(length, lower.entries());
    }

    /** Entries of the first runs, as many of these as have so much room together. */
    int told(int room) {
        int sum = 0;
        for (KvRows run = this; run != null && run.length <= room - sum; run = run.lower) {
            sum += run.length;
        }
        return sum;
    }

    /** What keys are multiplied with before they are stored here, and after they are read; null if they are not. */
    public @Nullable Tensor balancer() {
        return balancer;
    }

    /**
     * Stores keys balanced from here on; nothing may be stored yet, and the keys' type must be {@link LowBits}.
     *
     * @param newBalancer [2 x headDim] float32: a factor for each channel, and its inverse
     */
    public void balancer(@Nullable Tensor newBalancer) {
        boolean fits = newBalancer == null
                || (newBalancer.rows() == 2 && newBalancer.columns() == headDim && keyType instanceof LowBits);
        if (length > 0 || !fits) {
            throw new IllegalArgumentException(newBalancer + " for " + length + " entries of " + headDim);
        }
        balancer = newBalancer;
    }

    /** The channels of a key that are stored, ascending; empty if the keys' type is not {@link SomeChannels}, or nobody chose. */
    public int[] channels() {
        return channels;
    }

    /**
     * Says which channels of keys are stored from here on; nothing may be stored yet, and the keys' type must be
     * {@link SomeChannels}.
     *
     * @param kept ascending, as many as the type has
     */
    public void channels(int[] kept) {
        boolean ascending = IntStream.range(1, kept.length).allMatch(i -> kept[i - 1] < kept[i]);
        if (length > 0
                || !(keyType instanceof SomeChannels some && some.kept() == kept.length)
                || !ascending
                || kept[0] < 0
                || kept[kept.length - 1] >= headDim) {
            throw new IllegalArgumentException(
                    "channels " + Arrays.toString(kept) + " for " + length + " entries with keys of " + keyType);
        }
        channels = kept.clone();
    }

    /** Puts the first elements of a widened key, those that are stored, where they belong, and zeros between them. */
    void spread(long key) {
        int next = headDim;
        for (int i = channels.length - 1; i >= 0; i--) {
            float element = Memory.float32(key + (long) i * Float.BYTES);
            zero(key, channels[i] + 1, next);
            next = channels[i];
            Memory.putFloat32(key + (long) next * Float.BYTES, element);
        }
        zero(key, 0, next);
    }

    private static void zero(long key, int from, int to) {
        for (int i = from; i < to; i++) {
            Memory.putFloat32(key + (long) i * Float.BYTES, 0f);
        }
    }

    /** Puts the elements of a key that are stored in front. */
    private void gather(long key) {
        for (int i = 0; i < channels.length; i++) {
            Memory.putFloat32(key + (long) i * Float.BYTES, Memory.float32(key + (long) channels[i] * Float.BYTES));
        }
    }

    /** Widens the key at a slot. Only of rows that are kept in a {@link DType}. */
    public void readKey(int slot, float[] target) {
        BlockCodec.decodeRow((DType) keyType, keyAddress(slot), target, headDim);
    }

    /** Widens the value at a slot; as {@link #readKey}. */
    public void readValue(int slot, float[] target) {
        BlockCodec.decodeRow((DType) valueType, valueAddress(slot), target, headDim);
    }

    /** Widens the key at a slot to packed float32 in memory, in plain arithmetic. */
    void decodeKey(int slot, long target) {
        if (keyType instanceof ChannelBits blocks) {
            ChannelBitCodec.decode(blocks, keyBlock(slot), rowInBlock(slot), target, headDim);
            return;
        }
        if (keyType instanceof SomeChannels some) {
            BlockCodec.decode(some.type(), keyAddress(slot), target, some.kept());
            spread(target);
            return;
        }
        BlockCodec.decode(keyType, keyAddress(slot), target, headDim);
        if (balancer != null) {
            multiply(target, balancer.rowAddress(1));
        }
    }

    /** Widens the value at a slot to packed float32 in memory, in plain arithmetic. */
    void decodeValue(int slot, long target) {
        BlockCodec.decode(valueType, valueAddress(slot), target, headDim);
    }

    /**
     * Stores the entry at a slot of other rows here too, rounded to nearest in this run's types.
     *
     * @param source rows of the same {@link #headDim}
     * @param slot where it comes to lie; in use already
     * @param room [1 x headDim] float32, overwritten
     */
    public void copyEntry(KvRows source, int sourceSlot, int slot, Tensor room) {
        if (source.headDim != headDim || room.columns() != headDim || room.dtype() != DType.F32) {
            throw new IllegalArgumentException(
                    "an entry of " + source.headDim + " elements for " + headDim + " through " + room);
        }
        source.decodeKey(sourceSlot, room.address());
        if (balancer != null) {
            multiply(room.address(), balancer.rowAddress(0));
        }
        if (keyType instanceof SomeChannels some) {
            gather(room.address());
            BlockCodec.encode(some.type(), room.address(), keyAddress(slot), some.kept());
        } else {
            BlockCodec.encode(keyType, room.address(), keyAddress(slot), headDim);
        }
        source.decodeValue(sourceSlot, room.address());
        BlockCodec.encode(valueType, room.address(), valueAddress(slot), headDim);
    }

    /**
     * Stores a block of entries here too, whose keys share their scales; see {@link ChannelBits}.
     *
     * @param source rows of the same {@link #headDim}
     * @param sourceSlot the first of as many consecutive slots as a block of this run's keys has rows
     * @param slot where the first of them comes to lie; the first of a block, all in use already
     * @param room [rows of a block x headDim] float32, overwritten
     */
    public void copyBlock(KvRows source, int sourceSlot, int slot, Tensor room) {
        ChannelBits blocks = (ChannelBits) keyType;
        if (source.headDim != headDim
                || room.columns() != headDim
                || room.rows() != blocks.rows()
                || rowInBlock(slot) != 0) {
            throw new IllegalArgumentException("a block of " + blocks + " at " + slot + " through " + room);
        }
        for (int row = 0; row < blocks.rows(); row++) {
            source.decodeKey(sourceSlot + row, room.rowAddress(row));
        }
        ChannelBitCodec.encode(blocks, room.address(), keyBlock(slot), headDim);
        for (int row = 0; row < blocks.rows(); row++) {
            source.decodeValue(sourceSlot + row, room.address());
            BlockCodec.encode(valueType, room.address(), valueAddress(slot + row), headDim);
        }
    }

    /** Takes slots out of the attention of single tokens, because entries of other runs stand in for them; null for none. */
    public void withhold(@Nullable BitSet slots) {
        withheld = slots;
        withheldRun = 0;
    }

    /** Takes slots out of the attention of single tokens, those of runs that begin at slot 0. */
    public void withhold(BitSet slots, int run) {
        withhold(slots, run, 0);
    }

    /**
     * Takes slots out of the attention of single tokens, which then does not read them.
     *
     * @param run slots that are taken out together, or not: slots {@code [i * run - offset, (i + 1) * run - offset)} for each i
     * @param offset slots by which the first run is shorter than the others, less than {@code run}
     */
    public void withhold(BitSet slots, int run, int offset) {
        if (run < 1 || offset < 0 || offset >= run) {
            throw new IllegalArgumentException("runs of " + run + " from " + offset + " on");
        }
        withheld = slots;
        withheldRun = run;
        withheldOffset = offset;
    }

    /** Whether a slot is taken out of the attention of single tokens. */
    boolean withheld(int slot) {
        return withheld != null && withheld.get(slot);
    }

    boolean withholdsAny() {
        return withheld != null;
    }

    /** Whether all of these consecutive slots are taken out of the attention of single tokens. */
    boolean withholdsAll(int slot, int count) {
        return withheld != null && withheld.nextClearBit(slot) >= slot + count;
    }

    /** Consecutive slots from {@code slot} on that lie in one page and that a single token reads together or not at all. */
    int together(int slot) {
        int inPage = leftInPage(slot);
        return withheldRun == 0 ? inPage : Math.min(inPage, withheldRun - (slot + withheldOffset) % withheldRun);
    }

    private void multiply(long target, long factors) {
        for (int i = 0; i < headDim; i++) {
            long element = target + (long) i * Float.BYTES;
            Memory.putFloat32(element, Memory.float32(element) * Memory.float32(factors + (long) i * Float.BYTES));
        }
    }

    /** Overwrites the key at a slot, converted to the keys' dtype. */
    public void writeKey(int slot, float[] source) {
        BlockCodec.encodeRow((DType) keyType, source, keyAddress(slot), headDim);
    }

    /** Overwrites the value at a slot, converted to the values' dtype. */
    public void writeValue(int slot, float[] source) {
        BlockCodec.encodeRow((DType) valueType, source, valueAddress(slot), headDim);
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

    /**
     * Hides a slot from the causal attention of every token but its own. It lasts until {@link #showAll}; slots must not
     * be moved meanwhile.
     */
    public void hide(int slot) {
        if (reaches.length < length) {
            int known = reaches.length;
            reaches = Arrays.copyOf(reaches, length);
            Arrays.fill(reaches, known, length, Integer.MAX_VALUE);
        }
        reaches[slot] = 1;
    }

    /** Lets every query see every slot again. */
    public void showAll() {
        reaches = new int[0];
    }

    /** Whether a slot is hidden from other tokens. */
    public boolean hidden(int slot) {
        return slot < reaches.length && reaches[slot] == 1;
    }

    /** How near a query must be to see each slot, at a distance below this; empty if no slot is hidden. */
    int[] reaches() {
        if (reaches.length > 0 && reaches.length < length) {
            throw new IllegalStateException(length + " slots, of which " + reaches.length + " have a reach");
        }
        return reaches;
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

    /**
     * Forgets the entries from slot {@code newLength} on; pages stay until {@link #removePage}. Where far fewer entries are
     * left than there were, room for their positions is given back; a cut of a few never is.
     */
    public void truncate(int newLength) {
        if (newLength < 0 || newLength > length) {
            throw new IllegalArgumentException(newLength + " of " + length);
        }
        length = newLength;
        int enough = newLength + rowsPerPage;
        if (positions.length / 2 > enough) {
            positions = Arrays.copyOf(positions, enough);
        }
    }

    /**
     * Forgets the entries at the first slots; the others are slots 0, 1, ... from then on, and stay in the rows where they are,
     * so that their places within pages, and with them the order in which kernels add up, do not depend on what was forgotten.
     * Pages before the first entry stay until {@link #removeFirstPage}.
     */
    public void dropFirst(int count) {
        if (count < 0 || count > length || reaches.length > 0) {
            throw new IllegalArgumentException(count + " of " + length + ", some of which may be hidden");
        }
        System.arraycopy(positions, count, positions, 0, length - count);
        firstRow += count;
        truncate(length - count);
    }

    /** Takes the first page off if no entry lies in it any more; returns its address, or 0. */
    public long removeFirstPage() {
        if (pageCount == 0 || firstRow < rowsPerPage) {
            return 0;
        }
        long first = pages[0];
        System.arraycopy(pages, 1, pages, 0, --pageCount);
        firstRow -= rowsPerPage;
        return first;
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
        if (pageCount == 0 || length + firstRow > (pageCount - 1) * rowsPerPage) {
            throw new IllegalStateException("the last page of " + pageCount + " is in use (" + length + " entries)");
        }
        return pages[--pageCount];
    }
}
