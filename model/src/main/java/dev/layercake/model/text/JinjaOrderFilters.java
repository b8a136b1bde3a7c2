package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaFilters.Filter;
import dev.layercake.model.text.JinjaValue.Generator;
import dev.layercake.model.text.JinjaValue.Tuple;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The filters that order and compare elements; they ignore the case of letters unless told otherwise. */
final class JinjaOrderFilters {
    private JinjaOrderFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("sort", JinjaOrderFilters::sort);
        filters.put("dictsort", JinjaOrderFilters::dictSort);
        filters.put("unique", JinjaOrderFilters::unique);
        filters.put("min", (evaluator, value, arguments) -> extreme(evaluator, value, arguments, false));
        filters.put("max", (evaluator, value, arguments) -> extreme(evaluator, value, arguments, true));
        filters.put("groupby", JinjaOrderFilters::groupBy);
    }

    private static Object folded(Object value) {
        String text = JinjaOperations.textOrNull(value);
        return text == null ? value : JinjaText.lower(text);
    }

    private static UnaryOperator<Object> key(
            JinjaEvaluator evaluator, @Nullable Object attribute, boolean caseSensitive) {
        UnaryOperator<Object> getter = attribute == null || attribute == JinjaValue.NONE
                ? UnaryOperator.identity()
                : JinjaSequenceFilters.getter(evaluator, attribute, null);
        return caseSensitive ? getter : value -> folded(getter.apply(value));
    }

    private static Comparator<Object> order(JinjaEvaluator evaluator, UnaryOperator<Object> key) {
        return (left, right) -> evaluator.operations().compare(key.apply(left), key.apply(right), "<");
    }

    /** Sorts as Python does: equal elements stay in order, also when the order is reversed. */
    private static List<Object> sorted(List<Object> items, Comparator<Object> order, boolean reverse) {
        List<Object> sorted = new ArrayList<>(items);
        sorted.sort(reverse ? order.reversed() : order);
        return sorted;
    }

    private static Object sort(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        List<@Nullable Object> attributes = new ArrayList<>();
        Object attribute = bound.get(2);
        String path = attribute == null ? null : JinjaOperations.textOrNull(attribute);
        if (path == null) {
            attributes.add(attribute);
        } else {
            attributes.addAll(List.of(path.split(",", -1)));
        }
        Comparator<Object> order = order(evaluator, key(evaluator, attributes.getFirst(), bound.truth(1)));
        for (Object further : attributes.subList(1, attributes.size())) {
            order = order.thenComparing(order(evaluator, key(evaluator, further, bound.truth(1))));
        }
        return sorted(evaluator.operations().list(value), order, bound.truth(0));
    }

    private static Object dictSort(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        String by = bound.text(1, "key");
        if (!by.equals("key") && !by.equals("value")) {
            throw JinjaException.of("You can only sort by either \"key\" or \"value\"");
        }
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (!(value instanceof Map<?, ?> map)) {
            throw JinjaException.of("dictsort needs a dict, not " + JinjaOperations.typeName(value));
        }
        int position = by.equals("key") ? 0 : 1;
        UnaryOperator<Object> part =
                pair -> pair instanceof Tuple tuple ? tuple.items().get(position) : pair;
        UnaryOperator<Object> key = bound.truth(0) ? part : pair -> folded(part.apply(pair));
        return sorted(evaluator.access().pairs(JinjaOperations.objects(map)), order(evaluator, key), bound.truth(2));
    }

    private static Object unique(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("unique", 0, "case_sensitive", "attribute");
        UnaryOperator<Object> key = key(evaluator, bound.get(1), bound.truth(0));
        Set<Object> seen = new HashSet<>();
        List<Object> kept = new ArrayList<>();
        for (Object item : evaluator.operations().list(value)) {
            if (seen.add(evaluator.operations().key(key.apply(item)))) {
                kept.add(item);
            }
        }
        return new Generator(evaluator.operations().iterate(kept));
    }

    private static Object extreme(JinjaEvaluator evaluator, Object value, JinjaArguments arguments, boolean greatest) {
        Bound bound = arguments.bind(greatest ? "max" : "min", 0, "case_sensitive", "attribute");
        Comparator<Object> order = order(evaluator, key(evaluator, bound.get(1), bound.truth(0)));
        Object best = null;
        for (Object item : evaluator.operations().list(value)) {
            if (best == null || (greatest ? order.compare(item, best) > 0 : order.compare(item, best) < 0)) {
                best = item;
            }
        }
        return best == null ? new Undefined("No aggregated item, sequence was empty.") : best;
    }

    private static Object groupBy(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("groupby", 1, "attribute", "default", "case_sensitive");
        Object otherwise = bound.given(1) ? bound.required(1) : null;
        UnaryOperator<Object> getter = JinjaSequenceFilters.getter(evaluator, bound.required(0), otherwise);
        UnaryOperator<Object> key = bound.truth(2) ? getter : item -> folded(getter.apply(item));
        List<Object> groups = new ArrayList<>();
        List<Object> group = new ArrayList<>();
        for (Object item : sorted(evaluator.operations().list(value), order(evaluator, key), false)) {
            if (!group.isEmpty() && !evaluator.operations().equal(key.apply(group.getFirst()), key.apply(item))) {
                groups.add(group(getter, group));
                group = new ArrayList<>();
            }
            group.add(item);
        }
        if (!group.isEmpty()) {
            groups.add(group(getter, group));
        }
        return groups;
    }

    private static Tuple group(UnaryOperator<Object> getter, List<Object> items) {
        return new Tuple(List.of(getter.apply(items.getFirst()), items), List.of("grouper", "list"));
    }
}
