package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A tensor type of GGUF by its number in the file (ggml-org/ggml, {@code enum ggml_type}).
 *
 * @param dtype the type for the kernels, empty if they do not compute with it
 * @param elementBytes of a plain number that the kernels do not know, 0 for blocks
 */
record GgufTensorType(String name, Optional<DType> dtype, int elementBytes) {
    private static final Map<Integer, DType> COMPUTABLE = Map.ofEntries(
            Map.entry(0, DType.F32),
            Map.entry(1, DType.F16),
            Map.entry(2, DType.Q4_0),
            Map.entry(3, DType.Q4_1),
            Map.entry(6, DType.Q5_0),
            Map.entry(7, DType.Q5_1),
            Map.entry(8, DType.Q8_0),
            Map.entry(10, DType.Q2_K),
            Map.entry(11, DType.Q3_K),
            Map.entry(12, DType.Q4_K),
            Map.entry(13, DType.Q5_K),
            Map.entry(14, DType.Q6_K),
            Map.entry(20, DType.IQ4_NL),
            Map.entry(23, DType.IQ4_XS),
            Map.entry(30, DType.BF16),
            Map.entry(39, DType.MXFP4));

    private static final Map<Integer, String> BLOCKS = Map.ofEntries(
            Map.entry(9, "Q8_1"),
            Map.entry(15, "Q8_K"),
            Map.entry(16, "IQ2_XXS"),
            Map.entry(17, "IQ2_XS"),
            Map.entry(18, "IQ3_XXS"),
            Map.entry(19, "IQ1_S"),
            Map.entry(21, "IQ3_S"),
            Map.entry(22, "IQ2_S"),
            Map.entry(29, "IQ1_M"),
            Map.entry(34, "TQ1_0"),
            Map.entry(35, "TQ2_0"));

    private static final Map<Integer, GgufTensorType> NUMBERS = Map.of(
            24, new GgufTensorType("I8", Optional.empty(), 1),
            25, new GgufTensorType("I16", Optional.empty(), 2),
            26, new GgufTensorType("I32", Optional.empty(), 4),
            27, new GgufTensorType("I64", Optional.empty(), 8),
            28, new GgufTensorType("F64", Optional.empty(), 8));

    static GgufTensorType ofNumber(int number) {
        DType dtype = COMPUTABLE.get(number);
        if (dtype != null) {
            return new GgufTensorType(dtype.name(), Optional.of(dtype), 0);
        }
        GgufTensorType plain = NUMBERS.get(number);
        return plain != null
                ? plain
                : new GgufTensorType(
                        BLOCKS.getOrDefault(number, "number " + Integer.toUnsignedString(number)), Optional.empty(), 0);
    }

    /** The number of a type that the kernels compute with. */
    static int number(DType dtype) {
        return COMPUTABLE.entrySet().stream()
                .filter(entry -> entry.getValue() == dtype)
                .findFirst()
                .orElseThrow()
                .getKey();
    }

    /**
     * Bytes of a tensor, or null where the size of the type is not known here.
     *
     * @throws ArithmeticException if they do not fit in a long
     * @throws IllegalArgumentException if a row is no whole number of blocks
     */
    @Nullable
    Long bytes(long rows, long columns) {
        if (dtype.isPresent()) {
            return Math.multiplyExact(rows, dtype.get().rowBytes(columns));
        }
        return elementBytes == 0
                ? null
                : Long.valueOf(Math.multiplyExact(Math.multiplyExact(rows, columns), elementBytes));
    }
}
