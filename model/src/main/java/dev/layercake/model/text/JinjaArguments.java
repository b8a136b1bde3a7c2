package dev.layercake.model.text;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The evaluated arguments of a call, a filter or a test. */
record JinjaArguments(List<Object> positional, Map<String, Object> named) {
    static final JinjaArguments NONE = new JinjaArguments(List.of(), Map.of());

    static JinjaArguments of(Object... positional) {
        return new JinjaArguments(List.of(positional), Map.of());
    }

    /**
     * The arguments in the order of the parameters' names.
     *
     * @param function what is called, for the message
     * @param required how many of the parameters must be given
     */
    Bound bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw JinjaException.of(
                    function + " takes at most " + parameters.length + " argument(s), not " + positional.size());
        }
        @Nullable Object[] values = new @Nullable Object[parameters.length];
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        List<String> names = Arrays.asList(parameters);
        named.forEach((name, value) -> {
            int index = names.indexOf(name);
            if (index < 0) {
                throw JinjaException.of(function + " got an unexpected keyword argument '" + name + "'");
            }
            if (index < positional.size()) {
                throw JinjaException.of(function + " got multiple values for argument '" + name + "'");
            }
            values[index] = value;
        });
        for (int i = 0; i < required; i++) {
            if (values[i] == null) {
                throw JinjaException.of(function + " misses the argument '" + parameters[i] + "'");
            }
        }
        return new Bound(function, values);
    }

    /** The arguments without the first positional ones. */
    JinjaArguments dropFirst(int count) {
        return new JinjaArguments(positional.subList(count, positional.size()), named);
    }

    /** Arguments by the position of their parameter; those not given are null. */
    static final class Bound {
        private final String function;
        private final @Nullable Object[] values;

        private Bound(String function, @Nullable Object[] values) {
            this.function = function;
            this.values = values;
        }

        @Nullable
        Object get(int index) {
            return values[index];
        }

        boolean given(int index) {
            Object value = values[index];
            return value != null && value != JinjaValue.NONE;
        }

        Object get(int index, Object otherwise) {
            Object value = values[index];
            return value == null ? otherwise : value;
        }

        Object required(int index) {
            Object value = values[index];
            if (value == null) {
                throw JinjaException.of(function + " misses an argument");
            }
            return value;
        }

        String text(int index) {
            String text = JinjaOperations.textOrNull(required(index));
            if (text == null) {
                throw JinjaException.of(function + " needs a str, not " + JinjaOperations.typeName(required(index)));
            }
            return text;
        }

        String text(int index, String otherwise) {
            return given(index) ? text(index) : otherwise;
        }

        boolean truth(int index) {
            Object value = values[index];
            return value != null && JinjaOperations.truth(value);
        }

        long integer(int index, long otherwise) {
            Object value = values[index];
            if (value == null || value == JinjaValue.NONE) {
                return otherwise;
            }
            if (value instanceof Boolean flag) {
                return flag ? 1 : 0;
            }
            if (value instanceof Long number) {
                return number;
            }
            throw JinjaException.of(function + " needs an int, not " + JinjaOperations.typeName(value));
        }
    }
}
