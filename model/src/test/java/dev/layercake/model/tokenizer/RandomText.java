package dev.layercake.model.tokenizer;

import java.util.List;
import java.util.Random;

/** Texts of any kind: words, blanks, names of added tokens, and characters from all over Unicode. */
final class RandomText {
    private static final String[] KNOTS = {
        "'s", "'LL", "'\u017f", "don't", "I'M", "▁", "▁▁", "\r\n", "\n\n", "123", "4567890", "<", "|>", "e\u0301",
                "\u0130", "\ufb01",
        " the", " cake", "The", "ing", " ", "  ", "   ", "\t", "\u00a0", "\u3000", "\u0085", "\u200b", "_", "-", "...",
                "//"
    };
    private static final int[][] RANGES = {
        {0x20, 0x7F},
        {0x20, 0x7F},
        {0, 0x20},
        {0xA0, 0x250},
        {0x300, 0x370},
        {0x370, 0x530},
        {0x5D0, 0x700},
        {0x900, 0x980},
        {0xE00, 0xE5C},
        {0x1100, 0x1200},
        {0x2000, 0x2100},
        {0x2190, 0x2300},
        {0x3000, 0x3100},
        {0x4E00, 0x9FA6},
        {0xAC00, 0xD7A4},
        {0xFF00, 0xFFF0},
        {0x1D400, 0x1D800},
        {0x1F300, 0x1F650},
        {0x20000, 0x20100},
        {0xE0001, 0xE0080}
    };

    private final Random random;
    private final List<AddedToken> added;

    RandomText(long seed, Tokenizer tokenizer) {
        random = new Random(seed);
        added = tokenizer.addedTokens();
    }

    String next() {
        StringBuilder text = new StringBuilder();
        int parts = 1 + random.nextInt(random.nextInt(10) == 0 ? 200 : 24);
        for (int i = 0; i < parts; i++) {
            int kind = random.nextInt(10);
            if (kind < 5) {
                text.append(KNOTS[random.nextInt(KNOTS.length)]);
            } else if (kind == 5 && !added.isEmpty() && random.nextInt(3) == 0) {
                text.append(added.get(random.nextInt(added.size())).content());
            } else {
                int[] range = RANGES[random.nextInt(RANGES.length)];
                int codePoint = range[0] + random.nextInt(range[1] - range[0]);
                // What was assigned lately is a letter to one library and nothing to another.
                if (Character.isDefined(codePoint)) {
                    text.appendCodePoint(codePoint);
                }
            }
        }
        return text.toString();
    }
}
