package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Tuple;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's two ways to format: the operator {@code %} and {@code str.format}. */
final class JinjaFormat {
    private final JinjaOperations operations;
    private final JinjaBudget budget;

    JinjaFormat(JinjaOperations operations) {
        this.operations = operations;
        this.budget = operations.budget();
    }

    /** What is to be done with one value; the fill is a single character. */
    private record Spec(
            String fill,
            char align,
            boolean plus,
            boolean blank,
            boolean alternate,
            boolean group,
            long width,
            int precision,
            char type) {
        Spec withType(char other) {
            return new Spec(fill, align, plus, blank, alternate, group, width, precision, other);
        }
    }

    /** {@code text % values}. */
    String percent(String text, Object values, boolean escape) {
        List<Object> items = values instanceof Tuple tuple ? tuple.items() : List.of(values);
        StringBuilder output = new StringBuilder();
        int used = 0;
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i++);
            if (c != '%') {
                output.append(c);
                continue;
            }
            Object value = null;
            if (i < text.length() && text.charAt(i) == '(') {
                int end = text.indexOf(')', i);
                if (end < 0 || !(values instanceof Map<?, ?> map)) {
                    throw JinjaException.of("format requires a mapping");
                }
                String key = text.substring(i + 1, end);
                value = operations.find(JinjaOperations.objects(map), key);
                if (value == null) {
                    throw JinjaException.of("the mapping has no key '" + key + "'");
                }
                used = items.size();
                i = end + 1;
            }
            int begin = i;
            while (i < text.length() && "-+ #0123456789.*hlL".indexOf(text.charAt(i)) >= 0) {
                i++;
            }
            if (i == text.length()) {
                throw JinjaException.of("incomplete format");
            }
            String flags = text.substring(begin, i);
            char type = text.charAt(i++);
            if (type == '%') {
                output.append('%');
                continue;
            }
            if (value == null) {
                if (used == items.size()) {
                    throw JinjaException.of("not enough arguments for format string");
                }
                value = items.get(used++);
            }
            output.append(converted(value, percentSpec(flags, type), escape));
            budget.chargeText(output.length());
        }
        if (used < items.size() && !(values instanceof Map<?, ?>) && !(values instanceof List<?>)) {
            throw JinjaException.of("not all arguments converted during string formatting");
        }
        return output.toString();
    }

    private static Spec percentSpec(String flags, char type) {
        int i = 0;
        boolean left = false;
        boolean zero = false;
        boolean plus = false;
        boolean blank = false;
        boolean alternate = false;
        for (; i < flags.length() && "-+ #0".indexOf(flags.charAt(i)) >= 0; i++) {
            char flag = flags.charAt(i);
            left |= flag == '-';
            zero |= flag == '0';
            plus |= flag == '+';
            blank |= flag == ' ';
            alternate |= flag == '#';
        }
        int dot = flags.indexOf('.', i);
        long width = number(flags.substring(i, dot < 0 ? flags.length() : dot), 0);
        int precision = dot < 0 ? -1 : number(flags.substring(dot + 1), 0);
        boolean numeric = "sra".indexOf(type) < 0;
        return new Spec(
                zero && numeric && !left ? "0" : " ",
                left ? '<' : zero && numeric ? '=' : '>',
                plus,
                blank,
                alternate,
                false,
                width,
                precision,
                type);
    }

    private static int number(String digits, int otherwise) {
        if (digits.isEmpty()) {
            return otherwise;
        }
        try {
            return Integer.parseInt(digits);
        } catch (NumberFormatException e) {
            throw JinjaException.of("unsupported format '" + digits + "'");
        }
    }

    private String converted(Object value, Spec spec, boolean escape) {
        return switch (spec.type()) {
            case 's', 'r', 'a' -> {
                String shown = spec.type() == 's' ? operations.text(value) : operations.repr(value);
                shown = escape && !(value instanceof JinjaValue.Markup) ? JinjaText.escape(shown) : shown;
                yield padded(cut(shown, spec.precision()), spec);
            }
            case 'c' ->
                padded(
                        value instanceof Long codePoint && Character.isValidCodePoint(codePoint.intValue())
                                ? Character.toString(codePoint.intValue())
                                : operations.text(value),
                        spec);
            case 'd', 'i', 'u' -> {
                Object number = required(value, spec.type());
                yield number(number instanceof Double real ? truncated(real) : number, spec.withType('d'));
            }
            case 'x', 'X', 'o', 'e', 'E', 'f', 'F', 'g', 'G' -> number(required(value, spec.type()), spec);
            default -> throw JinjaException.of("unsupported format character '" + spec.type() + "'");
        };
    }

    private static Object required(Object value, char type) {
        Object number = JinjaArithmetic.numberOrNull(value);
        if (number == null) {
            throw JinjaException.of(
                    "%" + type + " format: a number is required, not " + JinjaOperations.typeName(value));
        }
        return number;
    }

    /** A float without its fraction, as an int. */
    static Object truncated(double value) {
        if (!Double.isFinite(value)) {
            throw JinjaException.of("cannot convert float " + JinjaText.repr(value) + " to integer");
        }
        return JinjaArithmetic.shrink(new BigDecimal(value).toBigInteger());
    }

    private static String cut(String text, int length) {
        return length < 0 || length >= JinjaText.length(text) ? text : JinjaText.part(text, 0, length);
    }

    private String padded(String text, Spec spec) {
        String side = switch (spec.align()) {
            case '>', '=' -> "rjust";
            case '^' -> "format-center";
            default -> "ljust";
        };
        if (side.equals("format-center")) {
            long missing = Math.max(0, spec.width() - JinjaText.length(text));
            String leftPadded =
                    JinjaTextMethods.justify(budget, text, JinjaText.length(text) + missing / 2, spec.fill(), "rjust");
            return JinjaTextMethods.justify(budget, leftPadded, spec.width(), spec.fill(), "ljust");
        }
        return JinjaTextMethods.justify(budget, text, spec.width(), spec.fill(), side);
    }

    private String number(Object number, Spec spec) {
        String digits = digits(number, spec);
        boolean negative = digits.startsWith("-");
        String sign = negative ? "-" : spec.plus() ? "+" : spec.blank() ? " " : "";
        String body = negative ? digits.substring(1) : digits;
        if (spec.group()) {
            body = grouped(body);
        }
        if (spec.align() == '=') {
            return sign + JinjaTextMethods.justify(budget, body, spec.width() - sign.length(), spec.fill(), "rjust");
        }
        return padded(sign + body, spec);
    }

    private static String grouped(String body) {
        int end = 0;
        while (end < body.length() && JinjaText.isDigit(body.charAt(end))) {
            end++;
        }
        StringBuilder grouped = new StringBuilder(body);
        for (int i = end - 3; i > 0; i -= 3) {
            grouped.insert(i, ',');
        }
        return grouped.toString();
    }

    private static String digits(Object number, Spec spec) {
        if (spec.precision() > 1_000) {
            throw JinjaException.of("a format precision is larger than 1000");
        }
        int precision = spec.precision() < 0 ? 6 : spec.precision();
        char type = spec.type();
        switch (type) {
            case 'd', 'n' -> {
                return number.toString();
            }
            case 'x', 'X', 'o', 'b' -> {
                if (number instanceof Double) {
                    throw JinjaException.of("%" + type + " format: an integer is required, not float");
                }
                BigInteger integer = JinjaArithmetic.integer(number);
                int radix = type == 'o' ? 8 : type == 'b' ? 2 : 16;
                String digits = integer.abs().toString(radix);
                String prefix = spec.alternate() ? "0" + type : "";
                return (integer.signum() < 0 ? "-" : "") + prefix + (type == 'X' ? JinjaText.upper(digits) : digits);
            }
            default -> {}
        }
        double value = JinjaArithmetic.real(number);
        if (!Double.isFinite(value)) {
            return JinjaText.repr(value) + (type == '%' ? "%" : "");
        }
        String digits = switch (type) {
            case '%' -> fixed(value * 100, precision) + "%";
            case 'e', 'E' -> exponential(value, precision);
            case 'g', 'G' -> general(value, Math.max(1, precision), spec.alternate());
            default -> fixed(value, precision);
        };
        return type == 'E' || type == 'G' ? JinjaText.upper(digits) : digits;
    }

    private static String fixed(double value, int precision) {
        String digits = new BigDecimal(value)
                .setScale(precision, RoundingMode.HALF_EVEN)
                .toPlainString();
        return negative(value) && !digits.startsWith("-") ? "-" + digits : digits;
    }

    private static boolean negative(double value) {
        return value < 0 || 1 / value < 0;
    }

    private static String exponential(double value, int precision) {
        BigDecimal exact = new BigDecimal(value).round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
        int exponent = exact.signum() == 0 ? 0 : exact.precision() - exact.scale() - 1;
        String mantissa = exact.scaleByPowerOfTen(-exponent)
                .setScale(precision, RoundingMode.HALF_EVEN)
                .abs()
                .toPlainString();
        String power = Math.abs(exponent) < 10 ? "0" + Math.abs(exponent) : "" + Math.abs(exponent);
        return (negative(value) ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+") + power;
    }

    private static String general(double value, int precision, boolean keepZeros) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(precision, RoundingMode.HALF_EVEN));
        int exponent = rounded.signum() == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        if (exponent < -4 || exponent >= precision) {
            String text = exponential(value, precision - 1);
            int e = text.indexOf('e');
            return keepZeros ? text : withoutZeros(text.substring(0, e)) + text.substring(e);
        }
        String text = fixed(value, precision - 1 - exponent);
        return keepZeros ? text : withoutZeros(text);
    }

    private static String withoutZeros(String digits) {
        if (digits.indexOf('.') < 0) {
            return digits;
        }
        int end = digits.length();
        while (digits.charAt(end - 1) == '0') {
            end--;
        }
        return digits.substring(0, digits.charAt(end - 1) == '.' ? end - 1 : end);
    }

    /** {@code text.format(...)}. */
    String braces(String text, JinjaArguments arguments) {
        StringBuilder output = new StringBuilder();
        int automatic = 0;
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i++);
            boolean doubled = i < text.length() && text.charAt(i) == c;
            if (c == '{' && !doubled) {
                int end = text.indexOf('}', i);
                if (end < 0) {
                    throw JinjaException.of("expected '}' before end of string");
                }
                String field = text.substring(i, end);
                if (field.indexOf('{') >= 0) {
                    throw JinjaException.of("nested fields of str.format are not supported");
                }
                int colon = field.indexOf(':');
                String spec = colon < 0 ? "" : field.substring(colon + 1);
                String reference = colon < 0 ? field : field.substring(0, colon);
                int bang = reference.indexOf('!');
                String conversion = bang < 0 ? "" : reference.substring(bang + 1);
                String path = bang < 0 ? reference : reference.substring(0, bang);
                if (path.isEmpty() || ".[".indexOf(path.charAt(0)) >= 0) {
                    path = automatic++ + path;
                }
                Object value = new FieldPath(path).resolve(arguments);
                output.append(formatted(
                        conversion.isEmpty()
                                ? value
                                : conversion.equals("s") ? operations.text(value) : operations.repr(value),
                        spec));
                budget.chargeText(output.length());
                i = end + 1;
            } else if ((c == '{' || c == '}') && doubled) {
                output.append(c);
                i++;
            } else if (c == '}') {
                throw JinjaException.of("single '}' encountered in format string");
            } else {
                output.append(c);
            }
        }
        return output.toString();
    }

    /** The part of a replacement field that says which value is meant. */
    private final class FieldPath {
        private final String path;

        FieldPath(String path) {
            this.path = path;
        }

        Object resolve(JinjaArguments arguments) {
            int end = 0;
            while (end < path.length() && ".[".indexOf(path.charAt(end)) < 0) {
                end++;
            }
            String first = path.substring(0, end);
            Object value = isNumber(first)
                    ? positional(arguments, number(first, 0))
                    : arguments.named().get(first);
            if (value == null) {
                throw JinjaException.of("str.format has no argument '" + first + "'");
            }
            JinjaAccess access = new JinjaAccess(operations);
            while (end < path.length()) {
                boolean element = path.charAt(end) == '[';
                int begin = end + 1;
                end = begin;
                while (end < path.length() && (element ? "]" : ".[").indexOf(path.charAt(end)) < 0) {
                    end++;
                }
                String name = path.substring(begin, end);
                value = element
                        ? access.item(value, isNumber(name) ? (Object) (long) number(name, 0) : name)
                        : access.attribute(value, name);
                end += element ? 1 : 0;
            }
            return value;
        }

        private static @Nullable Object positional(JinjaArguments arguments, int index) {
            return index < arguments.positional().size()
                    ? arguments.positional().get(index)
                    : null;
        }

        private static boolean isNumber(String text) {
            return !text.isEmpty() && text.chars().allMatch(c -> JinjaText.isDigit((char) c));
        }
    }

    private String formatted(Object value, String text) {
        if (text.isEmpty()) {
            return operations.text(value);
        }
        Object number = value instanceof Boolean && !text.matches(".*[bcdeEfFgGnoxX%]")
                ? null
                : JinjaArithmetic.numberOrNull(value);
        int i = 0;
        String fill = " ";
        char align = number == null ? '<' : '>';
        int fillEnd = text.offsetByCodePoints(0, 1);
        if (fillEnd < text.length() && "<>=^".indexOf(text.charAt(fillEnd)) >= 0) {
            fill = text.substring(0, fillEnd);
            align = text.charAt(fillEnd);
            i = fillEnd + 1;
        } else if ("<>=^".indexOf(text.charAt(0)) >= 0) {
            align = text.charAt(0);
            i = 1;
        }
        boolean plus = text.startsWith("+", i);
        boolean blank = text.startsWith(" ", i);
        i += plus || blank || text.startsWith("-", i) ? 1 : 0;
        boolean alternate = text.startsWith("#", i);
        i += alternate ? 1 : 0;
        if (text.startsWith("0", i)) {
            fill = "0";
            align = number == null ? align : '=';
            i++;
        }
        int begin = i;
        while (i < text.length() && JinjaText.isDigit(text.charAt(i))) {
            i++;
        }
        int width = number(text.substring(begin, i), 0);
        boolean group = text.startsWith(",", i);
        i += group ? 1 : 0;
        int precision = -1;
        if (text.startsWith(".", i)) {
            begin = ++i;
            while (i < text.length() && JinjaText.isDigit(text.charAt(i))) {
                i++;
            }
            precision = number(text.substring(begin, i), 0);
        }
        char type = i < text.length() ? text.charAt(i++) : 0;
        if (i < text.length()
                || (number == null && type != 0 && type != 's')
                || "bcdeEfFgGnosxX%\0".indexOf(type) < 0) {
            throw JinjaException.of(
                    "the format '" + text + "' is not supported for a " + JinjaOperations.typeName(value));
        }
        Spec spec = new Spec(fill, align, plus, blank, alternate, group, width, precision, type);
        if (number == null) {
            return padded(cut(operations.text(value), precision), spec);
        }
        if (type == 0 && number instanceof Double real) {
            return precision < 0 ? number(real, spec, JinjaText.repr(real)) : number(number, spec.withType('g'));
        }
        return number(number, type == 0 ? spec.withType('d') : spec);
    }

    private String number(double value, Spec spec, String shown) {
        String sign = value < 0 ? "" : spec.plus() ? "+" : spec.blank() ? " " : "";
        return padded(sign + shown, spec);
    }
}
