package dev.layercake.model.tokenizer;

import dev.layercake.model.tokenizer.SimplePatternParser.NotSimple;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntPredicate;

/** Reads the classes of a regular expression: a character, an escape, or a set in brackets. */
final class ClassParser {
    private static final int DEEPEST = 8;

    private final String expression;
    private final Map<String, CodePointSet> known = new HashMap<>();
    private int at;

    ClassParser(String expression) {
        this.expression = expression;
    }

    /** Behind the class read last. */
    int end() {
        return at;
    }

    CodePointSet read(int start, boolean anyCase) throws NotSimple {
        at = start;
        char c = expression.charAt(at);
        IntPredicate predicate;
        if (c == '[') {
            predicate = bracket(0);
        } else if (c == '\\') {
            predicate = escape();
        } else if (c == '.') {
            at++;
            predicate = codePoint -> codePoint != '\n';
        } else if ("^$*+?{}()|".indexOf(c) >= 0) {
            throw new NotSimple();
        } else {
            int literal = expression.codePointAt(at);
            at += Character.charCount(literal);
            predicate = anyCase ? anyCase(literal) : codePoint -> codePoint == literal;
        }
        String key = (anyCase ? "i" : "") + expression.substring(start, at);
        CodePointSet set = known.get(key);
        if (set == null) {
            set = new CodePointSet(predicate);
            known.put(key, set);
        }
        return set;
    }

    // Unicode folds two signs into Latin letters: the long s and the sign of the unit kelvin.
    private static IntPredicate anyCase(int literal) throws NotSimple {
        if (literal > 127) {
            throw new NotSimple();
        }
        int lower = Character.toLowerCase(literal);
        int upper = Character.toUpperCase(literal);
        int sign = lower == 's' ? 0x17F : lower == 'k' ? 0x212A : lower;
        return codePoint -> codePoint == lower || codePoint == upper || codePoint == sign;
    }

    private IntPredicate bracket(int depth) throws NotSimple {
        if (depth > DEEPEST) {
            throw new NotSimple();
        }
        at++;
        boolean negative = peek() == '^';
        if (negative) {
            at++;
        }
        if (peek() == ']') {
            throw new NotSimple();
        }
        IntPredicate all = union(depth);
        while (expression.startsWith("&&", at)) {
            at += 2;
            IntPredicate left = all;
            IntPredicate right = union(depth);
            all = codePoint -> left.test(codePoint) && right.test(codePoint);
        }
        at++;
        IntPredicate inside = all;
        return negative ? codePoint -> !inside.test(codePoint) : inside;
    }

    /** What stands between brackets or {@code &&}. */
    private IntPredicate union(int depth) throws NotSimple {
        RangeSet ranges = new RangeSet();
        IntPredicate others = ranges;
        while (peek() != ']' && !expression.startsWith("&&", at)) {
            if (expression.startsWith("[:", at)) {
                throw new NotSimple();
            }
            IntPredicate one = null;
            if (peek() == '[') {
                one = bracket(depth + 1);
            } else if (peek() == '\\' && isClassEscape()) {
                one = escape();
            }
            if (one != null) {
                IntPredicate before = others;
                IntPredicate more = one;
                others = codePoint -> before.test(codePoint) || more.test(codePoint);
                continue;
            }
            int low = character();
            int high = low;
            if (peek() == '-' && at + 1 < expression.length() && "]&".indexOf(expression.charAt(at + 1)) < 0) {
                at++;
                if (peek() == '[' || (peek() == '\\' && isClassEscape())) {
                    throw new NotSimple();
                }
                high = character();
            }
            if (high < low) {
                throw new NotSimple();
            }
            ranges.add(low, high);
        }
        return others;
    }

    private char peek() throws NotSimple {
        if (at >= expression.length()) {
            throw new NotSimple();
        }
        return expression.charAt(at);
    }

    private boolean isClassEscape() {
        return at + 1 < expression.length() && "pPsSdDwWhH".indexOf(expression.charAt(at + 1)) >= 0;
    }

    /** A literal character, escaped or not. */
    private int character() throws NotSimple {
        if (peek() != '\\') {
            int literal = expression.codePointAt(at);
            at += Character.charCount(literal);
            return literal;
        }
        at++;
        char c = peek();
        at++;
        return switch (c) {
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'f' -> '\f';
            case 'v' -> 0x0B;
            case 'a' -> 0x07;
            case 'e' -> 0x1B;
            case 'x' -> peek() == '{' ? braced() : hex(2);
            case 'u' -> hex(4);
            default -> {
                if (Character.isLetterOrDigit(c) || c > 127) {
                    throw new NotSimple();
                }
                yield c;
            }
        };
    }

    private int braced() throws NotSimple {
        int close = expression.indexOf('}', at);
        int digits = close - at - 1;
        if (close < 0 || digits > 6) {
            throw new NotSimple();
        }
        at++;
        int value = hex(digits);
        at++;
        return value;
    }

    private int hex(int digits) throws NotSimple {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = Character.digit(peek(), 16);
            if (digit < 0) {
                throw new NotSimple();
            }
            value = (value << 4) | digit;
            at++;
        }
        return value;
    }

    private IntPredicate escape() throws NotSimple {
        if (!isClassEscape()) {
            int literal = character();
            return codePoint -> codePoint == literal;
        }
        char c = expression.charAt(at + 1);
        at += 2;
        IntPredicate positive = switch (Character.toLowerCase(c)) {
            case 's' -> Unicode::isSpace;
            case 'd' -> codePoint -> Unicode.isOf(codePoint, 1 << Character.DECIMAL_DIGIT_NUMBER);
            case 'w' -> Unicode::isWord;
            case 'h' -> codePoint -> codePoint < 128 && Character.digit(codePoint, 16) >= 0;
            default -> property();
        };
        return Character.isUpperCase(c) ? codePoint -> !positive.test(codePoint) : positive;
    }

    private IntPredicate property() throws NotSimple {
        String name;
        if (peek() == '{') {
            int close = expression.indexOf('}', at);
            if (close < 0) {
                throw new NotSimple();
            }
            name = expression.substring(at + 1, close);
            at = close + 1;
        } else {
            name = expression.substring(at, at + 1);
            at++;
        }
        boolean negative = name.startsWith("^");
        IntPredicate property = Unicode.property(negative ? name.substring(1) : name);
        if (property == null) {
            throw new NotSimple();
        }
        return negative ? codePoint -> !property.test(codePoint) : property;
    }

    /** Single characters and ranges, as many as a class lists. */
    private static final class RangeSet implements IntPredicate {
        private final java.util.TreeMap<Integer, Integer> highOfLow = new java.util.TreeMap<>();
        private final java.util.BitSet low = new java.util.BitSet();

        void add(int from, int to) {
            if (to < 0x10000) {
                low.set(from, to + 1);
            } else {
                highOfLow.merge(from, to, Math::max);
            }
        }

        @Override
        public boolean test(int codePoint) {
            if (low.get(codePoint)) {
                return true;
            }
            for (java.util.Map.Entry<Integer, Integer> range :
                    highOfLow.headMap(codePoint, true).entrySet()) {
                if (range.getValue() >= codePoint) {
                    return true;
                }
            }
            return false;
        }
    }
}
