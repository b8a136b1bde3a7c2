package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaFilters.Filter;
import dev.layercake.model.text.JinjaValue.Generator;
import dev.layercake.model.text.JinjaValue.Markup;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The filters that take the elements of a sequence one by one; most of them return a generator, as in Jinja. */
final class JinjaSequenceFilters {
    private JinjaSequenceFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put(
                "list", (evaluator, value, arguments) -> evaluator.operations().list(value));
        filters.put("join", JinjaSequenceFilters::join);
        filters.put("map", JinjaSequenceFilters::map);
        filters.put("select", (evaluator, value, arguments) -> select(evaluator, value, arguments, false, true));
        filters.put("reject", (evaluator, value, arguments) -> select(evaluator, value, arguments, false, false));
        filters.put("selectattr", (evaluator, value, arguments) -> select(evaluator, value, arguments, true, true));
        filters.put("rejectattr", (evaluator, value, arguments) -> select(evaluator, value, arguments, true, false));
        filters.put("items", JinjaSequenceFilters::items);
        filters.put("first", JinjaSequenceFilters::first);
        filters.put("last", JinjaSequenceFilters::last);
        filters.put("reverse", JinjaSequenceFilters::reverse);
        filters.put("batch", JinjaSequenceFilters::batch);
        filters.put("slice", JinjaSequenceFilters::slice);
        filters.put("sum", JinjaSequenceFilters::sum);
    }

    /**
     * What gets an element's attribute, named by a path with dots or by an index.
     *
     * @param otherwise the value where there is none; null leaves it undefined
     */
    static UnaryOperator<Object> getter(JinjaEvaluator evaluator, Object path, @Nullable Object otherwise) {
        List<Object> parts = new ArrayList<>();
        String text = JinjaOperations.textOrNull(path);
        if (text == null) {
            parts.add(path);
        } else {
            for (String part : text.split("\\.", -1)) {
                boolean index =
                        !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
                parts.add(index ? (Object) Long.valueOf(part) : part);
            }
        }
        return element -> {
            Object value = element;
            for (Object part : parts) {
                value = evaluator.access().item(value, part);
                if (otherwise != null && value instanceof Undefined) {
                    value = otherwise;
                }
            }
            return value;
        };
    }

    private static Object join(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("join", 0, "d", "attribute");
        JinjaOperations operations = evaluator.operations();
        String separator = operations.text(bound.get(0, ""));
        UnaryOperator<Object> getter =
                bound.given(1) ? getter(evaluator, bound.required(1), null) : UnaryOperator.identity();
        StringBuilder joined = new StringBuilder();
        Iterator<Object> items = operations.iterate(value);
        boolean first = true;
        while (items.hasNext()) {
            String part = operations.text(getter.apply(items.next()));
            operations.budget().chargeText(part.length() + separator.length());
            joined.append(first ? "" : separator).append(part);
            first = false;
            if (joined.length() > JinjaBudget.MAX_TEXT) {
                operations.budget().chargeText(joined.length());
            }
        }
        return joined.toString();
    }

    private static Object map(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        UnaryOperator<Object> operator;
        if (arguments.positional().isEmpty()) {
            Bound bound = arguments.bind("map", 0, "attribute", "default");
            if (bound.get(0) == null) {
                throw JinjaException.of("map requires a filter argument");
            }
            Object otherwise = bound.given(1) ? bound.required(1) : null;
            operator = getter(evaluator, bound.required(0), otherwise);
        } else {
            String name = evaluator.operations().text(arguments.positional().getFirst());
            JinjaArguments more = arguments.dropFirst(1);
            operator = element -> JinjaFilters.apply(evaluator, name, element, more);
        }
        Iterator<Object> items = orNothing(evaluator, value);
        return new Generator(new Iterator<>() {
            @Override
            public boolean hasNext() {
                return items.hasNext();
            }

            @Override
            public Object next() {
                return operator.apply(items.next());
            }
        });
    }

    /** The elements; nothing false, such as None, has any here. */
    private static Iterator<Object> orNothing(JinjaEvaluator evaluator, Object value) {
        return JinjaOperations.truth(value) ? evaluator.operations().iterate(value) : Collections.emptyIterator();
    }

    private static Object select(
            JinjaEvaluator evaluator, Object value, JinjaArguments arguments, boolean byAttribute, boolean wanted) {
        JinjaArguments left = arguments;
        UnaryOperator<Object> getter = UnaryOperator.identity();
        if (byAttribute) {
            if (left.positional().isEmpty()) {
                throw JinjaException.of("Missing parameter for attribute name");
            }
            getter = getter(evaluator, left.positional().getFirst(), null);
            left = left.dropFirst(1);
        }
        Predicate<Object> test = JinjaOperations::truth;
        if (!left.positional().isEmpty()) {
            String name = evaluator.operations().text(left.positional().getFirst());
            JinjaArguments more = left.dropFirst(1);
            test = element -> JinjaTests.test(evaluator, name, element, more);
        }
        Predicate<Object> condition = test;
        UnaryOperator<Object> part = getter;
        return new Generator(new JinjaSelection(
                orNothing(evaluator, value), element -> condition.test(part.apply(element)) == wanted));
    }

    private static Object items(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        arguments.bind("items", 0);
        if (value instanceof Undefined) {
            return new Generator(Collections.emptyIterator());
        }
        if (!(value instanceof Map<?, ?> map)) {
            throw JinjaException.of("Can only get item pairs from a mapping.");
        }
        List<Object> pairs = evaluator.access().pairs(JinjaOperations.objects(map));
        return new Generator(evaluator.operations().iterate(pairs));
    }

    private static Object first(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Iterator<Object> items = evaluator.operations().iterate(value);
        return items.hasNext() ? items.next() : new Undefined("No first item, sequence was empty.");
    }

    private static Object last(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        if (value instanceof Generator) {
            throw JinjaException.of("'generator' object is not reversible");
        }
        List<Object> items = evaluator.operations().list(value);
        return items.isEmpty() ? new Undefined("No last item, sequence was empty.") : items.getLast();
    }

    private static Object reverse(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        String text = JinjaOperations.textOrNull(value);
        if (text != null) {
            String reversed = new StringBuilder(evaluator.operations().budget().text(text))
                    .reverse()
                    .toString();
            return value instanceof Markup ? new Markup(reversed) : reversed;
        }
        List<Object> items = evaluator.operations().list(value).reversed();
        return value instanceof Generator
                ? new ArrayList<>(items)
                : new Generator(evaluator.operations().iterate(items));
    }

    private static Object batch(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("batch", 1, "linecount", "fill_with");
        long size = bound.integer(0, 1);
        List<Object> batches = new ArrayList<>();
        List<Object> batch = new ArrayList<>();
        for (Object item : evaluator.operations().list(value)) {
            if (batch.size() == size) {
                batches.add(batch);
                batch = new ArrayList<>();
            }
            batch.add(item);
        }
        if (!batch.isEmpty()) {
            if (bound.given(1)) {
                evaluator.operations().budget().charge(size);
                while (batch.size() < size) {
                    batch.add(bound.required(1));
                }
            }
            batches.add(batch);
        }
        return new Generator(evaluator.operations().iterate(batches));
    }

    private static Object slice(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("slice", 1, "slices", "fill_with");
        List<Object> items = evaluator.operations().list(value);
        long count = bound.integer(0, 1);
        if (count < 1) {
            throw JinjaException.of("slice needs a positive number of slices");
        }
        evaluator.operations().budget().charge(count);
        long each = items.size() / count;
        long longer = items.size() % count;
        List<Object> slices = new ArrayList<>();
        int position = 0;
        for (long i = 0; i < count; i++) {
            int end = (int) (position + each + (i < longer ? 1 : 0));
            List<Object> slice = new ArrayList<>(items.subList(position, end));
            if (bound.given(1) && i >= longer) {
                slice.add(bound.required(1));
            }
            slices.add(slice);
            position = end;
        }
        return new Generator(evaluator.operations().iterate(slices));
    }

    private static Object sum(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("sum", 0, "attribute", "start");
        UnaryOperator<Object> getter =
                bound.given(0) ? getter(evaluator, bound.required(0), null) : UnaryOperator.identity();
        Object sum = bound.get(1, 0L);
        for (Object item : evaluator.operations().list(value)) {
            sum = evaluator.arithmetic().apply("+", sum, getter.apply(item));
        }
        return sum;
    }
}
