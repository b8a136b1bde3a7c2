package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Tuple;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes a value as Python's json.dumps does. */
final class JinjaJson {
    private static final int MAX_DEPTH = 500;

    /**
     * How to write.
     *
     * @param indent what one level is indented by; null writes everything on one line
     */
    record Style(
            boolean asciiOnly, boolean sortKeys, @Nullable String indent, String itemSeparator, String keySeparator) {}

    private final JinjaBudget budget;
    private final Style style;
    private final StringBuilder output = new StringBuilder();

    private JinjaJson(JinjaBudget budget, Style style) {
        this.budget = budget;
        this.style = style;
    }

    static String write(JinjaBudget budget, Object value, Style style) {
        JinjaJson json = new JinjaJson(budget, style);
        json.write(value, 0);
        return budget.text(json.output.toString());
    }

    private void write(Object value, int depth) {
        budget.step();
        if (depth > MAX_DEPTH) {
            throw JinjaException.of("a value nests too deeply for JSON");
        }
        String text = JinjaOperations.textOrNull(value);
        if (text != null) {
            string(text);
        } else if (value instanceof Map<?, ?> map) {
            object(JinjaOperations.objects(map), depth);
        } else if (value instanceof List<?> list) {
            array(JinjaOperations.objects(list), depth);
        } else if (value instanceof Tuple tuple) {
            array(tuple.items(), depth);
        } else {
            output.append(scalar(value));
        }
        if (output.length() > JinjaBudget.MAX_TEXT) {
            budget.chargeText(output.length());
        }
    }

    private static String scalar(Object value) {
        return switch (value) {
            case Boolean flag -> flag ? "true" : "false";
            case Long number -> number.toString();
            case BigInteger number -> number.toString();
            case Double number -> real(number);
            case JinjaValue.None none -> "null";
            default ->
                throw JinjaException.of(
                        "Object of type " + JinjaOperations.typeName(value) + " is not JSON serializable");
        };
    }

    private static String real(double value) {
        return Double.isNaN(value)
                ? "NaN"
                : Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : JinjaText.repr(value);
    }

    private void object(Map<Object, Object> map, int depth) {
        if (map.isEmpty()) {
            output.append("{}");
            return;
        }
        List<Map.Entry<Object, Object>> entries = new ArrayList<>(map.entrySet());
        if (style.sortKeys()) {
            JinjaOperations operations = new JinjaOperations(budget);
            entries.sort(Comparator.comparing(Map.Entry::getKey, (a, b) -> operations.compare(a, b, "<")));
        }
        output.append('{');
        boolean first = true;
        for (Map.Entry<Object, Object> entry : entries) {
            separate(first, depth + 1);
            first = false;
            Object key = entry.getKey();
            String name = JinjaOperations.textOrNull(key);
            if (name == null && (key instanceof JinjaValue && key != JinjaValue.NONE)) {
                throw JinjaException.of(
                        "keys must be str, int, float, bool or None, not " + JinjaOperations.typeName(key));
            }
            string(name == null ? scalar(key) : name);
            output.append(style.keySeparator());
            write(entry.getValue(), depth + 1);
        }
        newLine(depth);
        output.append('}');
    }

    private void array(List<Object> items, int depth) {
        if (items.isEmpty()) {
            output.append("[]");
            return;
        }
        output.append('[');
        for (int i = 0; i < items.size(); i++) {
            separate(i == 0, depth + 1);
            write(items.get(i), depth + 1);
        }
        newLine(depth);
        output.append(']');
    }

    private void separate(boolean first, int depth) {
        if (!first) {
            output.append(style.itemSeparator());
        }
        newLine(depth);
    }

    private void newLine(int depth) {
        String indent = style.indent();
        if (indent != null) {
            budget.chargeText(output.length() / 1024 + (long) indent.length() * depth);
            output.append('\n').append(indent.repeat(depth));
        }
    }

    private void string(String text) {
        output.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int simple = "\"\\\n\r\t\b\f".indexOf(c);
            if (simple >= 0) {
                output.append('\\').append("\"\\nrtbf".charAt(simple));
            } else if (c < ' ' || (style.asciiOnly() && c > '~')) {
                output.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                output.append(c);
            }
        }
        output.append('"');
    }
}
