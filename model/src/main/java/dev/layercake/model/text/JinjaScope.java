package dev.layercake.model.text;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The variables of a block; what is not here is looked for in the block around it. */
final class JinjaScope {
    private final @Nullable JinjaScope outer;
    private final Map<String, Object> variables = new HashMap<>();

    JinjaScope(@Nullable JinjaScope outer) {
        this.outer = outer;
    }

    @Nullable
    Object find(String name) {
        for (JinjaScope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return null;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }
}
