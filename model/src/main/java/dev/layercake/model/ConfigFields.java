package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;

/**
 * What a file says of a model, by key: each fact is read as the kind that it must be, and refused with its key and its value
 * if it is of another kind or beyond what any model has. A key that is missing, or null, takes its fallback.
 */
abstract class ConfigFields {
    abstract boolean has(String key);

    /** @throws LayercakeException (bad model) if the key holds anything else, or nothing */
    abstract long whole(String key);

    /** @throws LayercakeException (bad model) if the key holds anything else, or nothing */
    abstract double number(String key);

    /** @throws LayercakeException (bad model) if the key holds anything else, or nothing */
    abstract boolean flag(String key);

    /** @throws LayercakeException (bad model) if the key holds anything else, or nothing */
    abstract String text(String key);

    /** The sentence that refuses a value. */
    abstract LayercakeException refused(String key, String expected);

    /** A whole number that must be there. */
    final int integer(String key, int least, int most) {
        long value = whole(key);
        if (value < least || value > most) {
            throw refused(key, "a whole number from " + least + " to " + most);
        }
        return (int) value;
    }

    final int integer(String key, int fallback, int least, int most) {
        return has(key) ? integer(key, least, most) : fallback;
    }

    /** A number that must be there. */
    final double number(String key, double least, double most) {
        double value = number(key);
        if (!(value >= least && value <= most)) {
            throw refused(key, "a number from " + shown(least) + " to " + shown(most));
        }
        return value;
    }

    final double number(String key, double fallback, double least, double most) {
        return has(key) ? number(key, least, most) : fallback;
    }

    /** A number that is either zero, which switches something off, or within a range. */
    final double numberOrZero(String key, double fallback, double least, double most) {
        if (!has(key)) {
            return fallback;
        }
        double value = number(key);
        if (value != 0 && !(value >= least && value <= most)) {
            throw refused(key, "0 or a number from " + shown(least) + " to " + shown(most));
        }
        return value;
    }

    final boolean flag(String key, boolean fallback) {
        return has(key) ? flag(key) : fallback;
    }

    final String text(String key, String fallback) {
        return has(key) ? text(key) : fallback;
    }

    private static String shown(double bound) {
        return bound == Math.rint(bound) && Math.abs(bound) < 1e9
                ? Long.toString((long) bound)
                : Double.toString(bound);
    }
}
