package dev.layercake.eval.python;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Python's {@code str} where it differs from {@link String}: white space, digits and letters are those of Unicode. */
public final class PythonText {
    private PythonText() {}

    /** What {@code str.isspace} and {@code str.split()} take for white space. */
    public static boolean isSpace(int codePoint) {
        return codePoint == 0x85 || Character.isWhitespace(codePoint) || Character.isSpaceChar(codePoint);
    }

    /** What {@code \w} matches: letters, everything that counts as a number, and the underscore. */
    public static boolean isWord(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER,
                    Character.DECIMAL_DIGIT_NUMBER,
                    Character.LETTER_NUMBER,
                    Character.OTHER_NUMBER -> true;
            default -> codePoint == '_';
        };
    }

    /** {@code text.split()}: the words between runs of white space. */
    public static List<String> words(String text) {
        List<String> words = new ArrayList<>();
        int begin = -1;
        for (int at = 0; at < text.length(); at += Character.charCount(text.codePointAt(at))) {
            boolean space = isSpace(text.codePointAt(at));
            if (space && begin >= 0) {
                words.add(text.substring(begin, at));
                begin = -1;
            } else if (!space && begin < 0) {
                begin = at;
            }
        }
        if (begin >= 0) {
            words.add(text.substring(begin));
        }
        return words;
    }

    /** {@code " ".join(text.split())}. */
    public static String collapsed(String text) {
        return String.join(" ", words(text));
    }

    /** {@code text.strip()}. */
    public static String strip(String text) {
        int begin = 0;
        int end = text.length();
        while (begin < end && isSpace(text.codePointAt(begin))) {
            begin += Character.charCount(text.codePointAt(begin));
        }
        while (begin < end && isSpace(text.codePointBefore(end))) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(begin, end);
    }

    /** {@code text.lstrip("\n")}. */
    public static String withoutLeadingNewlines(String text) {
        int begin = 0;
        while (begin < text.length() && text.charAt(begin) == '\n') {
            begin++;
        }
        return text.substring(begin);
    }

    /** {@code text.lower()}. */
    public static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    /** {@code text.upper()}. */
    public static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    /** {@code re.findall(r"\d+", text)}: the runs of decimal digits of any script. */
    public static List<String> digitRuns(String text) {
        List<String> runs = new ArrayList<>();
        int begin = -1;
        for (int at = 0; at < text.length(); at += Character.charCount(text.codePointAt(at))) {
            boolean digit = Character.isDigit(text.codePointAt(at));
            if (digit && begin < 0) {
                begin = at;
            } else if (!digit && begin >= 0) {
                runs.add(text.substring(begin, at));
                begin = -1;
            }
        }
        if (begin >= 0) {
            runs.add(text.substring(begin));
        }
        return runs;
    }
}
