package dev.layercake.model.format;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One value of GGUF metadata with its type; immutable. Made by the factories here for writing, and by {@link GgufFile}
 * when reading, where {@link GgufMetadata} is the typed view of it.
 */
public final class GgufValue {
    private static final int MOST_SHOWN = 8;

    private final GgufType type;
    private final GgufType elementType;
    private final Object content;

    private GgufValue(GgufType type, GgufType elementType, Object content) {
        this.type = type;
        this.elementType = elementType;
        this.content = content;
    }

    /**
     * A single value.
     *
     * @param content Long for the integer types (the 64 bits of a UINT64), Double for fractions, Boolean or String
     */
    static GgufValue scalar(GgufType type, Object content) {
        return new GgufValue(type, type, content);
    }

    /**
     * An array.
     *
     * @param content a primitive array as wide as the type (bytes for BOOL), {@link GgufStrings} or, for nested arrays, GgufValue[];
     *     never changed afterwards
     */
    static GgufValue array(GgufType elementType, Object content) {
        return new GgufValue(GgufType.ARRAY, elementType, content);
    }

    public static GgufValue string(String value) {
        return scalar(GgufType.STRING, value);
    }

    public static GgufValue bool(boolean value) {
        return scalar(GgufType.BOOL, value);
    }

    public static GgufValue float32(float value) {
        return scalar(GgufType.FLOAT32, (double) value);
    }

    public static GgufValue float64(double value) {
        return scalar(GgufType.FLOAT64, value);
    }

    /**
     * A whole number of any integer type.
     *
     * @throws IllegalArgumentException if {@code type} is no integer type or {@code value} does not fit in it
     */
    public static GgufValue integer(GgufType type, long value) {
        boolean fits = switch (type) {
            case UINT8 -> value >= 0 && value <= 0xff;
            case INT8 -> value == (byte) value;
            case UINT16 -> value >= 0 && value <= 0xffff;
            case INT16 -> value == (short) value;
            case UINT32 -> value >= 0 && value <= 0xffff_ffffL;
            case INT32 -> value == (int) value;
            case UINT64 -> value >= 0;
            case INT64 -> true;
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
        };
        if (!fits) {
            throw new IllegalArgumentException(value + " as " + type);
        }
        return scalar(type, value);
    }

    /** A whole number of the type that most keys want. */
    public static GgufValue uint32(long value) {
        return integer(GgufType.UINT32, value);
    }

    public static GgufValue int32(int value) {
        return integer(GgufType.INT32, value);
    }

    public static GgufValue strings(List<String> values) {
        return array(GgufType.STRING, GgufStrings.of(values));
    }

    public static GgufValue floats(float... values) {
        return array(GgufType.FLOAT32, values.clone());
    }

    /** An array of INT32. */
    public static GgufValue ints(int... values) {
        return array(GgufType.INT32, values.clone());
    }

    public static GgufValue bools(boolean... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (values[i] ? 1 : 0);
        }
        return array(GgufType.BOOL, bytes);
    }

    /** An array of arrays. */
    public static GgufValue arrays(List<GgufValue> values) {
        if (values.stream().anyMatch(value -> value.type != GgufType.ARRAY)) {
            throw new IllegalArgumentException("an array of arrays holds only arrays");
        }
        return array(GgufType.ARRAY, values.toArray(GgufValue[]::new));
    }

    public GgufType type() {
        return type;
    }

    /** Type of an array's elements; of a single value its own type. */
    public GgufType elementType() {
        return elementType;
    }

    /** Elements of an array, 1 for a single value. */
    public int length() {
        return switch (content) {
            case byte[] bytes -> bytes.length;
            case short[] shorts -> shorts.length;
            case int[] ints -> ints.length;
            case long[] longs -> longs.length;
            case float[] floats -> floats.length;
            case double[] doubles -> doubles.length;
            case GgufStrings strings -> strings.size();
            case Object[] objects -> objects.length;
            default -> 1;
        };
    }

    Object content() {
        return content;
    }

    /** Element {@code index} of an integer array or BOOL array, or the single integer; the 64 bits of a UINT64. */
    long wholeAt(int index) {
        boolean signed = switch (elementType) {
            case INT8, INT16, INT32, INT64 -> true;
            default -> false;
        };
        return switch (content) {
            case byte[] bytes -> signed ? bytes[index] : bytes[index] & 0xff;
            case short[] shorts -> signed ? shorts[index] : shorts[index] & 0xffff;
            case int[] ints -> signed ? ints[index] : ints[index] & 0xffff_ffffL;
            case long[] longs -> longs[index];
            case Long single -> single;
            default -> throw new IllegalStateException(type + " of " + elementType + " holds no whole numbers");
        };
    }

    /** False for a UINT64 of 2^63 or more, which has no long. */
    boolean fitsLong(int index) {
        return elementType != GgufType.UINT64 || wholeAt(index) >= 0;
    }

    /** What it is, for messages: "an array of STRING", "UINT32". */
    String kind() {
        return type == GgufType.ARRAY ? "an array of " + elementType : type.toString();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof GgufValue value
                && type == value.type
                && elementType == value.elementType
                && Arrays.deepEquals(new Object[] {content}, new Object[] {value.content});
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(new Object[] {type, elementType, content});
    }

    /** The value as people read it; a long array is cut short. */
    @Override
    public String toString() {
        if (type != GgufType.ARRAY) {
            return type == GgufType.UINT64 ? Long.toUnsignedString(wholeAt(0)) : content.toString();
        }
        String shown = IntStream.range(0, Math.min(length(), MOST_SHOWN))
                .mapToObj(this::elementText)
                .collect(Collectors.joining(", ", "[", ""));
        return shown + (length() > MOST_SHOWN ? ", ... " + length() + " in all]" : "]");
    }

    private String elementText(int index) {
        return switch (content) {
            case float[] floats -> String.valueOf(floats[index]);
            case double[] doubles -> String.valueOf(doubles[index]);
            case GgufStrings strings -> strings.get(index);
            case Object[] objects -> objects[index].toString();
            default ->
                elementType == GgufType.BOOL
                        ? String.valueOf(wholeAt(index) != 0)
                        : elementType == GgufType.UINT64
                                ? Long.toUnsignedString(wholeAt(index))
                                : String.valueOf(wholeAt(index));
        };
    }
}
