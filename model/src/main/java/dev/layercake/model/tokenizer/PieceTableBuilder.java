package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Pieces with their numbers, collected in any order. */
final class PieceTableBuilder {
    private byte[] blob = new byte[1 << 16];
    private int[] ends = new int[1 << 12];
    private int[] ids = new int[1 << 12];
    private int count;
    private int highest = -1;

    void add(int id, String piece) {
        byte[] utf8 = piece.getBytes(StandardCharsets.UTF_8);
        int start = start(count);
        if (blob.length - start < utf8.length) {
            blob = Arrays.copyOf(blob, Math.max(start + utf8.length, blob.length * 2));
        }
        if (count == ends.length) {
            ends = Arrays.copyOf(ends, count * 2);
            ids = Arrays.copyOf(ids, count * 2);
        }
        System.arraycopy(utf8, 0, blob, start, utf8.length);
        ends[count] = start + utf8.length;
        ids[count++] = id;
        highest = Math.max(highest, id);
    }

    int count() {
        return count;
    }

    /** The highest number, -1 if there is none. */
    int highest() {
        return highest;
    }

    PieceTable build() {
        int[] starts = new int[count];
        for (int i = 0; i < count; i++) {
            starts[i] = start(i);
        }
        return new PieceTable(blob, starts, Arrays.copyOf(ends, count), Arrays.copyOf(ids, count));
    }

    private int start(int entry) {
        return entry == 0 ? 0 : ends[entry - 1];
    }
}
