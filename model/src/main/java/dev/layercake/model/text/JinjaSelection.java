package dev.layercake.model.text;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The elements that a condition holds for, tried only when they are asked for. */
final class JinjaSelection implements Iterator<Object> {
    private final Iterator<Object> source;
    private final Predicate<Object> condition;
    private @Nullable Object found;

    JinjaSelection(Iterator<Object> source, Predicate<Object> condition) {
        this.source = source;
        this.condition = condition;
    }

    @Override
    public boolean hasNext() {
        while (found == null && source.hasNext()) {
            Object candidate = source.next();
            if (condition.test(candidate)) {
                found = candidate;
            }
        }
        return found != null;
    }

    @Override
    public Object next() {
        Object element = hasNext() ? found : null;
        if (element == null) {
            throw new NoSuchElementException();
        }
        found = null;
        return element;
    }
}
