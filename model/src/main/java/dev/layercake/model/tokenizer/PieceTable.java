package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The pieces of a vocabulary as UTF-8 in one array, found by their bytes and by their number. A vocabulary has some
 * 260,000 pieces; as strings in a map they would take 30 MB and most of a model's start.
 *
 * <p>The hash of a piece is a polynomial of its bytes, so that the hash of two pieces put together follows from theirs.
 */
final class PieceTable {
    private static final int FACTOR = 0x01000193 * 31 | 1;
    private static final int ABSENT = -1;
    private static final long PASSED_OF_A_PIECE = 64;
    private static final long PASSED_OF_ANY_TABLE = 1 << 20;

    private final byte[] blob;
    private final int[] starts;
    private final int[] ends;
    /** The number of each entry, or null where entries are numbered as they stand. */
    private final int @Nullable [] idOfEntry;

    private final int[] entryOfId;
    private final int[] hashes;
    private final int[] slots;
    private final int[] powers;
    private final int longest;
    private int repeated = ABSENT;
    /** Slots of others that were passed when entries were put in; pieces can be made that all want the same one. */
    private long passed;

    /**
     * @param blob the bytes of all pieces, kept and not copied
     * @param starts where each entry begins
     * @param ends where it ends
     * @param idOfEntry each entry's number, null if it is its index; of two entries with one text the last counts
     */
    PieceTable(byte[] blob, int[] starts, int[] ends, int @Nullable [] idOfEntry) {
        this.blob = blob;
        this.starts = starts;
        this.ends = ends;
        this.idOfEntry = idOfEntry;
        int count = starts.length;
        hashes = new int[count];
        int capacity = 16;
        while (capacity < count * 2L) {
            capacity <<= 1;
        }
        slots = new int[capacity];
        int longestPiece = 0;
        int highest = -1;
        for (int entry = 0; entry < count; entry++) {
            hashes[entry] = hash(blob, starts[entry], ends[entry]);
            longestPiece = Math.max(longestPiece, ends[entry] - starts[entry]);
            highest = Math.max(highest, idOfEntry == null ? entry : idOfEntry[entry]);
            insert(entry);
        }
        longest = longestPiece;
        entryOfId = new int[highest + 1];
        Arrays.fill(entryOfId, ABSENT);
        for (int entry = 0; entry < count; entry++) {
            entryOfId[idOf(entry)] = entry;
        }
        powers = new int[longest + 1];
        powers[0] = 1;
        for (int i = 1; i <= longest; i++) {
            powers[i] = powers[i - 1] * FACTOR;
        }
    }

    /** An entry whose text another has too, or -1; empty pieces, which no text has, do not count. */
    int repeated() {
        return repeated;
    }

    private void insert(int entry) {
        int mask = slots.length - 1;
        int slot = spread(hashes[entry]) & mask;
        while (slots[slot] != 0) {
            int other = slots[slot] - 1;
            if (hashes[other] == hashes[entry]
                    && Arrays.equals(blob, starts[other], ends[other], blob, starts[entry], ends[entry])) {
                if (ends[entry] > starts[entry]) {
                    repeated = other;
                }
                break;
            }
            slot = (slot + 1) & mask;
            if (++passed > PASSED_OF_A_PIECE * starts.length + PASSED_OF_ANY_TABLE) {
                throw LayercakeException.badModel(
                        "The vocabulary's pieces are alike in a way that no text is; the tokenizer file is not usable.");
            }
        }
        slots[slot] = entry + 1;
    }

    private int idOf(int entry) {
        return idOfEntry == null ? entry : idOfEntry[entry];
    }

    /** One more than the highest number. */
    int size() {
        return entryOfId.length;
    }

    /** Bytes of the longest piece. */
    int longest() {
        return longest;
    }

    /** The number of the piece with these bytes, or -1. */
    int find(byte[] text, int from, int to) {
        if (to - from > longest) {
            return ABSENT;
        }
        int hash = hash(text, from, to);
        int mask = slots.length - 1;
        for (int slot = spread(hash) & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
            int entry = slots[slot] - 1;
            if (hashes[entry] == hash && Arrays.equals(blob, starts[entry], ends[entry], text, from, to)) {
                return idOf(entry);
            }
        }
        return ABSENT;
    }

    int find(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return find(utf8, 0, utf8.length);
    }

    /** The number of the piece that two pieces make when put together, or -1. */
    int findJoined(int left, int right) {
        int first = entryOfId[left];
        int second = entryOfId[right];
        int leftLength = ends[first] - starts[first];
        int rightLength = ends[second] - starts[second];
        if (leftLength + rightLength > longest) {
            return ABSENT;
        }
        int hash = hashes[first] * powers[rightLength] + hashes[second];
        int mask = slots.length - 1;
        for (int slot = spread(hash) & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
            int entry = slots[slot] - 1;
            if (hashes[entry] == hash && isJoined(entry, first, leftLength, second, rightLength)) {
                return idOf(entry);
            }
        }
        return ABSENT;
    }

    private boolean isJoined(int entry, int first, int leftLength, int second, int rightLength) {
        int start = starts[entry];
        int middle = start + leftLength;
        return ends[entry] - start == leftLength + rightLength
                && Arrays.equals(blob, start, middle, blob, starts[first], ends[first])
                && Arrays.equals(blob, middle, ends[entry], blob, starts[second], ends[second]);
    }

    /** Bytes of the piece with this number, which must be used. */
    int length(int id) {
        int entry = entryOfId[id];
        return ends[entry] - starts[entry];
    }

    boolean has(int id) {
        return id >= 0 && id < entryOfId.length && entryOfId[id] >= 0;
    }

    /** A piece as text; bytes that are not UTF-8 become U+FFFD. */
    @Nullable
    String piece(int id) {
        if (!has(id)) {
            return null;
        }
        int entry = entryOfId[id];
        return new String(blob, starts[entry], ends[entry] - starts[entry], StandardCharsets.UTF_8);
    }

    /** A copy of a piece's bytes. */
    byte[] bytes(int id) {
        int entry = entryOfId[id];
        return Arrays.copyOfRange(blob, starts[entry], ends[entry]);
    }

    /** A copy of the bytes of an entry, in the order in which entries were given. */
    byte[] entryBytes(int entry) {
        return Arrays.copyOfRange(blob, starts[entry], ends[entry]);
    }

    byte byteAt(int id, int index) {
        return blob[starts[entryOfId[id]] + index];
    }

    /** Tells every two characters that stand side by side in a piece, each as the number that its bytes make. */
    void eachNeighbours(IntIntConsumer consumer) {
        for (int entry = 0; entry < starts.length; entry++) {
            int left = 0;
            int i = starts[entry];
            while (i < ends[entry]) {
                int length = Math.min(ends[entry] - i, CharacterSymbols.length(blob[i]));
                int right = WordCuts.character(blob, i, length);
                if (i > starts[entry]) {
                    consumer.accept(left, right);
                }
                left = right;
                i += length;
            }
        }
    }

    /** Takes two numbers. */
    @FunctionalInterface
    interface IntIntConsumer {
        void accept(int left, int right);
    }

    static int hash(byte[] text, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = hash * FACTOR + text[i] + 129;
        }
        return hash;
    }

    // A polynomial's low bits depend on few bytes only.
    static int spread(int hash) {
        int mixed = (hash ^ (hash >>> 15)) * 0x2C1B3C6D;
        return mixed ^ (mixed >>> 13);
    }
}
