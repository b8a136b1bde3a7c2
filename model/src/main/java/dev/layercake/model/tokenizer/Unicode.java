package dev.layercake.model.tokenizer;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** Classes of characters as the tokenizers' regular expressions mean them: by the Unicode standard, not by Java's habit. */
final class Unicode {
    private static final Map<String, Integer> CATEGORIES = new TreeMap<>();

    static {
        String[] names = {
            "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "",
            "Co", "Cs", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi", "Pf"
        };
        for (int type = 0; type < names.length; type++) {
            if (!names[type].isEmpty()) {
                CATEGORIES.merge(names[type], 1 << type, (a, b) -> a | b);
                CATEGORIES.merge(names[type].substring(0, 1), 1 << type, (a, b) -> a | b);
            }
        }
    }

    static final int LETTERS = mask("L");
    static final int MARKS = mask("M");
    static final int NUMBERS = mask("N");
    static final int PUNCTUATION = mask("P");

    private Unicode() {}

    private static int mask(String name) {
        return CATEGORIES.getOrDefault(name, 0);
    }

    static boolean isOf(int codePoint, int mask) {
        return ((1 << Character.getType(codePoint)) & mask) != 0;
    }

    /** The property White_Space. */
    static boolean isSpace(int c) {
        return c <= ' '
                ? c == ' ' || (c >= '\t' && c <= '\r')
                : c == 0x85
                        || c == 0xA0
                        || c == 0x1680
                        || (c >= 0x2000 && c <= 0x200A)
                        || c == 0x2028
                        || c == 0x2029
                        || c == 0x202F
                        || c == 0x205F
                        || c == 0x3000;
    }

    /** A word character ({@code \w}): a letter, mark, decimal digit or connector. */
    static boolean isWord(int c) {
        return isOf(c, LETTERS | MARKS | (1 << Character.DECIMAL_DIGIT_NUMBER) | (1 << Character.CONNECTOR_PUNCTUATION))
                || Character.isAlphabetic(c);
    }

    /** Punctuation as BERT has it: ASCII's symbols too. */
    static boolean isPunctuation(int c) {
        return (c >= '!' && c <= '/')
                || (c >= ':' && c <= '@')
                || (c >= '[' && c <= '`')
                || (c >= '{' && c <= '~')
                || isOf(c, PUNCTUATION);
    }

    static boolean isNumeric(int c) {
        return isOf(c, NUMBERS);
    }

    /** The class that {@code \p{name}} means, a category or a script; null if there is none of this name. */
    static @Nullable IntPredicate property(String name) {
        Integer mask = CATEGORIES.get(name);
        if (mask != null) {
            int categories = mask;
            return c -> isOf(c, categories);
        }
        try {
            Character.UnicodeScript script = Character.UnicodeScript.forName(name);
            return c -> Character.UnicodeScript.of(c) == script;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
