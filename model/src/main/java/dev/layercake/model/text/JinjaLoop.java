package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The progress of a for block; it looks ahead only as far as a template asks, since the elements may be computed. */
final class JinjaLoop {
    private final JinjaOperations operations;
    private final Iterator<Object> source;
    private final Deque<Object> ahead = new ArrayDeque<>();
    private final int depth;
    private final JinjaValue.@Nullable Body recursion;
    private long taken;
    private Object previous = new Undefined("there is no previous item");
    private @Nullable Object current;
    private @Nullable List<Object> lastChanged;

    /**
     * @param depth how many loops of a recursive for block are around this one
     * @param recursion what calling the loop does; null if the block is not recursive
     */
    JinjaLoop(JinjaOperations operations, Iterator<Object> source, int depth, JinjaValue.@Nullable Body recursion) {
        this.operations = operations;
        this.source = source;
        this.depth = depth;
        this.recursion = recursion;
    }

    boolean hasNext() {
        return !ahead.isEmpty() || source.hasNext();
    }

    Object next() {
        if (current != null) {
            previous = current;
        }
        current = ahead.isEmpty() ? source.next() : ahead.remove();
        taken++;
        return current;
    }

    long index() {
        return taken;
    }

    long length() {
        source.forEachRemaining(ahead::add);
        return taken + ahead.size();
    }

    private Object peek() {
        if (!hasNext()) {
            return new Undefined("there is no next item");
        }
        if (ahead.isEmpty()) {
            ahead.add(source.next());
        }
        return ahead.element();
    }

    @Nullable
    Object attribute(String name) {
        return switch (name) {
            case "index" -> taken;
            case "index0" -> taken - 1;
            case "revindex" -> length() - taken + 1;
            case "revindex0" -> length() - taken;
            case "first" -> taken == 1;
            case "last" -> !hasNext();
            case "length" -> length();
            case "depth" -> (long) depth + 1;
            case "depth0" -> (long) depth;
            case "previtem" -> previous;
            case "nextitem" -> peek();
            case "cycle" -> new JinjaValue.Function("cycle", this::cycle);
            case "changed" -> new JinjaValue.Function("changed", this::changed);
            default -> null;
        };
    }

    private Object cycle(JinjaArguments arguments) {
        List<Object> items = arguments.positional();
        if (items.isEmpty()) {
            throw JinjaException.of("no items for cycling given");
        }
        return items.get((int) ((taken - 1) % items.size()));
    }

    private Object changed(JinjaArguments arguments) {
        List<Object> values = arguments.positional();
        boolean same = lastChanged != null && operations.equal(lastChanged, values);
        lastChanged = values;
        return !same;
    }

    /** Calls the loop, which renders the block again for other elements. */
    Object recurse(JinjaArguments arguments) {
        if (recursion == null) {
            throw JinjaException.of("the loop is called, but its for block is not marked 'recursive'");
        }
        return recursion.call(arguments);
    }
}
