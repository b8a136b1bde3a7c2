package dev.layercake.kernels;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * Vector loops of one signature, one for each dtype. They are called through handles that are no constants to the
 * compiler, which makes a call that is never inlined: C2 compiles each loop on its own. Several loops in one compilation
 * pass C2's limit of nodes, after which it stops inlining and boxes every vector.
 */
final class LoopTable {
    private final Map<DType, MethodHandle> loops = new EnumMap<>(DType.class);

    /** @param names static methods of the class that looks up */
    LoopTable(MethodHandles.Lookup lookup, MethodType signature, Map<DType, String> names) {
        names.forEach((type, name) -> {
            try {
                loops.put(type, lookup.findStatic(lookup.lookupClass(), name, signature));
            } catch (ReflectiveOperationException e) {
                throw new LinkageError(name, e);
            }
        });
    }

    /** The loop of a dtype that was named at construction. */
    MethodHandle loop(DType type) {
        return Objects.requireNonNull(loops.get(type));
    }

    /** What a handle throws is what its method throws: nothing checked. */
    static RuntimeException unchecked(Throwable thrown) {
        return switch (thrown) {
            case RuntimeException exception -> exception;
            case Error error -> throw error;
            default -> new IllegalStateException(thrown);
        };
    }
}
