package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Symbols of encodings over characters: each character is one; one that the vocabulary does not have becomes its bytes
 * ({@code <0xE4>}) if the vocabulary has those, else the unknown token, else nothing.
 */
final class CharacterSymbols implements SymbolRule {
    private static final int NONE = -1;

    private final PieceTable pieces;
    private final int @Nullable [] idOfByte;
    private final int unknown;
    private final boolean fusesUnknown;
    private final String prefix;
    private final String suffix;
    private final int[] idOfAscii = new int[128];

    /**
     * @param idOfByte the tokens of single bytes, -1 where there is none; null if characters do not become bytes
     * @param unknown the token for what the vocabulary does not have, -1 for none
     * @param prefix stands before every symbol of a word but the first in the vocabulary
     * @param suffix stands behind the last symbol of a word in the vocabulary
     */
    CharacterSymbols(
            PieceTable pieces,
            int @Nullable [] idOfByte,
            int unknown,
            boolean fusesUnknown,
            String prefix,
            String suffix) {
        this.pieces = pieces;
        this.idOfByte = idOfByte;
        this.unknown = unknown;
        this.fusesUnknown = fusesUnknown;
        this.prefix = prefix;
        this.suffix = suffix;
        for (int ascii = 0; ascii < 128; ascii++) {
            idOfAscii[ascii] = pieces.find(new byte[] {(byte) ascii}, 0, 1);
        }
    }

    /** The tokens {@code <0x00>} to {@code <0xFF>}, -1 where the vocabulary has none. */
    static int[] byteTokens(PieceTable pieces) {
        int[] ids = new int[256];
        for (int octet = 0; octet < 256; octet++) {
            char high = Character.toUpperCase(Character.forDigit(octet >> 4, 16));
            char low = Character.toUpperCase(Character.forDigit(octet & 15, 16));
            ids[octet] = pieces.find("<0x" + high + low + ">");
        }
        return ids;
    }

    /** Whether symbols depend on where in the word they stand or on their neighbours. */
    boolean dependOnPlace() {
        return !prefix.isEmpty()
                || !suffix.isEmpty()
                || (fusesUnknown && (idOfByte == null || Arrays.stream(idOfByte).anyMatch(id -> id < 0)));
    }

    @Override
    public void addTo(LongWord word, byte[] utf8, int from, int to) {
        boolean pending = false;
        int i = from;
        while (i < to) {
            int end = Math.min(to, i + length(utf8[i]));
            int id = symbol(utf8, from, i, end, to);
            if (id >= 0) {
                if (pending) {
                    word.add(unknown);
                    pending = false;
                }
                word.add(id);
            } else if (!addBytes(word, utf8, i, end) && unknown != NONE) {
                if (pending && !fusesUnknown) {
                    word.add(unknown);
                }
                pending = true;
            }
            i = end;
        }
        if (pending) {
            word.add(unknown);
        }
    }

    @Override
    public void addPieceTo(LongWord word, byte[] piece) {
        addTo(word, piece, 0, piece.length);
    }

    private int symbol(byte[] utf8, int from, int start, int end, int to) {
        boolean prefixed = start > from && !prefix.isEmpty();
        boolean suffixed = end == to && !suffix.isEmpty();
        if (!prefixed && !suffixed) {
            return utf8[start] >= 0 ? idOfAscii[utf8[start]] : pieces.find(utf8, start, end);
        }
        String character = new String(utf8, start, end - start, StandardCharsets.UTF_8);
        return pieces.find((prefixed ? prefix : "") + character + (suffixed ? suffix : ""));
    }

    private boolean addBytes(LongWord word, byte[] utf8, int start, int end) {
        if (idOfByte == null) {
            return false;
        }
        for (int i = start; i < end; i++) {
            if (idOfByte[utf8[i] & 0xFF] < 0) {
                return false;
            }
        }
        for (int i = start; i < end; i++) {
            word.add(idOfByte[utf8[i] & 0xFF]);
        }
        return true;
    }

    @Override
    public int find(PieceTable table, byte[] utf8, int from, int to) {
        return table.find(utf8, from, to);
    }

    /** Bytes of the character that begins with this one. */
    static int length(byte first) {
        if (first >= 0) {
            return 1;
        }
        return (first & 0xE0) == 0xC0 ? 2 : (first & 0xF0) == 0xE0 ? 3 : 4;
    }
}
