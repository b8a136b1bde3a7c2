package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import dev.layercake.kv.policy.EntryOrder;
import dev.layercake.kv.policy.Rotary;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The entries of one KV head of one layer: the rows that attention reads, the pages under them, and the logical order in
 * which decode steps judge them. Entries never move to other pages; what is kept moves to the front within its own.
 */
final class HeadEntries {
    private final KvPool pool;
    private final KvLease lease;
    private final KvRows rows;
    private final byte[] spareRow;
    private int[] order = new int[0];
    private boolean ordered = true;
    /** The attention that each slot's entry has got so far, if the policy counts it; as long as needed, zeros beyond. */
    private float[] attention = new float[0];
    /** The positions that keys are rotated to, where that is not the text's; as long as needed. */
    private int[] rotations = new int[0];

    private boolean rotated;
    /** Keys of the sinks as they were stored, by position, once they are shown at other positions; see {@link #showSinks}. */
    private float[][] sinkKeys = new float[0][];

    private int[] shownSlots = new int[0];

    HeadEntries(KvLease lease) {
        this.pool = lease.pool();
        this.lease = lease;
        KvLayout layout = pool.layout();
        this.rows = new KvRows(layout.keyType(), layout.valueType(), layout.headDim(), pool.rowsPerPage());
        this.spareRow = new byte[Math.toIntExact(layout.entryBytes())];
    }

    KvRows rows() {
        return rows;
    }

    int length() {
        return rows.length();
    }

    /** The attention that the entry at a slot has got so far; 0 if nobody counts it. */
    float attention(int slot) {
        return slot < attention.length ? attention[slot] : 0;
    }

    /** Counts more attention for the entry at a slot. */
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

    /** Slot of the entry at a place of the logical order. */
    int slot(int place) {
        return ordered ? order[place] : place;
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

    /**
     * Rotates every key to its place among the entries, in the order of their positions in the text.
     *
     * @param first the place of the earliest one
     */
    void renumber(Rotary rotary, int first) {
        int[] slots = slotsByPosition(0, rows.length());
        float[] key = new float[rows.headDim()];
        for (int place = 0; place < slots.length; place++) {
            int slot = slots[place];
            int by = first + place - rotation(slot);
            if (by != 0) {
                rows.readKey(slot, key);
                rotary.turn(by).apply(key);
                rows.writeKey(slot, key);
            }
        }
        for (int place = 0; place < slots.length; place++) {
            rotation(slots[place], first + place);
        }
        rotated = true;
    }

    /**
     * Shows the sinks to a query as if nothing had been dropped between them and the other entries: {@code by} positions
     * later than they are. Only they have to move, for the others are as far from the query as they are in the text. Their
     * keys are rotated from what was stored at first, so that nothing adds up in a long stream.
     *
     * @param turn the rotation by so many positions
     * @param sinks positions below it are sinks
     */
    void showSinks(Rotary.Turn turn, int by, int sinks) {
        if (shownSlots.length == 0) {
            shownSlots = new int[sinks];
            sinkKeys = new float[sinks][];
        }
        Arrays.fill(shownSlots, -1);
        float[] key = new float[rows.headDim()];
        for (int slot = 0; slot < rows.length(); slot++) {
            int position = rows.position(slot);
            if (position < sinks) {
                if (sinkKeys[position] == null) {
                    sinkKeys[position] = new float[rows.headDim()];
                    rows.readKey(slot, sinkKeys[position]);
                }
                System.arraycopy(sinkKeys[position], 0, key, 0, key.length);
                turn.apply(key);
                rows.writeKey(slot, key);
                rows.position(slot, position + by);
                shownSlots[position] = slot;
            }
        }
    }

    /** Gives the sinks the positions in the text that they have; their keys stay where they were shown. */
    void hideSinks() {
        for (int position = 0; position < shownSlots.length; position++) {
            if (shownSlots[position] >= 0) {
                rows.position(shownSlots[position], position);
                shownSlots[position] = -1;
            }
        }
    }

    /** Forgets everything. */
    void clear() {
        truncate(0);
        orderBySlot();
        rotated = false;
        shownSlots = new int[0];
        sinkKeys = new float[0][];
    }

    /** Adds slots for consecutive tokens; their keys and values are the caller's to write. */
    void append(int firstPosition, int firstRotation, int count) {
        int newLength = Math.addExact(rows.length(), count);
        while (rows.capacity() < newLength) {
            rows.addPage(lease.takePage());
        }
        lease.countEntries(count);
        if (ordered) {
            if (newLength > order.length) {
                order = Arrays.copyOf(order, newLength + pool.rowsPerPage());
            }
            for (int slot = rows.length(); slot < newLength; slot++) {
                order[slot] = slot;
            }
        }
        for (int i = 0; i < count; i++) {
            if (rotated) {
                rotation(rows.length(), firstRotation + i);
            }
            rows.append(firstPosition + i);
        }
    }

    /** Drops the entries from a slot on and returns the pages that are then empty. */
    void truncate(int newLength) {
        lease.countEntries(newLength - rows.length());
        Arrays.fill(attention, Math.min(newLength, attention.length), Math.min(rows.length(), attention.length), 0f);
        rows.truncate(newLength);
        int pages = (newLength + pool.rowsPerPage() - 1) / pool.rowsPerPage();
        while (rows.pageCount() > pages) {
            lease.givePage(rows.removePage());
        }
    }

    /** Puts the entries in ascending order of position, which is then the logical order too. */
    void sortByPosition() {
        ordered = false;
        int length = rows.length();
        boolean sorted = true;
        for (int slot = 1; slot < length; slot++) {
            sorted &= rows.position(slot - 1) < rows.position(slot);
        }
        if (!sorted) {
            arrange(slotsByPosition(0, length), length);
        }
    }

    /** Slots {@code [first, end)} in ascending order of position. */
    private int[] slotsByPosition(int first, int end) {
        long[] keys = new long[end - first];
        for (int slot = first; slot < end; slot++) {
            keys[slot - first] = ((long) rows.position(slot) << 32) | slot;
        }
        Arrays.sort(keys);
        int[] slots = new int[keys.length];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = (int) keys[i];
        }
        return slots;
    }

    /**
     * Keeps the entries of {@code sources}, which come to lie in slots 0, 1, ... in that order, and drops the others. Works
     * in place: each kept row is copied about once.
     */
    void arrange(int[] sources, int count) {
        int length = rows.length();
        boolean[] wanted = new boolean[length];
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
        truncate(count);
    }

    private void copy(int from, int to) {
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

    /**
     * Sets the logical order after a cut prompt, whose layout is the window first and then the others by descending score.
     */
    void orderAfterCut(EntryOrder kind, int window) {
        int length = rows.length();
        if (kind == EntryOrder.POSITION) {
            order(slotsByPosition(0, length));
            return;
        }
        int[] slots = new int[length];
        for (int place = 0; place < length; place++) {
            slots[place] = place < length - window ? window + place : place - (length - window);
        }
        order(slots);
    }

    /** Makes the slots' own order the logical one, as after a prompt that was kept whole. */
    void orderBySlot() {
        int[] slots = new int[rows.length()];
        for (int slot = 0; slot < slots.length; slot++) {
            slots[slot] = slot;
        }
        order(slots);
    }

    /** Sets the logical order: every slot once. */
    void order(int[] slots) {
        order = slots;
        ordered = true;
    }

    /** Evicts the entry at one place of the logical order: the last slot's row fills the hole. */
    void evictOne(int place) {
        int last = rows.length() - 1;
        int hole = order[place];
        System.arraycopy(order, place + 1, order, place, last - place);
        if (hole != last) {
            copy(last, hole);
            int moved = last - 1;
            while (order[moved] != last) {
                moved--;
            }
            order[moved] = hole;
        }
        truncate(last);
    }

    /** Keeps the entries at some places of the logical order, which become its places 0, 1, ...; drops the others. */
    void keep(int[] places, int count) {
        int length = rows.length();
        boolean[] kept = new boolean[length];
        int[] newOrder = new int[count + pool.rowsPerPage()];
        for (int i = 0; i < count; i++) {
            newOrder[i] = order[places[i]];
            kept[newOrder[i]] = true;
        }
        int hole = 0;
        int[] movedTo = new int[length];
        for (int slot = 0; slot < length; slot++) {
            movedTo[slot] = slot;
        }
        for (int slot = count; slot < length; slot++) {
            if (kept[slot]) {
                while (kept[hole]) {
                    hole++;
                }
                copy(slot, hole);
                movedTo[slot] = hole++;
            }
        }
        for (int i = 0; i < count; i++) {
            newOrder[i] = movedTo[newOrder[i]];
        }
        order = newOrder;
        truncate(count);
    }

    /** The positions held, in logical order. */
    int[] positions() {
        int[] positions = new int[rows.length()];
        for (int place = 0; place < positions.length; place++) {
            positions[place] = rows.position(slot(place));
        }
        return positions;
    }
}
