package dev.layercake.model.format;

import org.jspecify.annotations.Nullable;

/** Types of GGUF metadata values (ggml-org/ggml, docs/gguf.md) */
public enum GgufType {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    STRING(8, 8),
    ARRAY(9, 12),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private static final GgufType[] ALL = values();

    private final int number;
    private final int leastBytes;

    GgufType(int number, int leastBytes) {
        this.number = number;
        this.leastBytes = leastBytes;
    }

    /** Bytes of the shortest value: the size of a number, the length field of a string or array. */
    int leastBytes() {
        return leastBytes;
    }

    /** The type's number in the file. */
    int number() {
        return number;
    }

    boolean integer() {
        return switch (this) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
        };
    }

    static @Nullable GgufType ofNumber(int number) {
        for (GgufType type : ALL) {
            if (type.number == number) {
                return type;
            }
        }
        return null;
    }
}
