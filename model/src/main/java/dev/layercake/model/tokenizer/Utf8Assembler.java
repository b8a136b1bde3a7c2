package dev.layercake.model.tokenizer;

/**
 * A UTF-8 decoder that takes one byte at a time and gives out a character as soon as its last byte is there.
 *
 * <p>Malformed input becomes U+FFFD by the Unicode standard's rule (one for each maximal subpart, section 3.9), or, where
 * {@code replaceEachByte} is set, one for each byte.
 */
final class Utf8Assembler {
    private static final char REPLACEMENT = '\uFFFD';

    private final boolean replaceEachByte;
    private int codePoint;
    private int bytesHeld;
    private int bytesMissing;
    private int lowest = 0x80;
    private int highest = 0xBF;

    Utf8Assembler(boolean replaceEachByte) {
        this.replaceEachByte = replaceEachByte;
    }

    void accept(int octet, StringBuilder out) {
        if (bytesMissing > 0) {
            if (octet >= lowest && octet <= highest) {
                proceed(octet, out);
                return;
            }
            finish(out);
        }
        begin(octet, out);
    }

    /** Gives up on a character whose bytes have not all come. */
    void finish(StringBuilder out) {
        if (bytesMissing > 0) {
            int replacements = replaceEachByte ? bytesHeld : 1;
            for (int i = 0; i < replacements; i++) {
                out.append(REPLACEMENT);
            }
            bytesMissing = 0;
            bytesHeld = 0;
        }
    }

    private void proceed(int octet, StringBuilder out) {
        codePoint = codePoint << 6 | (octet & 0x3F);
        bytesHeld++;
        lowest = 0x80;
        highest = 0xBF;
        if (--bytesMissing == 0) {
            out.appendCodePoint(codePoint);
            bytesHeld = 0;
        }
    }

    private void begin(int octet, StringBuilder out) {
        if (octet < 0x80) {
            out.append((char) octet);
        } else if (octet >= 0xC2 && octet <= 0xDF) {
            expect(1, octet & 0x1F, 0x80, 0xBF);
        } else if (octet >= 0xE0 && octet <= 0xEF) {
            // E0 must not be an overlong form, ED must not be a surrogate.
            expect(2, octet & 0x0F, octet == 0xE0 ? 0xA0 : 0x80, octet == 0xED ? 0x9F : 0xBF);
        } else if (octet >= 0xF0 && octet <= 0xF4) {
            // F0 must not be an overlong form, F4 must not pass U+10FFFF.
            expect(3, octet & 0x07, octet == 0xF0 ? 0x90 : 0x80, octet == 0xF4 ? 0x8F : 0xBF);
        } else {
            out.append(REPLACEMENT);
        }
    }

    private void expect(int missing, int leadingBits, int lowestNext, int highestNext) {
        bytesMissing = missing;
        bytesHeld = 1;
        codePoint = leadingBits;
        lowest = lowestNext;
        highest = highestNext;
    }
}
