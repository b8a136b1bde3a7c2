package dev.layercake.model.text;

import java.math.BigDecimal;
import java.util.Locale;

/** Text as Python sees it: a sequence of code points, with Python's idea of blanks, case and literals. */
final class JinjaText {
    private JinjaText() {}

    /** Whether Python's str.isspace holds for the character. */
    static boolean isSpace(int c) {
        return c <= ' '
                ? c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f)
                : c == 0x85 || c == 0xa0 || Character.isSpaceChar(c);
    }

    /** Whether everything from the index on is blank and there is something. */
    static boolean isSpace(String text, int from) {
        for (int i = from; i < text.length(); i++) {
            if (!isSpace(text.charAt(i))) {
                return false;
            }
        }
        return from < text.length();
    }

    static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    static long length(String text) {
        return text.codePointCount(0, text.length());
    }

    /** The part between two code point indices, both within the text. */
    static String part(String text, long from, long to) {
        int begin = text.offsetByCodePoints(0, (int) from);
        return text.substring(begin, text.offsetByCodePoints(begin, (int) (to - from)));
    }

    /** The code point index of a UTF-16 index; negative ones stay. */
    static long codePointIndex(String text, int index) {
        return index < 0 ? index : text.codePointCount(0, index);
    }

    static String strip(String text, String characters, boolean left, boolean right) {
        int begin = 0;
        int end = text.length();
        while (left && begin < end && strippable(text.codePointAt(begin), characters)) {
            begin += Character.charCount(text.codePointAt(begin));
        }
        while (right && end > begin && strippable(text.codePointBefore(end), characters)) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(begin, end);
    }

    /** Strips blanks. */
    static String strip(String text) {
        int begin = 0;
        int end = text.length();
        while (begin < end && isSpace(text.charAt(begin))) {
            begin++;
        }
        while (end > begin && isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(begin, end);
    }

    private static boolean strippable(int codePoint, String characters) {
        return characters.isEmpty() ? isSpace(codePoint) : characters.indexOf(codePoint) >= 0;
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = Character.charCount(text.codePointAt(0));
        return titleCase(text.codePointAt(0)) + lower(text.substring(first));
    }

    static String titleCase(int codePoint) {
        String text = Character.toString(codePoint);
        String upper = upper(text);
        // Sharp s and ligatures expand: only the first letter of the expansion stays upper case.
        return upper.length() > text.length()
                ? upper.charAt(0) + lower(upper.substring(1))
                : Character.toString(Character.toTitleCase(codePoint));
    }

    /** Python's str.title: a letter after anything uncased begins a word. */
    static String title(String text) {
        StringBuilder titled = new StringBuilder(text.length());
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int codePoint = text.codePointAt(i);
            titled.append(inWord ? lower(Character.toString(codePoint)) : titleCase(codePoint));
            inWord = isCased(codePoint);
            i += Character.charCount(codePoint);
        }
        return titled.toString();
    }

    static boolean isCased(int codePoint) {
        return Character.isUpperCase(codePoint) || Character.isLowerCase(codePoint) || Character.isTitleCase(codePoint);
    }

    /** Orders as Python does, by code points, where Java would compare UTF-16 units. */
    static int compare(String left, String right) {
        int length = Math.min(left.length(), right.length());
        for (int i = 0; i < length; i++) {
            char a = left.charAt(i);
            char b = right.charAt(i);
            if (a != b) {
                boolean surrogateA = Character.isSurrogate(a);
                return surrogateA == Character.isSurrogate(b) ? Character.compare(a, b) : surrogateA ? 1 : -1;
            }
        }
        return Integer.compare(left.length(), right.length());
    }

    /** A float as repr prints it: the shortest digits that read back, with an exponent from 1e16 on and below 1e-4. */
    static String repr(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = exact.precision() - exact.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = exact.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = exact.unscaledValue().abs().toString();
        String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
        String exponentDigits = Math.abs(exponent) < 10 ? "0" + Math.abs(exponent) : "" + Math.abs(exponent);
        return (value < 0 ? "-" : "") + digits.charAt(0) + fraction + "e" + (exponent < 0 ? "-" : "+") + exponentDigits;
    }

    /** A string as repr prints it. */
    static String repr(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder shown = new StringBuilder(text.length() + 2).append(quote);
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            int simple = "\\\n\r\t".indexOf(c);
            if (simple >= 0) {
                shown.append('\\').append("\\nrt".charAt(simple));
            } else if (c == quote) {
                shown.append('\\').append(quote);
            } else if (isPrintable(c)) {
                shown.appendCodePoint(c);
            } else if (c < 0x100) {
                shown.append(String.format(Locale.ROOT, "\\x%02x", c));
            } else if (c < 0x10000) {
                shown.append(String.format(Locale.ROOT, "\\u%04x", c));
            } else {
                shown.append(String.format(Locale.ROOT, "\\U%08x", c));
            }
        }
        return shown.append(quote).toString();
    }

    static boolean isPrintable(int codePoint) {
        return codePoint == ' '
                || switch (Character.getType(codePoint)) {
                    case Character.CONTROL,
                            Character.FORMAT,
                            Character.SURROGATE,
                            Character.PRIVATE_USE,
                            Character.UNASSIGNED,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR,
                            Character.SPACE_SEPARATOR -> false;
                    default -> true;
                };
    }

    /** Text as HTML, the way Markup escapes it. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '\'' -> escaped.append("&#39;");
                case '"' -> escaped.append("&#34;");
                default -> escaped.append(c);
            }
        }
        return escaped.toString();
    }
}
