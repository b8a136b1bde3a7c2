package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import dev.layercake.kv.policy.EntryOrder;
import dev.layercake.kv.policy.Rotary;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The entries of one KV head of one layer: the rows that attention reads, the logical order in which decode steps judge
 * them, and beneath them, if the policy keeps what it does not keep in full, the low tier. Slots, places and lengths are
 * those of the entries kept in full.
 */
final class HeadEntries {
    private final KvLease lease;
    private final PagedRows entries;
    private final KvRows rows;
    private final @Nullable LowTier low;
    private final @Nullable KeyBounds bounds;
    private int[] order = new int[0];
    private boolean ordered = true;
    /** Keys of the sinks as they were stored, by position, once they are shown at other positions; see {@link #showSinks}. */
    private float[][] sinkKeys = new float[0][];

    private int[] shownSlots = new int[0];
    private @Nullable SlowCopy slow;
    private int layer;
    private int kvHead;

    HeadEntries(KvLease lease, TierLayout layout) {
        this.lease = lease;
        this.entries =
                new PagedRows(lease, layout.keyType(), layout.valueType(), layout.headDim(), layout.rowsPerPage());
        this.rows = entries.rows();
        TierLayout.Low lowLayout = layout.low();
        this.low = lowLayout == null ? null : new LowTier(lease, lowLayout, layout.headDim());
        if (low != null) {
            rows.lower(low.rows());
        }
        this.bounds = layout.bounds() == null ? null : new KeyBounds(lease, layout.bounds(), layout.headDim());
    }

    KvRows rows() {
        return rows;
    }

    int length() {
        return rows.length();
    }

    /** The entries kept in few bits; null if the policy drops them. */
    @Nullable
    LowTier low() {
        return low;
    }

    /** The rows of the entries kept in few bits. */
    KvRows lowRows() {
        return Objects.requireNonNull(low, "a low tier").rows();
    }

    /** Entries kept in few bits. */
    int lowLength() {
        return low == null ? 0 : low.length();
    }

    /** What is known of the keys without reading them; only of a policy that reads few. */
    KeyBounds bounds() {
        return Objects.requireNonNull(bounds, "bounds of keys");
    }

    /** Remembers what is kept in few bits; see {@link LowTier#mark}. */
    void markLow() {
        if (low != null) {
            low.mark();
        }
    }

    /** See {@link LowTier#marked}. */
    int markedLow() {
        return low == null ? 0 : low.marked();
    }

    /** The positions of slots of the low tier; those beyond its end are the first slots of what is kept in full. */
    int[] positionsInLow(int[] slots) {
        int[] positions = new int[slots.length];
        for (int i = 0; i < slots.length; i++) {
            int slot = slots[i];
            positions[i] = slot < lowLength() ? lowRows().position(slot) : rows.position(slot - lowLength());
        }
        Arrays.sort(positions);
        return positions;
    }

    /** The slots of the low tier, ascending, whose positions are among some, ascending too. */
    int[] slotsInLow(int[] positions) {
        int[] slots = new int[positions.length];
        int count = 0;
        for (int slot = 0; slot < lowLength(); slot++) {
            if (Arrays.binarySearch(positions, lowRows().position(slot)) >= 0) {
                slots[count++] = slot;
            }
        }
        return Arrays.copyOf(slots, count);
    }

    /** Pages of all tiers. */
    int pageCount() {
        return rows.pageCount()
                + (low == null ? 0 : low.rows().pageCount())
                + (bounds == null ? 0 : bounds.pageCount());
    }

    /** The attention that the entry at a slot has got so far; 0 if nobody counts it. */
    float attention(int slot) {
        return entries.attention(slot);
    }

    /** Counts more attention for the entry at a slot. */
    void addAttention(int slot, float more) {
        entries.addAttention(slot, more);
    }

    /** Slot of the entry at a place of the logical order. */
    int slot(int place) {
        return ordered ? order[place] : place;
    }

    /** The position that the key at a slot is rotated to. */
    int rotation(int slot) {
        return entries.rotation(slot);
    }

    /**
     * Rotates every key to its place among the entries, in the order of their positions in the text.
     *
     * @param first the place of the earliest one
     */
    void renumber(Rotary rotary, int first) {
        int[] slots = entries.slotsByPosition();
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
        entries.rotations(slots, first);
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

    /** Adds slots for consecutive tokens; their keys and values are the caller's to write. */
    void append(int firstPosition, int firstRotation, int count) {
        int newLength = Math.addExact(rows.length(), count);
        entries.reserve(count);
        lease.countEntries(count);
        if (ordered) {
            if (newLength > order.length) {
                order = Arrays.copyOf(order, newLength + rows.rowsPerPage());
            }
            for (int slot = rows.length(); slot < newLength; slot++) {
                order[slot] = slot;
            }
        }
        for (int i = 0; i < count; i++) {
            entries.append(firstPosition + i, firstRotation + i);
        }
    }

    /** Forgets everything and returns all pages. */
    void clear() {
        lease.countEntries(-rows.length() - lowLength());
        entries.clear();
        shownSlots = new int[0];
        sinkKeys = new float[0][];
        if (low != null) {
            low.clear();
        }
        if (bounds != null) {
            bounds.clear();
        }
        orderBySlot();
    }

    /** Keeps the first slots in full; the others' entries go where the policy wants them. */
    void cutFrom(int newLength) {
        for (int slot = newLength; slot < rows.length(); slot++) {
            retire(slot);
        }
        shorten(newLength);
    }

    /**
     * Forgets the entries whose positions are below one, in whatever form, because nothing that comes can see them.
     *
     * @return how many of the first slots they were; the others are slots 0, 1, ... now
     */
    int dropBelow(int oldest) {
        if (oldest <= 0) {
            return 0;
        }
        int first = 0;
        while (first < rows.length() && rows.position(first) < oldest) {
            first++;
        }
        int gone = entries.dropBelow(oldest, ordered ? order : null);
        if (low != null) {
            gone += low.dropBelow(oldest);
        }
        if (bounds != null) {
            bounds.dropFirst(first);
        }
        lease.countEntries(-gone);
        return first;
    }

    /** How many entries kept in full have positions below one. */
    int countBelow(int oldest) {
        int count = 0;
        if (oldest <= 0) {
            return 0;
        }
        for (int slot = 0; slot < rows.length(); slot++) {
            count += rows.position(slot) < oldest ? 1 : 0;
        }
        return count;
    }

    /** Takes the last entry back, as if it had not come. */
    void takeBack() {
        takeBack(1);
    }

    /** Takes the last entries back, as if they had not come. */
    void takeBack(int count) {
        lease.countEntries(-count);
        entries.truncate(rows.length() - count);
    }

    /**
     * Moves the oldest entries, which must be the first slots, to the low tier in whole blocks. The rest moves to the front.
     *
     * @param kept how many entries stay as they are; the low tier's block divides the number of the others
     */
    void moveOldest(int kept) {
        int moved = rows.length() - kept;
        if (low == null || moved <= 0) {
            return;
        }
        for (int slot = 0; slot < moved; slot += low.block()) {
            low.addBlock(rows, slot);
        }
        for (int slot = 0; slot < moved; slot++) {
            writeSlowly(slot);
        }
        int[] sources = new int[kept];
        for (int i = 0; i < kept; i++) {
            sources[i] = moved + i;
        }
        entries.arrange(sources, kept);
        shorten(kept);
    }

    /** Copies the entry at a slot to the low tier, if there is one. The caller takes the slot out of use. */
    private void retire(int slot) {
        if (low != null) {
            low.add(rows, slot);
            writeSlowly(slot);
        }
    }

    /** Keeps what leaves for the low tier exact as well, as a head of a slow copy. */
    void copyTo(SlowCopy newSlow, int ofLayer, int ofKvHead) {
        slow = newSlow;
        layer = ofLayer;
        kvHead = ofKvHead;
    }

    private void writeSlowly(int slot) {
        if (slow != null) {
            slow.write(layer, kvHead, rows, slot);
        }
    }

    /** Takes the slots from {@code newLength} on out of use; those whose entries count elsewhere went there before. */
    private void shorten(int newLength) {
        if (low == null) {
            lease.countEntries(newLength - rows.length());
        }
        entries.truncate(newLength);
    }

    /** Puts the entries in ascending order of position, which is then the logical order too. */
    void sortByPosition() {
        ordered = false;
        entries.sortByPosition();
        if (low != null) {
            low.sortByPosition();
        }
    }

    /** Keeps the entries of {@code sources} in full, which come to lie in slots 0, 1, ... in that order. */
    void arrange(int[] sources, int count) {
        boolean[] wanted = new boolean[rows.length()];
        for (int i = 0; i < count; i++) {
            wanted[sources[i]] = true;
        }
        for (int slot = 0; slot < wanted.length; slot++) {
            if (!wanted[slot]) {
                retire(slot);
            }
        }
        entries.arrange(sources, count);
        shorten(count);
    }

    /**
     * Sets the logical order after a cut prompt, whose layout is the window first and then the others by descending score.
     */
    void orderAfterCut(EntryOrder kind, int window) {
        int length = rows.length();
        if (kind == EntryOrder.POSITION) {
            order(entries.slotsByPosition());
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

    /** Keeps all but the entry at one place of the logical order in full: the last slot's row fills the hole. */
    void evictOne(int place) {
        int hole = order[place];
        retire(hole);
        entries.fillHole(hole, order);
        if (low == null) {
            lease.countEntries(-1);
        }
    }

    /** Keeps the entries at some places of the logical order, in full, which become its places 0, 1, .... */
    void keep(int[] places, int count) {
        int length = rows.length();
        boolean[] kept = new boolean[length];
        int[] newOrder = new int[count + rows.rowsPerPage()];
        for (int i = 0; i < count; i++) {
            newOrder[i] = order[places[i]];
            kept[newOrder[i]] = true;
        }
        for (int slot = 0; slot < length; slot++) {
            if (!kept[slot]) {
                retire(slot);
            }
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
                entries.copy(slot, hole);
                movedTo[slot] = hole++;
            }
        }
        for (int i = 0; i < count; i++) {
            newOrder[i] = movedTo[newOrder[i]];
        }
        order = newOrder;
        shorten(count);
    }

    /** Takes what another head holds, on pages of its own; this one must be empty. */
    void copyFrom(HeadEntries other) {
        entries.copyFrom(other.entries);
        if (low != null && other.low != null) {
            low.copyFrom(other.low);
        }
        if (bounds != null && other.bounds != null) {
            bounds.copyFrom(other.bounds);
        }
        lease.countEntries(rows.length() + lowLength());
        order = other.order.clone();
        ordered = other.ordered;
        shownSlots = other.shownSlots.clone();
        sinkKeys = other.sinkKeys.clone();
    }

    /** The positions held in full, in logical order. */
    int[] positions() {
        int[] positions = new int[rows.length()];
        for (int place = 0; place < positions.length; place++) {
            positions[place] = rows.position(slot(place));
        }
        return positions;
    }
}
