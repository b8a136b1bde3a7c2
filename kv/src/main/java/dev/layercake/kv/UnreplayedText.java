package dev.layercake.kv;

import java.util.Arrays;

/** The end of a text: the tokens that were read and that the model has not repeated yet. */
final class UnreplayedText {
    private int[] tokens = new int[0];
    private int count;

    int count() {
        return count;
    }

    int[] tokens() {
        return Arrays.copyOf(tokens, count);
    }

    void add(int... more) {
        int newCount = Math.addExact(count, more.length);
        if (newCount > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(newCount, count + count / 2));
        }
        System.arraycopy(more, 0, tokens, count, more.length);
        count = newCount;
    }

    void removeFirst(int repeated) {
        System.arraycopy(tokens, repeated, tokens, 0, count - repeated);
        count -= repeated;
    }

    void clear() {
        tokens = new int[0];
        count = 0;
    }
}
