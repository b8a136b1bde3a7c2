package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The metadata of a GGUF file by key, read as the types that the reader expects; immutable. A key that is missing or of
 * another type ends in a {@link LayercakeException} (bad model) that names the file, the key and what it holds.
 */
public final class GgufMetadata {
    private static final long NO_TOKEN_UNSIGNED = 0xFFFFFFFFL;

    private final Path path;
    private final Map<String, GgufValue> values;

    GgufMetadata(Path path, Map<String, GgufValue> values) {
        this.path = path;
        this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /** Keys in the order of the file. */
    public Set<String> keys() {
        return values.keySet();
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** True if the key is there and holds an array. */
    public boolean isArray(String key) {
        GgufValue value = values.get(key);
        return value != null && value.type() == GgufType.ARRAY;
    }

    /** The value of any type, empty if the key is missing. */
    public Optional<GgufValue> find(String key) {
        return Optional.ofNullable(values.get(key));
    }

    public String string(String key) {
        GgufValue value = value(key);
        if (value.content() instanceof String string) {
            return string;
        }
        throw wrongType(key, value, "a string");
    }

    /** The string, or {@code fallback} if the key is missing; a key of another type is still refused. */
    public String string(String key, String fallback) {
        return has(key) ? string(key) : fallback;
    }

    /** A whole number of any integer type. */
    public long longValue(String key) {
        GgufValue value = value(key);
        if (!value.type().integer()) {
            throw wrongType(key, value, "a whole number");
        }
        return whole(key, value, 0, Long.MIN_VALUE, Long.MAX_VALUE);
    }

    /** The number of a token; none if the key is missing or says "none", which files write as -1, also in an unsigned type. */
    public OptionalLong token(String key) {
        if (!has(key)) {
            return OptionalLong.empty();
        }
        long token = longValue(key);
        return token == -1 || token == NO_TOKEN_UNSIGNED ? OptionalLong.empty() : OptionalLong.of(token);
    }

    /** A whole number of any integer type that fits in an int. */
    public int intValue(String key) {
        GgufValue value = value(key);
        if (!value.type().integer()) {
            throw wrongType(key, value, "a whole number");
        }
        return (int) whole(key, value, 0, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    public int intValue(String key, int fallback) {
        return has(key) ? intValue(key) : fallback;
    }

    /** A FLOAT32, or a FLOAT64 rounded to float32. */
    public float floatValue(String key) {
        GgufValue value = value(key);
        if (value.content() instanceof Double number) {
            return number.floatValue();
        }
        throw wrongType(key, value, "a fraction");
    }

    public float floatValue(String key, float fallback) {
        return has(key) ? floatValue(key) : fallback;
    }

    public boolean bool(String key) {
        GgufValue value = value(key);
        if (value.content() instanceof Boolean truth) {
            return truth;
        }
        throw wrongType(key, value, "true or false");
    }

    public boolean bool(String key, boolean fallback) {
        return has(key) ? bool(key) : fallback;
    }

    /** An array of strings; unmodifiable. */
    public GgufStrings strings(String key) {
        GgufValue value = value(key);
        if (value.content() instanceof GgufStrings strings) {
            return strings;
        }
        throw wrongType(key, value, "an array of strings");
    }

    /** A copy of an array of FLOAT32, or of FLOAT64 rounded to float32. */
    public float[] floats(String key) {
        GgufValue value = value(key);
        return switch (value.content()) {
            case float[] floats -> floats.clone();
            case double[] doubles -> {
                float[] floats = new float[doubles.length];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = (float) doubles[i];
                }
                yield floats;
            }
            default -> throw wrongType(key, value, "an array of fractions");
        };
    }

    /** A copy of an array of any integer type, whose numbers must fit in ints. */
    public int[] ints(String key) {
        GgufValue value = value(key);
        if (value.type() != GgufType.ARRAY || !value.elementType().integer()) {
            throw wrongType(key, value, "an array of whole numbers");
        }
        if (value.elementType() == GgufType.INT32 && value.content() instanceof int[] exact) {
            return exact.clone();
        }
        int[] ints = new int[value.length()];
        for (int i = 0; i < ints.length; i++) {
            ints[i] = (int) whole(key, value, i, Integer.MIN_VALUE, Integer.MAX_VALUE);
        }
        return ints;
    }

    /** A copy of an array of BOOL. */
    public boolean[] bools(String key) {
        GgufValue value = value(key);
        if (value.type() != GgufType.ARRAY || value.elementType() != GgufType.BOOL) {
            throw wrongType(key, value, "an array of true and false");
        }
        boolean[] bools = new boolean[value.length()];
        for (int i = 0; i < bools.length; i++) {
            bools[i] = value.wholeAt(i) != 0;
        }
        return bools;
    }

    private GgufValue value(String key) {
        GgufValue value = values.get(key);
        if (value == null) {
            throw LayercakeException.badModel(path + ": the metadata lack the key " + Quote.of(key)
                    + "; convert the model again with a newer converter");
        }
        return value;
    }

    private long whole(String key, GgufValue value, int index, long least, long most) {
        long whole = value.wholeAt(index);
        if (!value.fitsLong(index) || whole < least || whole > most) {
            throw LayercakeException.badModel(path + ": the metadata key " + Quote.of(key) + " holds "
                    + (value.fitsLong(index) ? Long.toString(whole) : Long.toUnsignedString(whole))
                    + ", which is out of range; the file is damaged, download or convert it again");
        }
        return whole;
    }

    private LayercakeException wrongType(String key, GgufValue value, String expected) {
        return LayercakeException.badModel(path + ": the metadata key " + Quote.of(key) + " holds " + value.kind()
                + " where " + expected + " is expected; convert the model again with a newer converter");
    }
}
