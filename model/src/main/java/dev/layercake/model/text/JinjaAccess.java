package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Function;
import dev.layercake.model.text.JinjaValue.Markup;
import dev.layercake.model.text.JinjaValue.Tuple;
import dev.layercake.model.text.JinjaValue.Undefined;
import dev.layercake.model.text.JinjaValue.View;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Attributes, elements and slices of values. As in Jinja, {@code a.b} prefers an attribute to an element and
 * {@code a['b']} the reverse; as in its sandbox, methods that would change a value do not exist.
 */
final class JinjaAccess {
    private static final Set<String> UNSAFE_DICT_METHODS = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> UNSAFE_LIST_METHODS =
            Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

    private final JinjaOperations operations;
    private final JinjaBudget budget;

    JinjaAccess(JinjaOperations operations) {
        this.operations = operations;
        this.budget = operations.budget();
    }

    Object attribute(Object target, String name) {
        if (target instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object value = attributeOrNull(target, name);
        if (value == null && target instanceof Map<?, ?> map) {
            value = operations.find(JinjaOperations.objects(map), name);
        }
        return value == null ? missing(target, name) : value;
    }

    /** The attribute that the value itself has, never an element of it. */
    Object ownAttribute(Object target, String name) {
        if (target instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object value = attributeOrNull(target, name);
        return value == null ? missing(target, name) : value;
    }

    Object item(Object target, Object index) {
        if (target instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object value = itemOrNull(target, index);
        String name = JinjaOperations.textOrNull(index);
        if (value == null && name != null) {
            value = attributeOrNull(target, name);
        }
        return value == null ? missing(target, index) : value;
    }

    private static Undefined missing(Object target, Object name) {
        String type = target == JinjaValue.NONE ? "None" : JinjaOperations.typeName(target) + " object";
        return new Undefined(
                name instanceof String text
                        ? "'" + type + "' has no attribute '" + text + "'"
                        : type + " has no element " + (name instanceof Number ? name : "of that name"));
    }

    private @Nullable Object itemOrNull(Object target, Object index) {
        if (target instanceof Map<?, ?> map) {
            return index instanceof List<?> || index instanceof Map<?, ?>
                    ? null
                    : operations.find(JinjaOperations.objects(map), index);
        }
        Object number = JinjaArithmetic.numberOrNull(index);
        if (number == null || number instanceof Double || number instanceof BigInteger) {
            return null;
        }
        long position = (Long) number;
        if (target instanceof JinjaValue.Range range) {
            long at = position < 0 ? position + range.size() : position;
            return at < 0 || at >= range.size() ? null : (Object) (range.start() + at * range.step());
        }
        String text = JinjaOperations.textOrNull(target);
        List<Object> sequence = text == null ? operations.sequenceOrNull(target) : null;
        if (text == null && sequence == null) {
            return null;
        }
        long size = text == null ? sequence == null ? 0 : sequence.size() : JinjaText.length(text);
        long at = position < 0 ? position + size : position;
        if (at < 0 || at >= size) {
            return null;
        }
        if (sequence != null) {
            return sequence.get((int) at);
        }
        String character = text == null ? "" : JinjaText.part(text, at, at + 1);
        return target instanceof Markup ? new Markup(character) : character;
    }

    private @Nullable Object attributeOrNull(Object target, String name) {
        return switch (target) {
            case Map<?, ?> map -> dictMethod(JinjaOperations.objects(map), name);
            case String text -> method(text, name, false);
            case Markup markup -> method(markup.text(), name, true);
            case List<?> list ->
                UNSAFE_LIST_METHODS.contains(name)
                        ? unsafe(target, name)
                        : sequenceMethod(JinjaOperations.objects(list), name, true);
            case Tuple tuple -> {
                int field = tuple.names().indexOf(name);
                yield field >= 0 ? tuple.items().get(field) : sequenceMethod(tuple.items(), name, false);
            }
            case JinjaValue.Namespace namespace -> namespace.attributes().get(name);
            case JinjaValue.Loop loop -> loop.state().attribute(name);
            case JinjaValue.Cycler cycler -> cyclerAttribute(cycler, name);
            case Function function -> name.equals("name") ? function.name() : null;
            case JinjaValue.Range range ->
                switch (name) {
                    case "start" -> range.start();
                    case "stop" -> range.stop();
                    case "step" -> range.step();
                    default -> null;
                };
            default -> null;
        };
    }

    private static Undefined unsafe(Object target, String name) {
        return new Undefined(
                "access to attribute '" + name + "' of '" + JinjaOperations.typeName(target) + "' object is unsafe");
    }

    private @Nullable Object method(String text, String name, boolean markup) {
        if (!JinjaTextMethods.exists(name)) {
            return null;
        }
        return new Function(name, arguments -> {
            Object result = JinjaTextMethods.call(operations, text, name, arguments);
            return markup && result instanceof String plain ? new Markup(plain) : result;
        });
    }

    private @Nullable Object dictMethod(Map<Object, Object> map, String name) {
        if (UNSAFE_DICT_METHODS.contains(name)) {
            return unsafe(map, name);
        }
        return switch (name) {
            case "get" ->
                new Function(name, arguments -> {
                    JinjaArguments.Bound bound = arguments.bind("get()", 1, "key", "default");
                    Object value = operations.find(map, bound.required(0));
                    return value == null ? bound.get(1, JinjaValue.NONE) : value;
                });
            case "items" -> new Function(name, arguments -> new View("dict_items", pairs(map)));
            case "keys" -> new Function(name, arguments -> new View("dict_keys", copy(map.keySet())));
            case "values" -> new Function(name, arguments -> new View("dict_values", copy(map.values())));
            case "copy" ->
                new Function(name, arguments -> {
                    budget.charge(map.size());
                    return new LinkedHashMap<>(map);
                });
            default -> null;
        };
    }

    private List<Object> copy(Collection<Object> values) {
        budget.charge(values.size());
        return List.copyOf(values);
    }

    /** The entries of a dict as tuples of key and value. */
    List<Object> pairs(Map<Object, Object> map) {
        budget.charge(map.size());
        List<Object> pairs = new ArrayList<>(map.size());
        map.forEach((key, value) -> pairs.add(Tuple.of(key, value)));
        return pairs;
    }

    private @Nullable Object sequenceMethod(List<Object> items, String name, boolean list) {
        return switch (name) {
            case "index" ->
                new Function(name, arguments -> {
                    Object wanted = arguments.bind("index()", 1, "value").required(0);
                    for (int i = 0; i < items.size(); i++) {
                        if (operations.equal(items.get(i), wanted)) {
                            return (long) i;
                        }
                    }
                    throw JinjaException.of(operations.repr(wanted) + " is not in list");
                });
            case "count" ->
                new Function(name, arguments -> {
                    Object wanted = arguments.bind("count()", 1, "value").required(0);
                    return items.stream()
                            .filter(item -> operations.equal(item, wanted))
                            .count();
                });
            case "copy" -> list ? new Function(name, arguments -> operations.list(items)) : null;
            default -> null;
        };
    }

    private static @Nullable Object cyclerAttribute(JinjaValue.Cycler cycler, String name) {
        return switch (name) {
            case "current" -> cycler.current();
            case "next" -> new Function(name, arguments -> cycler.next());
            case "reset" ->
                new Function(name, arguments -> {
                    cycler.reset();
                    return JinjaValue.NONE;
                });
            default -> null;
        };
    }

    Object slice(Object target, @Nullable Object start, @Nullable Object stop, @Nullable Object step) {
        if (target instanceof Undefined undefined) {
            throw undefined.failure();
        }
        String text = JinjaOperations.textOrNull(target);
        List<Object> sequence = text == null ? operations.sequenceOrNull(target) : null;
        if (text == null && sequence == null) {
            throw JinjaException.of("'" + JinjaOperations.typeName(target) + "' object cannot be sliced");
        }
        long size = text == null ? sequence == null ? 0 : sequence.size() : JinjaText.length(text);
        long stride = step == null ? 1 : index(step, size);
        if (stride == 0) {
            throw JinjaException.of("slice step cannot be zero");
        }
        long first = stride > 0 ? 0 : size - 1;
        long end = stride > 0 ? size : -1;
        long from = start == null ? first : clamp(index(start, size), size, stride > 0);
        long to = stop == null ? end : clamp(index(stop, size), size, stride > 0);
        JinjaValue.Range positions = new JinjaValue.Range(from, to, stride);
        budget.charge(positions.size());
        if (text != null) {
            String part = part(text, positions);
            return target instanceof Markup ? new Markup(part) : part;
        }
        List<Object> items = new ArrayList<>();
        for (long i = 0; i < positions.size() && sequence != null; i++) {
            items.add(sequence.get((int) (from + i * stride)));
        }
        return target instanceof Tuple ? Tuple.of(items) : items;
    }

    private static String part(String text, JinjaValue.Range positions) {
        if (positions.step() == 1) {
            return positions.size() == 0 ? "" : JinjaText.part(text, positions.start(), positions.stop());
        }
        int[] codePoints = text.codePoints().toArray();
        StringBuilder part = new StringBuilder();
        for (long i = 0; i < positions.size(); i++) {
            part.appendCodePoint(codePoints[(int) (positions.start() + i * positions.step())]);
        }
        return part.toString();
    }

    /** An index as Python clips it: beyond the ends is at the end, which lies before the first for backward slices. */
    private static long clamp(long index, long size, boolean forward) {
        long at = index < 0 ? index + size : index;
        return Math.clamp(at, forward ? 0 : -1, forward ? size : size - 1);
    }

    private static long index(Object value, long size) {
        Object number = JinjaArithmetic.numberOrNull(value);
        if (number == null || number instanceof Double) {
            throw JinjaException.of("slice indices must be integers or None");
        }
        // Far beyond the ends is as good as beyond the ends, and cannot overflow.
        BigInteger limit = BigInteger.valueOf(size + 1).shiftLeft(1);
        return JinjaArithmetic.integer(number).min(limit).max(limit.negate()).longValue();
    }
}
