package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Copies what a caller passes in into values of the template language, so that no other Java object gets there. */
final class JinjaInput {
    private static final int MAX_DEPTH = 500;

    private JinjaInput() {}

    /** The value of a variable; strings, booleans, numbers, null, lists and maps of these are accepted. */
    static Object value(String variable, @Nullable Object value) {
        return value(variable, value, 0);
    }

    private static Object value(String variable, @Nullable Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw LayercakeException.badInput(
                    "the chat template variable '" + variable + "' nests deeper than " + MAX_DEPTH + " levels");
        }
        return switch (value) {
            case null -> JinjaValue.NONE;
            case String text -> text;
            case Boolean flag -> flag;
            case Long number -> number;
            case Double number -> number;
            case Float number -> number.doubleValue();
            case Integer number -> number.longValue();
            case Short number -> number.longValue();
            case Byte number -> number.longValue();
            case BigInteger number -> number.bitLength() < Long.SIZE ? (Object) number.longValue() : number;
            case BigDecimal number -> number.doubleValue();
            case Map<?, ?> map -> map(variable, map, depth);
            case Iterable<?> items -> {
                List<Object> list = new ArrayList<>();
                for (Object item : items) {
                    list.add(value(variable, item, depth + 1));
                }
                yield list;
            }
            default ->
                throw LayercakeException.badInput("the chat template variable '" + variable + "' holds a "
                        + value.getClass().getName() + "; only text, numbers, booleans, lists and maps are possible");
        };
    }

    private static Map<Object, Object> map(String variable, Map<?, ?> source, int depth) {
        Map<Object, Object> map = new LinkedHashMap<>();
        source.forEach((key, item) -> {
            Object name = value(variable, key, depth + 1);
            if (name instanceof List<?> || name instanceof Map<?, ?>) {
                throw LayercakeException.badInput(
                        "the chat template variable '" + variable + "' has a map whose key is a list or a map");
            }
            map.put(name, value(variable, item, depth + 1));
        });
        return map;
    }
}
