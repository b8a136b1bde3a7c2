package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.HashMap;
import java.util.Map;

/** The filters by their names, and those that take any value. */
final class JinjaFilters {
    /** One filter: what it makes of the value before the bar. */
    @FunctionalInterface
    interface Filter {
        Object apply(JinjaEvaluator evaluator, Object value, JinjaArguments arguments);
    }

    private static final Map<String, Filter> FILTERS = filters();

    private JinjaFilters() {}

    static boolean exists(String name) {
        return FILTERS.containsKey(name);
    }

    static JinjaException unknown(String name) {
        return JinjaException.of("filter '" + name + "' is not supported");
    }

    static Object apply(JinjaEvaluator evaluator, String name, Object value, JinjaArguments arguments) {
        Filter filter = FILTERS.get(name);
        if (filter == null) {
            throw unknown(name);
        }
        return filter.apply(evaluator, value, arguments);
    }

    private static Map<String, Filter> filters() {
        Map<String, Filter> filters = new HashMap<>();
        filters.put("default", JinjaFilters::defaulted);
        filters.put("d", JinjaFilters::defaulted);
        filters.put("attr", JinjaFilters::attribute);
        filters.put("tojson", JinjaFilters::toJson);
        filters.put("length", JinjaFilters::length);
        filters.put("count", JinjaFilters::length);
        JinjaTextFilters.addTo(filters);
        JinjaNumberFilters.addTo(filters);
        JinjaSequenceFilters.addTo(filters);
        JinjaOrderFilters.addTo(filters);
        return Map.copyOf(filters);
    }

    private static Object defaulted(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("default", 0, "default_value", "boolean");
        boolean replaced = value instanceof Undefined || (bound.truth(1) && !JinjaOperations.truth(value));
        return replaced ? bound.get(0, "") : value;
    }

    private static Object attribute(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        return evaluator
                .access()
                .ownAttribute(value, arguments.bind("attr", 1, "name").text(0));
    }

    private static Object length(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        arguments.bind("length", 0);
        return evaluator.operations().length(value);
    }

    private static Object toJson(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        String indent = null;
        if (bound.given(1)) {
            String text = JinjaOperations.textOrNull(bound.required(1));
            indent = text != null ? text : " ".repeat(Math.clamp(bound.integer(1, 0), 0, 1_000));
        }
        String itemSeparator = indent == null ? ", " : ",";
        String keySeparator = ": ";
        if (bound.given(2)) {
            var separators = evaluator.operations().list(bound.required(2));
            if (separators.size() != 2) {
                throw JinjaException.of("tojson needs two separators");
            }
            itemSeparator = evaluator.operations().text(separators.get(0));
            keySeparator = evaluator.operations().text(separators.get(1));
        }
        return JinjaJson.write(
                evaluator.operations().budget(),
                value,
                new JinjaJson.Style(bound.truth(0), bound.truth(3), indent, itemSeparator, keySeparator));
    }
}
