package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaFilters.Filter;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The filters that make numbers. */
final class JinjaNumberFilters {
    private static final int MAX_DIGITS = 4_300;

    private JinjaNumberFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("abs", JinjaNumberFilters::absolute);
        filters.put("int", JinjaNumberFilters::toInteger);
        filters.put("float", JinjaNumberFilters::toFloat);
        filters.put("round", JinjaNumberFilters::round);
        filters.put("filesizeformat", JinjaNumberFilters::fileSize);
    }

    private static Object number(Object value, String filter) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object number = JinjaArithmetic.numberOrNull(value);
        if (number == null) {
            throw JinjaException.of(filter + " needs a number, not " + JinjaOperations.typeName(value));
        }
        return number;
    }

    private static Object absolute(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Object number = number(value, "abs");
        return number instanceof Double real
                ? (Object) Math.abs(real)
                : JinjaArithmetic.shrink(JinjaArithmetic.integer(number).abs());
    }

    private static Object toInteger(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("int", 0, "default", "base");
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object otherwise = bound.get(0, 0L);
        Object number = JinjaArithmetic.numberOrNull(value);
        String text = JinjaOperations.textOrNull(value);
        if (text != null) {
            number = integerOrNull(JinjaText.strip(text), Math.clamp(bound.integer(1, 10), 0, 36));
            number = number == null ? realOrNull(text) : number;
        }
        if (number instanceof Double real) {
            return Double.isFinite(real) ? JinjaFormat.truncated(real) : otherwise;
        }
        return number == null ? otherwise : number;
    }

    private static @Nullable Object integerOrNull(String text, int base) {
        boolean negative = text.startsWith("-");
        String digits = JinjaText.lower(negative || text.startsWith("+") ? text.substring(1) : text);
        int radix = base;
        for (String prefix : new String[] {"0x16", "0o8", "0b2"}) {
            int prefixed = Integer.parseInt(prefix.substring(2));
            if (digits.startsWith(prefix.substring(0, 2)) && (base == prefixed || base == 0)) {
                digits = digits.substring(2);
                radix = prefixed;
            }
        }
        radix = radix == 0 ? 10 : radix;
        if (radix < 2
                || digits.isEmpty()
                || digits.length() > MAX_DIGITS
                || digits.startsWith("_")
                || digits.endsWith("_")
                || digits.contains("__")) {
            return null;
        }
        digits = digits.replace("_", "");
        for (int i = 0; i < digits.length(); i++) {
            if (Character.digit(digits.charAt(i), radix) < 0) {
                return null;
            }
        }
        BigInteger magnitude = new BigInteger(digits, radix);
        return JinjaArithmetic.shrink(negative ? magnitude.negate() : magnitude);
    }

    private static @Nullable Double realOrNull(String text) {
        String digits = JinjaText.lower(JinjaText.strip(text)).replaceAll("(?<=[0-9])_(?=[0-9])", "");
        String unsigned = digits.startsWith("-") || digits.startsWith("+") ? digits.substring(1) : digits;
        if (unsigned.equals("inf") || unsigned.equals("infinity")) {
            return digits.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (unsigned.equals("nan")) {
            return Double.NaN;
        }
        boolean wellFormed =
                unsigned.length() <= MAX_DIGITS && unsigned.matches("([0-9]++\\.?[0-9]*+|\\.[0-9]++)(e[+-]?[0-9]++)?");
        return wellFormed ? Double.valueOf(digits) : null;
    }

    private static Object toFloat(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("float", 0, "default");
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object number = JinjaArithmetic.numberOrNull(value);
        String text = JinjaOperations.textOrNull(value);
        Double real =
                number != null ? Double.valueOf(JinjaArithmetic.real(number)) : text == null ? null : realOrNull(text);
        return real == null ? bound.get(0, 0.0) : real;
    }

    private static Object round(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("round", 0, "precision", "method");
        Object number = number(value, "round");
        String method = bound.text(1, "common");
        int precision = Math.clamp(bound.integer(0, 0), -400, 400);
        if (!method.equals("common") && !method.equals("ceil") && !method.equals("floor")) {
            throw JinjaException.of("method must be common, ceil or floor");
        }
        if (number instanceof Double real && !Double.isFinite(real)) {
            return real;
        }
        if (method.equals("common")) {
            return number instanceof Double real
                    ? (Object) rounded(real, precision)
                    : roundedInteger(JinjaArithmetic.integer(number), precision);
        }
        double factor = Math.pow(10, precision);
        double scaled = JinjaArithmetic.real(number) * factor;
        return (method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled)) / factor;
    }

    /** Half to even on the exact binary value, as Python's round does. */
    private static double rounded(double value, int precision) {
        double result = new BigDecimal(value)
                .setScale(precision, RoundingMode.HALF_EVEN)
                .doubleValue();
        return result == 0 && value < 0 ? -0.0 : result;
    }

    private static Object roundedInteger(BigInteger value, int precision) {
        if (precision >= 0) {
            return JinjaArithmetic.shrink(value);
        }
        return JinjaArithmetic.shrink(new BigDecimal(value)
                .setScale(precision, RoundingMode.HALF_EVEN)
                .toBigInteger());
    }

    private static Object fileSize(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        boolean binary = arguments.bind("filesizeformat", 0, "binary").truth(0);
        String text = JinjaOperations.textOrNull(value);
        Double parsed = text == null ? null : realOrNull(text);
        double bytes = parsed != null ? parsed : JinjaArithmetic.real(number(value, "filesizeformat"));
        int base = binary ? 1024 : 1000;
        if (bytes == 1) {
            return "1 Byte";
        }
        if (bytes < base) {
            return (long) bytes + " Bytes";
        }
        String prefixes = "KMGTPEZY";
        int power = 0;
        double unit = base;
        while (power < prefixes.length() - 1 && bytes >= unit * base) {
            unit *= base;
            power++;
        }
        char prefix = prefixes.charAt(power);
        return String.format(Locale.ROOT, "%.1f ", bytes / unit)
                + (binary ? prefix + "iB" : (power == 0 ? "k" : prefix) + "B");
    }
}
