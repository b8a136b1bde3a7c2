package dev.layercake.model.format;

import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;
import org.jspecify.annotations.Nullable;

/**
 * An array of strings as a GGUF file has it, as one block of bytes: a vocabulary is a million bytes and would be a quarter of
 * a million objects. Immutable; a string is made when it is asked for, with U+FFFD for bytes that are not UTF-8.
 */
public final class GgufStrings extends AbstractList<String> implements RandomAccess {
    private final byte[] bytes;
    private final int[] starts;
    private final int[] ends;

    private GgufStrings(byte[] bytes, int[] starts, int[] ends) {
        this.bytes = bytes;
        this.starts = starts;
        this.ends = ends;
    }

    /** The same strings as they would stand in a file. */
    public static GgufStrings of(List<String> strings) {
        byte[][] encoded = strings.stream()
                .map(string -> string.getBytes(StandardCharsets.UTF_8))
                .toArray(byte[][]::new);
        byte[] bytes =
                new byte[Arrays.stream(encoded).mapToInt(one -> one.length).sum()];
        int[] starts = new int[encoded.length];
        int[] ends = new int[encoded.length];
        int at = 0;
        for (int i = 0; i < encoded.length; i++) {
            starts[i] = at;
            System.arraycopy(encoded[i], 0, bytes, at, encoded[i].length);
            at += encoded[i].length;
            ends[i] = at;
        }
        return new GgufStrings(bytes, starts, ends);
    }

    /** Strings that lie in a block of bytes; the arrays are kept and not copied. */
    public static GgufStrings of(byte[] bytes, int[] starts, int[] ends) {
        return new GgufStrings(bytes, starts, ends);
    }

    /** The bytes in which the strings lie; for reading only. */
    public byte[] bytes() {
        return bytes;
    }

    /** Where in {@link #bytes} each string begins; for reading only. */
    public int[] starts() {
        return starts;
    }

    /** Where in {@link #bytes} each string ends; for reading only. */
    public int[] ends() {
        return ends;
    }

    @Override
    public int size() {
        return starts.length;
    }

    @Override
    public String get(int index) {
        return new String(bytes, starts[index], ends[index] - starts[index], StandardCharsets.UTF_8);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return super.equals(other);
    }

    @Override
    public int hashCode() {
        return super.hashCode();
    }
}
