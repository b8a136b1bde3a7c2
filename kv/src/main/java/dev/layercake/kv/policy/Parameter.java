package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.math.BigDecimal;
import java.util.List;

/**
 * A key that a policy's spec may set.
 *
 * @param key as written in a spec
 * @param kind of value
 * @param initial what holds if the key is not given; empty if then something else decides
 * @param least the smallest number allowed
 * @param most the largest number allowed
 * @param choices the words allowed, if the kind is {@link Kind#WORD}
 * @param meaning one line for a person
 */
public record Parameter(
        String key, Kind kind, String initial, double least, double most, List<String> choices, String meaning) {
    /** What a value looks like. */
    public enum Kind {
        WHOLE,
        REAL,
        WORD,
        /** The path of a file, which the policy cannot do without. */
        FILE
    }

    public Parameter {
        choices = List.copyOf(choices);
    }

    static Parameter whole(String key, String initial, long least, long most, String meaning) {
        return new Parameter(key, Kind.WHOLE, initial, least, most, List.of(), meaning);
    }

    static Parameter real(String key, String initial, double least, double most, String meaning) {
        return new Parameter(key, Kind.REAL, initial, least, most, List.of(), meaning);
    }

    static Parameter word(String key, String initial, List<String> choices, String meaning) {
        return new Parameter(key, Kind.WORD, initial, 0, 0, choices, meaning);
    }

    static Parameter file(String key, String meaning) {
        return new Parameter(key, Kind.FILE, "", 0, 0, List.of(), meaning);
    }

    /** What may be written, for a person: "a whole number from 1 to 1048576", "one of a, b". */
    public String range() {
        return switch (kind) {
            case WHOLE -> "a whole number from " + number(least) + " to " + number(most);
            case REAL -> "a number from " + number(least) + " to " + number(most);
            case WORD -> "one of " + String.join(", ", choices);
            case FILE -> "the path of a file";
        };
    }

    /**
     * The value in its canonical spelling.
     *
     * @throws LayercakeException bad input, with the range
     */
    String check(String policy, String value) {
        switch (kind) {
            case WHOLE -> {
                // 18 digits always fit in a long.
                if (value.matches("-?[0-9]{1,18}")) {
                    long whole = Long.parseLong(value);
                    if (whole >= least && whole <= most) {
                        return Long.toString(whole);
                    }
                }
            }
            case REAL -> {
                if (value.matches("-?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]{1,3})?")) {
                    double real = Double.parseDouble(value);
                    if (real >= least && real <= most) {
                        return number(real);
                    }
                }
            }
            case WORD -> {
                if (choices.contains(value)) {
                    return value;
                }
            }
            case FILE -> {
                if (!value.isBlank() && value.chars().noneMatch(Character::isISOControl)) {
                    return value;
                }
            }
        }
        throw LayercakeException.badInput(
                "Policy " + policy + ": " + key + "=" + value + " is not possible; it must be " + range() + ".");
    }

    /** The shortest spelling that reads back as the same number: 200, 0.4, 1.5. */
    static String number(double value) {
        if (value == 0) {
            return "0";
        }
        return new BigDecimal(Double.toString(value)).stripTrailingZeros().toPlainString();
    }
}
