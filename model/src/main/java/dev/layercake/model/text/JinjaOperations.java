package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Markup;
import dev.layercake.model.text.JinjaValue.Tuple;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** What Python does with values of any type: truth, equality, order, iteration, length, membership, str and repr. */
final class JinjaOperations {
    private final JinjaBudget budget;

    JinjaOperations(JinjaBudget budget) {
        this.budget = budget;
    }

    JinjaBudget budget() {
        return budget;
    }

    /** The name of a value's Python type. */
    static String typeName(Object value) {
        return switch (value) {
            case String text -> "str";
            case Boolean flag -> "bool";
            case Long number -> "int";
            case BigInteger number -> "int";
            case Double number -> "float";
            case List<?> list -> "list";
            case Map<?, ?> map -> "dict";
            case JinjaValue.None none -> "NoneType";
            case Undefined undefined -> "Undefined";
            case Tuple tuple -> "tuple";
            case Markup markup -> "Markup";
            case JinjaValue.Namespace namespace -> "Namespace";
            case JinjaValue.View view -> view.type();
            case JinjaValue.Range range -> "range";
            case JinjaValue.Generator generator -> "generator";
            case JinjaValue.Function function -> "function";
            case JinjaValue.Loop loop -> "LoopContext";
            case JinjaValue.Cycler cycler -> "Cycler";
            default -> throw new IllegalStateException("a " + value.getClass() + " reached a template");
        };
    }

    /** The text of a str or Markup, or null. */
    static @Nullable String textOrNull(Object value) {
        return value instanceof String text ? text : value instanceof Markup markup ? markup.text() : null;
    }

    /** The elements of a list, tuple or range, or null. */
    @Nullable
    List<Object> sequenceOrNull(Object value) {
        return switch (value) {
            case List<?> list -> objects(list);
            case Tuple tuple -> tuple.items();
            case JinjaValue.Range range -> {
                budget.charge(range.size());
                yield LongStream.range(0, range.size())
                        .mapToObj(i -> (Object) (range.start() + i * range.step()))
                        .toList();
            }
            default -> null;
        };
    }

    /** A list as a list of values, which every list here is. */
    @SuppressWarnings("unchecked")
    static List<Object> objects(List<?> list) {
        return (List<Object>) list;
    }

    /** A map as a map of values, which every map here is. */
    @SuppressWarnings("unchecked")
    static Map<Object, Object> objects(Map<?, ?> map) {
        return (Map<Object, Object>) map;
    }

    static boolean truth(Object value) {
        return switch (value) {
            case Boolean flag -> flag;
            case String text -> !text.isEmpty();
            case Markup markup -> !markup.text().isEmpty();
            case Long number -> number != 0;
            case Double number -> number != 0;
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            case Tuple tuple -> !tuple.items().isEmpty();
            case JinjaValue.View view -> !view.items().isEmpty();
            case JinjaValue.Range range -> range.size() > 0;
            case JinjaValue.None none -> false;
            case Undefined undefined -> false;
            default -> true;
        };
    }

    // Functions, generators and the like are equal only to themselves.
    @SuppressWarnings("ReferenceEquality")
    boolean equal(Object left, Object right) {
        budget.step();
        String leftText = textOrNull(left);
        if (leftText != null) {
            budget.chargeText(leftText.length());
            return leftText.equals(textOrNull(right));
        }
        Object leftNumber = JinjaArithmetic.numberOrNull(left);
        if (leftNumber != null) {
            Object rightNumber = JinjaArithmetic.numberOrNull(right);
            return rightNumber != null && JinjaArithmetic.equal(leftNumber, rightNumber);
        }
        if (left instanceof Map<?, ?> leftMap) {
            return right instanceof Map<?, ?> rightMap && equalMaps(objects(leftMap), objects(rightMap));
        }
        if (left instanceof List<?> leftList) {
            return right instanceof List<?> rightList && equalLists(objects(leftList), objects(rightList));
        }
        return switch (left) {
            case Tuple tuple -> right instanceof Tuple other && equalLists(tuple.items(), other.items());
            case JinjaValue.Range range ->
                right instanceof JinjaValue.Range other && equalLists(elements(range), elements(other));
            case Undefined undefined -> right instanceof Undefined;
            default -> left == right;
        };
    }

    private List<Object> elements(JinjaValue.Range range) {
        List<Object> elements = sequenceOrNull(range);
        return elements == null ? List.of() : elements;
    }

    private boolean equalLists(List<Object> left, List<Object> right) {
        if (left.size() != right.size()) {
            return false;
        }
        for (int i = 0; i < left.size(); i++) {
            if (!equal(left.get(i), right.get(i))) {
                return false;
            }
        }
        return true;
    }

    private boolean equalMaps(Map<Object, Object> left, Map<Object, Object> right) {
        if (left.size() != right.size()) {
            return false;
        }
        for (Map.Entry<Object, Object> entry : left.entrySet()) {
            Object other = find(right, entry.getKey());
            if (other == null || !equal(entry.getValue(), other)) {
                return false;
            }
        }
        return true;
    }

    /** The order of two values; fails, as Python does, where there is none. */
    int compare(Object left, Object right, String operator) {
        budget.step();
        String leftText = textOrNull(left);
        String rightText = textOrNull(right);
        if (leftText != null && rightText != null) {
            budget.chargeText(leftText.length());
            return JinjaText.compare(leftText, rightText);
        }
        Object leftNumber = JinjaArithmetic.numberOrNull(left);
        Object rightNumber = JinjaArithmetic.numberOrNull(right);
        if (leftNumber != null && rightNumber != null) {
            return JinjaArithmetic.compare(leftNumber, rightNumber);
        }
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        List<Object> leftItems = left instanceof Tuple tuple ? tuple.items() : null;
        List<Object> rightItems = right instanceof Tuple tuple ? tuple.items() : null;
        if (left instanceof List<?> leftList && right instanceof List<?> rightList) {
            leftItems = objects(leftList);
            rightItems = objects(rightList);
        }
        if (leftItems == null || rightItems == null) {
            throw JinjaException.of("'" + operator + "' not supported between instances of '" + typeName(left)
                    + "' and '" + typeName(right) + "'");
        }
        for (int i = 0; i < Math.min(leftItems.size(), rightItems.size()); i++) {
            if (!equal(leftItems.get(i), rightItems.get(i))) {
                return compare(leftItems.get(i), rightItems.get(i), operator);
            }
        }
        return Integer.compare(leftItems.size(), rightItems.size());
    }

    boolean contains(Object container, Object item) {
        String text = textOrNull(container);
        if (text != null) {
            String part = textOrNull(item);
            if (part == null) {
                if (item instanceof Undefined undefined) {
                    throw undefined.failure();
                }
                throw JinjaException.of("'in <string>' requires string as left operand, not " + typeName(item));
            }
            budget.chargeText(text.length());
            return text.contains(part);
        }
        if (container instanceof Map<?, ?> map) {
            return find(objects(map), item) != null;
        }
        Iterator<Object> items = iterate(container);
        while (items.hasNext()) {
            if (equal(items.next(), item)) {
                return true;
            }
        }
        return false;
    }

    /** The value of a key, or null. */
    @Nullable
    Object find(Map<Object, Object> map, Object key) {
        return map.get(existing(map, key(key)));
    }

    /** Sets the value of a key; a key that is equal already stays as it is. */
    void put(Map<Object, Object> map, Object key, Object value) {
        map.put(existing(map, key(key)), value);
    }

    /** The key under which a map holds a value: to Python, 1 and True are the same key. */
    private static Object existing(Map<Object, Object> map, Object key) {
        Object twin = switch (key) {
            case Boolean flag -> (Object) (flag ? 1L : 0L);
            case Long number -> number == 0 || number == 1 ? (Object) (number == 1) : key;
            default -> key;
        };
        return !map.containsKey(key) && map.containsKey(twin) ? twin : key;
    }

    /** A value as a key of a map; fails for what Python cannot hash. */
    Object key(Object value) {
        budget.step();
        return switch (value) {
            case Markup markup -> markup.text();
            case Tuple tuple -> tupleKey(tuple);
            case List<?> list -> throw JinjaException.of("unhashable type: 'list'");
            case Map<?, ?> map -> throw JinjaException.of("unhashable type: 'dict'");
            case Double number -> isSmallInteger(number) ? (Object) number.longValue() : number;
            default -> value;
        };
    }

    private Tuple tupleKey(Tuple tuple) {
        // Shared parts are copied for every place they stand in, which costs more than a step.
        budget.charge(10L + tuple.items().size());
        List<Object> keys = new ArrayList<>(tuple.items().size());
        for (Object item : tuple.items()) {
            keys.add(key(item));
        }
        return Tuple.of(keys);
    }

    private static boolean isSmallInteger(double number) {
        return number == Math.rint(number) && Math.abs(number) < 1L << 53;
    }

    /** The elements of an iterable, each charged as it is taken. */
    Iterator<Object> iterate(Object value) {
        List<Object> sequence = sequenceOrNull(value);
        if (sequence != null) {
            return charged(sequence.iterator());
        }
        String text = textOrNull(value);
        if (text != null) {
            boolean markup = value instanceof Markup;
            return charged(text.codePoints()
                    .mapToObj(Character::toString)
                    .map(c -> markup ? (Object) new Markup(c) : c)
                    .iterator());
        }
        return switch (value) {
            case Map<?, ?> map -> charged(objects(map).keySet().iterator());
            case JinjaValue.View view -> charged(view.items().iterator());
            case JinjaValue.Generator generator -> generator.iterator();
            case Undefined undefined -> List.<Object>of().iterator();
            default -> throw JinjaException.of("'" + typeName(value) + "' object is not iterable");
        };
    }

    private Iterator<Object> charged(Iterator<Object> items) {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return items.hasNext();
            }

            @Override
            public Object next() {
                budget.step();
                return items.next();
            }
        };
    }

    boolean iterable(Object value) {
        return switch (value) {
            case List<?> list -> true;
            case Map<?, ?> map -> true;
            case Tuple tuple -> true;
            case JinjaValue.View view -> true;
            case JinjaValue.Range range -> true;
            case JinjaValue.Generator generator -> true;
            case Undefined undefined -> true;
            default -> textOrNull(value) != null;
        };
    }

    List<Object> list(Object value) {
        List<Object> items = new ArrayList<>();
        iterate(value).forEachRemaining(items::add);
        return items;
    }

    /** The number of elements; fails for what has no len(). */
    long length(Object value) {
        Long length = lengthOrNull(value);
        if (length == null) {
            throw JinjaException.of("object of type '" + typeName(value) + "' has no len()");
        }
        return length;
    }

    @Nullable
    Long lengthOrNull(Object value) {
        String text = textOrNull(value);
        if (text != null) {
            return JinjaText.length(text);
        }
        return switch (value) {
            case List<?> list -> (long) list.size();
            case Map<?, ?> map -> (long) map.size();
            case Tuple tuple -> (long) tuple.items().size();
            case JinjaValue.View view -> (long) view.items().size();
            case JinjaValue.Range range -> range.size();
            case JinjaValue.Loop loop -> loop.state().length();
            case Undefined undefined -> 0L;
            default -> null;
        };
    }

    /** A value as str() and an output tag show it. */
    String text(Object value) {
        String text = textOrNull(value);
        if (text != null) {
            return text;
        }
        return value instanceof Undefined ? "" : repr(value);
    }

    /** A value as repr() shows it. */
    String repr(Object value) {
        return new JinjaRepr(budget).repr(value);
    }
}
