package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.RowType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Entries of one head in pages of a lease: rows, their positions, and what attention each has got so far. Entries never
 * move to other pages; what is kept moves to the front within its own.
 */
final class PagedRows {
    private final KvPool pool;
    private final KvLease lease;
    private final KvRows rows;
    private final byte[] spareRow;
    /** The attention that each slot's entry has got so far, if the policy counts it; as long as needed, zeros beyond. */
    private float[] attention = new float[0];

    /** The positions that keys are rotated to, where that is not the text's; as long as needed. */
    private int[] rotations = new int[0];

    private boolean rotated;

    PagedRows(KvLease lease, RowType keyType, RowType valueType, int headDim, int rowsPerPage) {
        this.pool = lease.pool();
        this.lease = lease;
        this.rows = new KvRows(keyType, valueType, headDim, rowsPerPage);
        this.spareRow = new byte[Math.toIntExact(rows.keyRowBytes() + rows.valueRowBytes())];
    }

    KvRows rows() {
        return rows;
    }

    int length() {
        return rows.length();
    }

    float attention(int slot) {
        return slot < attention.length ? attention[slot] : 0;
    }

    void addAttention(int slot, float more) {
        if (slot >= attention.length) {
            attention = Arrays.copyOf(attention, rows.capacity());
        }
        attention[slot] += more;
    }

    private void attention(int slot, float value) {
        if (slot < attention.length) {
            attention[slot] = value;
        } else if (value != 0) {
            addAttention(slot, value);
        }
    }

    /** The position that the key at a slot is rotated to. */
    int rotation(int slot) {
        return rotated ? rotations[slot] : rows.position(slot);
    }

    private void rotation(int slot, int rotation) {
        if (slot >= rotations.length) {
            rotations = Arrays.copyOf(rotations, rows.capacity());
        }
        rotations[slot] = rotation;
    }

    /** The keys of all slots, in the order given, are rotated to consecutive positions now. */
    void rotations(int[] slots, int first) {
        for (int place = 0; place < slots.length; place++) {
            rotation(slots[place], first + place);
        }
        rotated = true;
    }

    /** Forgets all entries. */
    void clear() {
        truncate(0);
        rotated = false;
    }

    /** Takes the pages for more entries. */
    void reserve(int count) {
        int newLength = Math.addExact(rows.length(), count);
        while (rows.capacity() < newLength) {
            rows.addPage(lease.takePage());
        }
    }

    /** Adds a slot for the token at a position; its key and value are the caller's to write, and its page must be there. */
    void append(int position, int rotation) {
        if (rotated) {
            rotation(rows.length(), rotation);
        }
        rows.append(position);
    }

    void append(int position) {
        append(position, position);
    }

    /** Forgets the entries from a slot on and returns the pages that are then empty. */
    void truncate(int newLength) {
        Arrays.fill(attention, Math.min(newLength, attention.length), Math.min(rows.length(), attention.length), 0f);
        rows.truncate(newLength);
        int end = newLength == 0 ? 0 : rows.firstRow() + newLength;
        int pages = (end + rows.rowsPerPage() - 1) / rows.rowsPerPage();
        if (newLength == 0) {
            rows.firstRow(0);
        }
        while (rows.pageCount() > pages) {
            lease.givePage(rows.removePage());
        }
        if (attention.length / 2 > rows.capacity()) {
            attention = Arrays.copyOf(attention, rows.capacity());
        }
        if (rotations.length / 2 > rows.capacity()) {
            rotations = Arrays.copyOf(rotations, rows.capacity());
        }
    }

    /**
     * Forgets the entries whose positions are below {@code oldest}. Those at the first slots leave without the others being
     * moved, which are slots 0, 1, ... from then on; into any other hole comes the last entry.
     *
     * @param order the slots in the order in which they are judged, kept up to date; null if there is none
     * @return entries that are gone
     */
    int dropBelow(int oldest, int @Nullable [] order) {
        int before = rows.length();
        int first = 0;
        while (first < before && rows.position(first) < oldest) {
            first++;
        }
        if (first > 0) {
            dropFirst(first, order);
        }
        for (int slot = rows.length() - 1; slot >= 0; slot--) {
            if (rows.position(slot) < oldest) {
                fillHole(slot, order);
            }
        }
        return before - rows.length();
    }

    /** Forgets the entries at the first slots; see {@link #dropBelow}. */
    void dropFirst(int count, int @Nullable [] order) {
        int length = rows.length();
        if (order != null) {
            int places = 0;
            for (int place = 0; place < length; place++) {
                if (order[place] >= count) {
                    order[places++] = order[place] - count;
                }
            }
        }
        shift(attention, count, length);
        if (rotated) {
            System.arraycopy(rotations, count, rotations, 0, length - count);
        }
        rows.dropFirst(count);
        for (long page = rows.removeFirstPage(); page != 0; page = rows.removeFirstPage()) {
            lease.givePage(page);
        }
        truncate(rows.length());
    }

    private static void shift(float[] numbers, int count, int length) {
        int known = Math.min(length, numbers.length);
        if (known > count) {
            System.arraycopy(numbers, count, numbers, 0, known - count);
        }
        Arrays.fill(numbers, Math.max(0, known - count), known, 0f);
    }

    /** Forgets the entry at a slot; the last one comes there. */
    void fillHole(int hole, int @Nullable [] order) {
        int last = rows.length() - 1;
        if (order != null) {
            int place = place(order, hole);
            System.arraycopy(order, place + 1, order, place, last - place);
            if (hole != last) {
                order[place(order, last)] = hole;
            }
        }
        if (hole != last) {
            copy(last, hole);
        }
        truncate(last);
    }

    private static int place(int[] order, int slot) {
        int place = 0;
        while (order[place] != slot) {
            place++;
        }
        return place;
    }

    /** Takes what others hold, on pages of its own; these must be empty, and of the same types. */
    void copyFrom(PagedRows other) {
        rows.firstRow(other.rows.firstRow());
        reserve(other.length());
        long pageBytes = rows.rowsPerPage() * (rows.keyRowBytes() + rows.valueRowBytes());
        for (int page = 0; page < rows.pageCount(); page++) {
            pool.copy(other.rows.page(page), rows.page(page), pageBytes);
        }
        for (int slot = 0; slot < other.length(); slot++) {
            append(other.rows.position(slot));
        }
        attention = other.attention.clone();
        rotations = other.rotations.clone();
        rotated = other.rotated;
    }

    /** Puts the entries in ascending order of position. */
    void sortByPosition() {
        int length = rows.length();
        boolean sorted = true;
        for (int slot = 1; slot < length; slot++) {
            sorted &= rows.position(slot - 1) < rows.position(slot);
        }
        if (!sorted) {
            arrange(slotsByPosition(), length);
        }
    }

    /** All slots in ascending order of position. */
    int[] slotsByPosition() {
        long[] keys = new long[rows.length()];
        for (int slot = 0; slot < keys.length; slot++) {
            keys[slot] = ((long) rows.position(slot) << 32) | slot;
        }
        Arrays.sort(keys);
        int[] slots = new int[keys.length];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = (int) keys[i];
        }
        return slots;
    }

    /**
     * Brings the entries of {@code sources} to slots 0, 1, ... in that order; the slots from {@code count} on then hold
     * nothing of value. Works in place: each of them is copied about once.
     */
    void arrange(int[] sources, int count) {
        boolean[] wanted = new boolean[rows.length()];
        for (int i = 0; i < count; i++) {
            wanted[sources[i]] = true;
        }
        boolean[] settled = new boolean[count];
        // Chains begin at a slot whose content nobody wants and end outside the kept part.
        for (int start = 0; start < count; start++) {
            if (!wanted[start]) {
                int slot = start;
                while (slot < count) {
                    copy(sources[slot], slot);
                    settled[slot] = true;
                    slot = sources[slot];
                }
            }
        }
        // What is left are cycles among the kept slots.
        MemorySegment spare = MemorySegment.ofArray(spareRow);
        for (int start = 0; start < count; start++) {
            if (!settled[start] && sources[start] != start) {
                int sparePosition = rows.position(start);
                float spareAttention = attention(start);
                int spareRotation = rotation(start);
                read(start, spare);
                int slot = start;
                while (sources[slot] != start) {
                    copy(sources[slot], slot);
                    settled[slot] = true;
                    slot = sources[slot];
                }
                write(spare, slot);
                rows.position(slot, sparePosition);
                attention(slot, spareAttention);
                if (rotated) {
                    rotations[slot] = spareRotation;
                }
                settled[slot] = true;
            }
        }
    }

    void copy(int from, int to) {
        pool.copy(rows.keyAddress(from), rows.keyAddress(to), rows.keyRowBytes());
        pool.copy(rows.valueAddress(from), rows.valueAddress(to), rows.valueRowBytes());
        rows.position(to, rows.position(from));
        attention(to, attention(from));
        if (rotated) {
            rotations[to] = rotations[from];
        }
    }

    private void read(int slot, MemorySegment spare) {
        long keyBytes = rows.keyRowBytes();
        long valueBytes = rows.valueRowBytes();
        MemorySegment.copy(pool.at(rows.keyAddress(slot), keyBytes), 0, spare, 0, keyBytes);
        MemorySegment.copy(pool.at(rows.valueAddress(slot), valueBytes), 0, spare, keyBytes, valueBytes);
    }

    private void write(MemorySegment spare, int slot) {
        long keyBytes = rows.keyRowBytes();
        long valueBytes = rows.valueRowBytes();
        MemorySegment.copy(spare, 0, pool.at(rows.keyAddress(slot), keyBytes), 0, keyBytes);
        MemorySegment.copy(spare, keyBytes, pool.at(rows.valueAddress(slot), valueBytes), 0, valueBytes);
    }
}
