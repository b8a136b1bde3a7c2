package dev.layercake.model.tokenizer;

import java.util.Arrays;

/**
 * The 256 printable characters by which byte-level BPE writes bytes: a byte that is a visible Latin-1 character stands for
 * itself, the others follow from U+0100 on, in order (Radford et al. 2019, GPT-2).
 */
final class ByteAlphabet {
    private static final char[] CHARACTER_OF_BYTE = new char[256];
    private static final short[] BYTE_OF_CHARACTER = new short[256 + 256];

    static {
        Arrays.fill(BYTE_OF_CHARACTER, (short) -1);
        int next = 256;
        for (int octet = 0; octet < 256; octet++) {
            boolean visible = (octet >= '!' && octet <= '~') || (octet >= 0xA1 && octet <= 0xAC) || octet >= 0xAE;
            char character = (char) (visible ? octet : next++);
            CHARACTER_OF_BYTE[octet] = character;
            BYTE_OF_CHARACTER[character] = (short) octet;
        }
    }

    private ByteAlphabet() {}

    /** The byte that a character stands for, or -1. */
    static int byteOf(char character) {
        return character < BYTE_OF_CHARACTER.length ? BYTE_OF_CHARACTER[character] : -1;
    }

    static char characterOf(int octet) {
        return CHARACTER_OF_BYTE[octet];
    }
}
