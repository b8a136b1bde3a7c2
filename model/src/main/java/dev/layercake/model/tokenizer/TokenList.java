package dev.layercake.model.tokenizer;

import java.util.Arrays;

/** Token numbers in the order of the text, growing. */
final class TokenList {
    private int[] values = new int[64];
    private int size;

    int size() {
        return size;
    }

    void clear() {
        size = 0;
    }

    void add(int token) {
        if (size == values.length) {
            values = Arrays.copyOf(values, size + (size >> 1) + 64);
        }
        values[size++] = token;
    }

    void addAll(int[] from, int start, int count) {
        if (values.length - size < count) {
            values = Arrays.copyOf(values, Math.max(size + count, size + (size >> 1)));
        }
        System.arraycopy(from, start, values, size, count);
        size += count;
    }

    int get(int index) {
        return values[index];
    }

    /** Forgets everything from {@code newSize} on. */
    void truncate(int newSize) {
        size = newSize;
    }

    /** Copies the tokens from {@code start} on into {@code to}. */
    void copyTo(int start, int[] to, int at) {
        System.arraycopy(values, start, to, at, size - start);
    }

    int[] toArray() {
        return Arrays.copyOf(values, size);
    }
}
