package dev.layercake.model.text;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * A value of the template language that has no plain Java counterpart. The others are {@link String}, {@link Boolean},
 * {@link Long}, {@link java.math.BigInteger} (beyond a long), {@link Double}, {@link List} and {@link Map}; no other
 * Java object ever reaches a template.
 */
sealed interface JinjaValue {
    /** Python's None. */
    None NONE = None.NONE;

    /** The type of {@link #NONE}; a value of its own, so that collections hold no nulls. */
    enum None implements JinjaValue {
        NONE
    }

    /** A name, attribute or element that does not exist: prints as nothing, and complains when used further. */
    record Undefined(String complaint) implements JinjaValue {
        static Undefined name(String name) {
            return new Undefined("'" + name + "' is undefined");
        }

        JinjaException failure() {
            return JinjaException.of(complaint);
        }
    }

    /** A tuple; {@code names} name its elements where the tuple is a named one. */
    record Tuple(List<Object> items, List<String> names) implements JinjaValue {
        public Tuple {
            items = List.copyOf(items);
            names = List.copyOf(names);
        }

        static Tuple of(Object... items) {
            return new Tuple(List.of(items), List.of());
        }

        static Tuple of(List<Object> items) {
            return new Tuple(items, List.of());
        }
    }

    /** Text that counts as HTML already: what is joined to it is escaped, even where nothing else is. */
    record Markup(String text) implements JinjaValue {}

    /** An object whose attributes a template may set, made by {@code namespace()}. */
    record Namespace(Map<String, Object> attributes) implements JinjaValue {}

    /** The result of {@code dict.keys()}, {@code values()} or {@code items()}. */
    record View(String type, List<Object> items) implements JinjaValue {}

    /** The numbers from start to stop, excluding stop. */
    record Range(long start, long stop, long step) implements JinjaValue {
        long size() {
            if (step > 0) {
                return start >= stop ? 0 : (stop - start - 1) / step + 1;
            }
            return start <= stop ? 0 : (start - stop - 1) / -step + 1;
        }
    }

    /** Values that can be taken once, one after the other; neither sized nor indexable. */
    record Generator(Iterator<Object> iterator) implements JinjaValue {}

    /** Something that a template can call. */
    record Function(String name, Body body) implements JinjaValue {}

    /** The object {@code loop} of a for block. */
    record Loop(JinjaLoop state) implements JinjaValue {}

    /** Values handed out in turn, made by {@code cycler()}. */
    final class Cycler implements JinjaValue {
        private final List<Object> items;
        private int position;

        Cycler(List<Object> items) {
            this.items = List.copyOf(items);
        }

        Object current() {
            return items.get(position);
        }

        Object next() {
            Object item = current();
            position = (position + 1) % items.size();
            return item;
        }

        void reset() {
            position = 0;
        }
    }

    /** What a {@link Function} does. */
    @FunctionalInterface
    interface Body {
        Object call(JinjaArguments arguments);
    }
}
