package dev.layercake.model.tokenizer;

import java.nio.charset.StandardCharsets;

/** Symbols of byte-level encoding: each byte is one, written as a character of {@link ByteAlphabet}. */
final class ByteSymbols implements SymbolRule {
    private static final int NONE = -1;

    private final int[] idOfByte = new int[256];
    private final int unknown;
    private final boolean fusesUnknown;

    /** @param unknown the token for a byte that the vocabulary does not have, -1 to leave it out */
    ByteSymbols(PieceTable pieces, int unknown, boolean fusesUnknown) {
        for (int octet = 0; octet < 256; octet++) {
            idOfByte[octet] = pieces.find(String.valueOf(ByteAlphabet.characterOf(octet)));
        }
        this.unknown = unknown;
        this.fusesUnknown = fusesUnknown;
    }

    @Override
    public void addTo(LongWord word, byte[] utf8, int from, int to) {
        boolean afterUnknown = false;
        for (int i = from; i < to; i++) {
            int id = idOfByte[utf8[i] & 0xFF];
            if (id >= 0) {
                word.add(id);
            } else if (unknown != NONE && !(afterUnknown && fusesUnknown)) {
                word.add(unknown);
            }
            afterUnknown = id < 0;
        }
    }

    @Override
    public int find(PieceTable pieces, byte[] utf8, int from, int to) {
        if (to - from > pieces.longest()) {
            return NONE;
        }
        char[] characters = new char[to - from];
        for (int i = 0; i < characters.length; i++) {
            characters[i] = ByteAlphabet.characterOf(utf8[from + i] & 0xFF);
        }
        byte[] written = new String(characters).getBytes(StandardCharsets.UTF_8);
        return pieces.find(written, 0, written.length);
    }

    @Override
    public void addPieceTo(LongWord word, byte[] piece) {
        String written = new String(piece, StandardCharsets.UTF_8);
        byte[] octets = new byte[written.length()];
        int size = 0;
        for (int i = 0; i < written.length(); i++) {
            int octet = ByteAlphabet.byteOf(written.charAt(i));
            if (octet < 0) {
                octets = written.getBytes(StandardCharsets.UTF_8);
                size = octets.length;
                break;
            }
            octets[size++] = (byte) octet;
        }
        addTo(word, octets, 0, size);
    }
}
