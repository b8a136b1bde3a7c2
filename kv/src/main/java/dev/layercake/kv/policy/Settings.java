package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** The checked values of a policy's parameters, in the registry's order, defaults filled in. */
final class Settings {
    private final String policy;
    private final List<String> keys;
    private final SequencedMap<String, String> values = new LinkedHashMap<>();

    /**
     * @throws LayercakeException bad input, for a key that the policy does not have or a value out of range
     */
    Settings(String policy, List<Parameter> parameters, Map<String, String> given) {
        this.policy = policy;
        this.keys = parameters.stream().map(Parameter::key).toList();
        for (String key : given.keySet()) {
            if (!keys.contains(key)) {
                throw LayercakeException.badInput("Policy " + policy + " has no " + key + "; "
                        + (keys.isEmpty()
                                ? "it takes no settings."
                                : "did you mean " + Nearest.of(key, keys) + "? It takes " + String.join(", ", keys)
                                        + "."));
            }
        }
        for (Parameter parameter : parameters) {
            String value = given.get(parameter.key());
            if (value != null) {
                values.put(parameter.key(), parameter.check(policy, value));
            } else if (!parameter.initial().isEmpty()) {
                values.put(parameter.key(), parameter.initial());
            }
        }
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    String word(String key) {
        String value = values.get(key);
        if (value == null) {
            throw new IllegalArgumentException("policy " + policy + " has no value for " + key);
        }
        return value;
    }

    /**
     * A file that the policy cannot do without.
     *
     * @param hint how to come by one
     */
    Path file(String key, String hint) {
        if (!has(key)) {
            throw refused("it needs a file; write " + policy + "(" + key + "=FILE). " + hint);
        }
        try {
            return Path.of(word(key));
        } catch (InvalidPathException e) {
            throw LayercakeException.badInput(
                    "Policy " + policy + ": " + key + "=" + word(key)
                            + " is not a path on this system; give the path of a file.",
                    e);
        }
    }

    int whole(String key) {
        return Math.toIntExact(wholeLong(key));
    }

    long wholeLong(String key) {
        return Long.parseLong(word(key));
    }

    double real(String key) {
        return Double.parseDouble(word(key));
    }

    boolean flag(String key) {
        return word(key).equals("true");
    }

    /** Replaces a value in the canonical spec. */
    void put(String key, String value) {
        values.put(key, value);
    }

    void remove(String key) {
        values.remove(key);
    }

    /** The error for settings that are possible one by one but not together. */
    LayercakeException refused(String why) {
        return LayercakeException.badInput("Policy " + policy + ": " + why);
    }

    /** The budget, at least as large as what is kept anyway. */
    int budgetOver(String reservedKey, int atLeastMore) {
        int budget = whole("budget");
        int reserved = whole(reservedKey);
        if (budget < reserved + atLeastMore) {
            throw LayercakeException.badInput("Policy " + policy + ": budget=" + budget + " does not hold "
                    + reservedKey
                    + "=" + reserved + "; the budget counts them too, so make it at least " + (reserved + atLeastMore)
                    + " or lower " + reservedKey + ".");
        }
        return budget;
    }

    /** The window, if the budget holds it beside what {@code reservedKey} reserves. */
    int windowBeside(String reservedKey) {
        int window = whole("window");
        int reserved = whole(reservedKey);
        if (whole("budget") < window + reserved) {
            throw refused("budget=" + whole("budget") + " does not hold " + reservedKey + "=" + reserved
                    + " and window=" + window + "; make it at least " + (window + reserved) + ".");
        }
        return window;
    }

    /** The canonical spec. */
    String spec() {
        SequencedMap<String, String> inOrder = new LinkedHashMap<>();
        for (String key : keys) {
            if (values.containsKey(key)) {
                inOrder.put(key, word(key));
            }
        }
        return new PolicySpec(policy, inOrder).toString();
    }
}
