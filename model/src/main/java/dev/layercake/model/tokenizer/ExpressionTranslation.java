package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.util.Locale;
import java.util.Map;

/**
 * A regular expression of Oniguruma's Ruby syntax, which tokenizer.json has, written for Java's engine: hexadecimal
 * digits, scripts, classes in the POSIX form and the flag for a dot that matches line breaks have other names there.
 */
final class ExpressionTranslation {
    private static final Map<String, String> POSIX = Map.ofEntries(
            Map.entry("alpha", "\\p{IsAlphabetic}"),
            Map.entry("digit", "\\p{Nd}"),
            Map.entry("alnum", "\\p{IsAlphabetic}\\p{M}\\p{Nd}"),
            Map.entry("upper", "\\p{IsUppercase}"),
            Map.entry("lower", "\\p{IsLowercase}"),
            Map.entry("space", "\\s"),
            Map.entry("punct", "\\p{P}\\p{S}"),
            Map.entry("cntrl", "\\p{Cc}"),
            Map.entry("xdigit", "0-9A-Fa-f"),
            Map.entry("word", "\\w"));

    private final String expression;
    private final StringBuilder out = new StringBuilder();
    private int at;

    private ExpressionTranslation(String expression) {
        this.expression = expression;
    }

    static String toJava(String expression) {
        ExpressionTranslation translation = new ExpressionTranslation(expression);
        while (translation.at < expression.length()) {
            translation.step();
        }
        return translation.out.toString();
    }

    private void step() {
        char c = expression.charAt(at);
        if (c == '\\' && at + 1 < expression.length()) {
            escape(expression.charAt(at + 1));
        } else if (expression.startsWith("[:", at) && posix()) {
            return;
        } else if (expression.startsWith("(?m)", at) || expression.startsWith("(?m:", at)) {
            out.append("(?s").append(expression.charAt(at + 3));
            at += 4;
        } else {
            out.append(c);
            at++;
        }
    }

    private void escape(char letter) {
        switch (letter) {
            case 'h' -> replace("[0-9A-Fa-f]");
            case 'H' -> replace("[^0-9A-Fa-f]");
            case 'p', 'P' -> property(letter);
            case 'K', 'y', 'Y', 'O', 'g', 'k' ->
                throw LayercakeException.badModel("The tokenizer's regular expression has \\" + letter
                        + ", which is not supported; check tokenizer.json.");
            default -> {
                out.append('\\').append(letter);
                at += 2;
            }
        }
    }

    private void replace(String with) {
        out.append(with);
        at += 2;
    }

    private void property(char letter) {
        int close = expression.indexOf('}', at);
        if (close < 0 || expression.charAt(Math.min(at + 2, expression.length() - 1)) != '{') {
            out.append('\\').append(letter);
            at += 2;
            return;
        }
        String name = expression.substring(at + 3, close);
        boolean negative = letter == 'P';
        if (name.startsWith("^")) {
            negative = !negative;
            name = name.substring(1);
        }
        boolean category = name.length() <= 2;
        out.append(negative ? "\\P{" : "\\p{")
                .append(category ? "" : "Is")
                .append(name)
                .append('}');
        at = close + 1;
    }

    private boolean posix() {
        int close = expression.indexOf(":]", at);
        if (close < 0) {
            return false;
        }
        String name = expression.substring(at + 2, close);
        boolean negative = name.startsWith("^");
        String inside = POSIX.get((negative ? name.substring(1) : name).toLowerCase(Locale.ROOT));
        if (inside == null) {
            return false;
        }
        out.append(negative ? "[^" : "[").append(inside).append(']');
        at = close + 2;
        return true;
    }
}
