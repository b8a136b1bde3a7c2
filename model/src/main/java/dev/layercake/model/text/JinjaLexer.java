package dev.layercake.model.text;

import dev.layercake.model.text.JinjaToken.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens, with the whitespace control that chat templates are written for: a line break after a tag
 * is dropped (trim_blocks), blanks before a tag that begins its line are dropped (lstrip_blocks), and the signs
 * {@code -} and {@code +} beside a tag's delimiters strip more or less than that.
 */
final class JinjaLexer {
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<JinjaToken> tokens = new ArrayList<>();
    private int position;
    private int line = 1;
    private boolean atLineStart = true;

    private JinjaLexer(String source) {
        this.source = source;
    }

    static List<JinjaToken> tokens(String source) {
        String normalized = source.replace("\r\n", "\n").replace('\r', '\n');
        if (normalized.endsWith("\n")) {
            normalized = normalized.substring(0, normalized.length() - 1);
        }
        return new JinjaLexer(normalized).run();
    }

    private List<JinjaToken> run() {
        while (position < source.length()) {
            int open = nextOpening();
            if (open < 0) {
                add(Kind.TEXT, source.substring(position), line);
                position = source.length();
                break;
            }
            char type = source.charAt(open + 1);
            char sign = signAt(open + 2);
            emitText(source.substring(position, open), sign, type == '{');
            advance(open + (sign == 0 ? 2 : 3));
            switch (type) {
                case '#' -> comment();
                case '{' -> tag(Kind.OUTPUT_BEGIN, Kind.OUTPUT_END, "}}");
                default -> {
                    if (!rawBlock()) {
                        tag(Kind.TAG_BEGIN, Kind.TAG_END, "%}");
                    }
                }
            }
            atLineStart = source.charAt(position - 1) == '\n';
        }
        tokens.add(new JinjaToken(Kind.END, "", line));
        return tokens;
    }

    private int nextOpening() {
        for (int i = source.indexOf('{', position); i >= 0; i = source.indexOf('{', i + 1)) {
            if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private char signAt(int index) {
        char c = index < source.length() ? source.charAt(index) : 0;
        return c == '-' || c == '+' ? c : 0;
    }

    private void emitText(String text, char sign, boolean beforeOutput) {
        int end = text.length();
        if (sign == '-') {
            while (end > 0 && JinjaText.isSpace(text.charAt(end - 1))) {
                end--;
            }
        } else if (sign != '+' && !beforeOutput) {
            int lineStart = text.lastIndexOf('\n') + 1;
            if ((lineStart > 0 || atLineStart) && JinjaText.isSpace(text, lineStart)) {
                end = lineStart;
            }
        }
        if (end > 0) {
            add(Kind.TEXT, text.substring(0, end), line);
        }
    }

    private void add(Kind kind, String text, int tokenLine) {
        tokens.add(new JinjaToken(kind, text, tokenLine));
    }

    /** Moves on, counting lines. */
    private void advance(int target) {
        for (; position < target; position++) {
            if (source.charAt(position) == '\n') {
                line++;
            }
        }
    }

    private void skipSpace() {
        int end = position;
        while (end < source.length() && JinjaText.isSpace(source.charAt(end))) {
            end++;
        }
        advance(end);
    }

    /** Consumes a closing delimiter, with its sign and the whitespace it strips, if one is here. */
    private boolean close(String delimiter, boolean plusAllowed, boolean trimsNewline) {
        if (source.startsWith(delimiter, position)) {
            advance(position + delimiter.length());
            if (trimsNewline && source.startsWith("\n", position)) {
                advance(position + 1);
            }
            return true;
        }
        char sign = signAt(position);
        if (sign != 0 && source.startsWith(delimiter, position + 1)) {
            if (sign == '+' && !plusAllowed) {
                return false;
            }
            advance(position + 1 + delimiter.length());
            if (sign == '-') {
                skipSpace();
            }
            return true;
        }
        return false;
    }

    private void comment() {
        int begin = line;
        int from = position;
        int end = source.indexOf("#}", from);
        if (end < 0) {
            throw JinjaException.of("the comment that begins here has no end", begin);
        }
        advance(end > from && signAt(end - 1) != 0 ? end - 1 : end);
        close("#}", true, true);
    }

    /** Reads a raw block whose tag has just been opened; false, with nothing read, if the tag is another one. */
    private boolean rawBlock() {
        int startPosition = position;
        int begin = line;
        skipSpace();
        boolean raw = source.startsWith("raw", position);
        if (raw) {
            advance(position + 3);
            skipSpace();
            raw = close("%}", false, false);
        }
        if (!raw) {
            position = startPosition;
            line = begin;
            return false;
        }
        atLineStart = source.charAt(position - 1) == '\n';
        int contentStart = position;
        for (int open = source.indexOf("{%", position); open >= 0; open = source.indexOf("{%", open + 2)) {
            char sign = signAt(open + 2);
            int contentLine = line;
            advance(open + (sign == 0 ? 2 : 3));
            skipSpace();
            if (source.startsWith("endraw", position)) {
                advance(position + 6);
                skipSpace();
                if (close("%}", true, true)) {
                    int endLine = line;
                    line = contentLine;
                    emitText(source.substring(contentStart, open), sign, false);
                    line = endLine;
                    return true;
                }
            }
        }
        throw JinjaException.of("the raw block that begins here has no endraw", begin);
    }

    private void tag(Kind beginKind, Kind endKind, String delimiter) {
        int begin = line;
        add(beginKind, "", begin);
        Deque<Character> brackets = new ArrayDeque<>();
        while (true) {
            skipSpace();
            if (position >= source.length()) {
                throw JinjaException.of("the tag that begins here has no end", begin);
            }
            int endLine = line;
            boolean isTag = endKind == Kind.TAG_END;
            if (brackets.isEmpty() && close(delimiter, isTag, isTag)) {
                add(endKind, "", endLine);
                return;
            }
            token(brackets);
        }
    }

    private void token(Deque<Character> brackets) {
        char c = source.charAt(position);
        if (c == '"' || c == '\'') {
            string(c);
        } else if (JinjaText.isDigit(c)) {
            number();
        } else if (c == '_' || Character.isLetter(source.codePointAt(position))) {
            int end = position;
            while (end < source.length() && isNamePart(source.codePointAt(end))) {
                end += Character.charCount(source.codePointAt(end));
            }
            add(Kind.NAME, source.substring(position, end), line);
            advance(end);
        } else {
            operator(brackets);
        }
    }

    private static boolean isNamePart(int codePoint) {
        return codePoint == '_' || Character.isLetterOrDigit(codePoint);
    }

    private void operator(Deque<Character> brackets) {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, position)) {
                char c = operator.charAt(0);
                if ("([{".indexOf(c) >= 0) {
                    brackets.push(c);
                } else if (")]}".indexOf(c) >= 0) {
                    char wanted = "([{".charAt(")]}".indexOf(c));
                    if (brackets.isEmpty() || brackets.pop() != wanted) {
                        throw JinjaException.of("unexpected '" + c + "'", line);
                    }
                }
                add(Kind.OPERATOR, operator, line);
                advance(position + operator.length());
                return;
            }
        }
        throw JinjaException.of(
                "unexpected character '" + Character.toString(source.codePointAt(position)) + "'", line);
    }

    private void string(char quote) {
        int begin = line;
        int end = position + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw JinjaException.of("the string that begins here has no end", begin);
        }
        String content = source.substring(position + 1, end);
        advance(end + 1);
        add(Kind.STRING, unescape(content, begin), begin);
    }

    private static String unescape(String content, int line) {
        if (content.indexOf('\\') < 0) {
            return content;
        }
        StringBuilder text = new StringBuilder(content.length());
        for (int i = 0; i < content.length(); i++) {
            char c = content.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escape = content.charAt(++i);
            int simple = "\\'\"abfnrtv".indexOf(escape);
            if (simple >= 0) {
                text.append("\\'\"\u0007\b\f\n\r\t\u000b".charAt(simple));
            } else if (escape >= '0' && escape <= '7') {
                int end = i + 1;
                while (end < content.length()
                        && end < i + 3
                        && content.charAt(end) >= '0'
                        && content.charAt(end) <= '7') {
                    end++;
                }
                text.append((char) Integer.parseInt(content.substring(i, end), 8));
                i = end - 1;
            } else if (escape == 'x' || escape == 'u' || escape == 'U') {
                int digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
                text.appendCodePoint(hexadecimal(content, i + 1, digits, line));
                i += digits;
            } else if (escape == 'N') {
                throw JinjaException.of("the escape \\N{...} is not supported", line);
            } else if (escape != '\n') {
                text.append('\\').append(escape);
            }
        }
        return text.toString();
    }

    private static int hexadecimal(String content, int from, int digits, int line) {
        long value = -1;
        if (from + digits <= content.length()) {
            value = 0;
            for (int i = from; i < from + digits; i++) {
                int digit = Character.digit(content.charAt(i), 16);
                value = digit < 0 ? Long.MAX_VALUE / 16 : value * 16 + digit;
            }
        }
        if (value < 0 || value > Character.MAX_CODE_POINT) {
            throw JinjaException.of("a string has a malformed \\x, \\u or \\U escape", line);
        }
        return (int) value;
    }

    private void number() {
        int end = position;
        if (source.charAt(end) == '0' && end + 1 < source.length() && "xXoObB".indexOf(source.charAt(end + 1)) >= 0) {
            end += 2;
            while (end < source.length()
                    && (Character.digit(source.charAt(end), 16) >= 0 || source.charAt(end) == '_')) {
                end++;
            }
            add(Kind.INTEGER, source.substring(position, end), line);
            advance(end);
            return;
        }
        end = digits(end);
        boolean afterDot = position > 0 && source.charAt(position - 1) == '.';
        int integerEnd = end;
        if (!afterDot) {
            if (end + 1 < source.length() && source.charAt(end) == '.' && JinjaText.isDigit(source.charAt(end + 1))) {
                end = digits(end + 1);
            }
            if (end < source.length() && (source.charAt(end) == 'e' || source.charAt(end) == 'E')) {
                int exponent = end + 1;
                if (exponent < source.length() && "+-".indexOf(source.charAt(exponent)) >= 0) {
                    exponent++;
                }
                if (exponent < source.length() && JinjaText.isDigit(source.charAt(exponent))) {
                    end = digits(exponent);
                }
            }
        }
        add(end > integerEnd ? Kind.FLOAT : Kind.INTEGER, source.substring(position, end), line);
        advance(end);
    }

    private int digits(int from) {
        int end = from;
        while (end < source.length()
                && (JinjaText.isDigit(source.charAt(end))
                        || (source.charAt(end) == '_'
                                && end + 1 < source.length()
                                && JinjaText.isDigit(source.charAt(end + 1))))) {
            end++;
        }
        return end;
    }
}
