package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything before the tensor data of a GGUF file, checked (ggml-org/ggml, docs/gguf.md): magic, version, counts,
 * metadata, and for each tensor its name, dimensions (innermost first), type and offset.
 *
 * @param tensors in the order of the file
 * @param alignment of every tensor, in bytes
 */
record GgufHeader(int version, GgufMetadata metadata, Map<String, Placed> tensors, int alignment) {
    static final String MAGIC = "GGUF";
    static final String ALIGNMENT_KEY = "general.alignment";
    static final int DEFAULT_ALIGNMENT = 32;

    private static final int MOST_DIMENSIONS = 4;
    private static final int LONGEST_KEY_BYTES = 65_535;
    private static final int LONGEST_TENSOR_NAME_BYTES = 1024;
    private static final int LARGEST_ALIGNMENT = 1 << 20;
    /** Key length, type, and a value of one byte. */
    private static final int LEAST_ENTRY_BYTES = 8 + 4 + 1;
    /** Name length, number of dimensions, type and offset. */
    private static final int LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8;

    /** What the file says of a tensor, before the data's beginning is known. */
    private record Described(
            String name, List<Long> shape, GgufTensorType type, long rows, long columns, long offset) {}

    static GgufHeader read(MappedFile file) {
        if (!file.startsWith(MAGIC)) {
            throw file.damaged("it does not begin with \"" + MAGIC + "\", so it is no GGUF file");
        }
        GgufCursor cursor = new GgufCursor(file, MAGIC.length());
        int version = cursor.int32("the version");
        if (version != 2 && version != 3) {
            throw LayercakeException.badModel(file.path() + ": it is GGUF of "
                    + (version != 0 && (version & 0xffff) == 0
                            ? "big-endian byte order"
                            : "version " + Integer.toUnsignedString(version))
                    + "; Layercake reads versions 2 and 3, little-endian: convert the model again");
        }
        long tensorCount = cursor.count("the number of tensors", LEAST_TENSOR_BYTES);
        long entryCount = cursor.count("the number of metadata entries", LEAST_ENTRY_BYTES);
        Map<String, GgufValue> values = new LinkedHashMap<>();
        for (long i = 0; i < entryCount; i++) {
            String key = cursor.name("metadata key " + i, LONGEST_KEY_BYTES);
            if (values.put(key, cursor.value("metadata key " + Quote.of(key))) != null) {
                throw file.damaged("it has the metadata key " + Quote.of(key) + " twice");
            }
        }
        int alignment = alignment(file, values.get(ALIGNMENT_KEY));
        Map<String, Described> described = new LinkedHashMap<>();
        for (long i = 0; i < tensorCount; i++) {
            Described tensor = describe(file, cursor, i);
            if (described.put(tensor.name(), tensor) != null) {
                throw file.damaged("it has the tensor " + Quote.of(tensor.name()) + " twice");
            }
        }
        return new GgufHeader(
                version,
                new GgufMetadata(file.path(), values),
                place(file, described, cursor.position(), alignment),
                alignment);
    }

    private static int alignment(MappedFile file, @Nullable GgufValue value) {
        if (value == null) {
            return DEFAULT_ALIGNMENT;
        }
        if (isAlignment(value)) {
            return (int) value.wholeAt(0);
        }
        throw file.damaged(
                ALIGNMENT_KEY + " is " + value.kind() + " " + Quote.of(value.toString()) + ", not a power of two");
    }

    static boolean isAlignment(GgufValue value) {
        if (value.type() != GgufType.UINT32) {
            return false;
        }
        long alignment = value.wholeAt(0);
        return alignment <= LARGEST_ALIGNMENT && Long.bitCount(alignment) == 1;
    }

    private static Described describe(MappedFile file, GgufCursor cursor, long index) {
        String name = cursor.name("the name of tensor " + index, LONGEST_TENSOR_NAME_BYTES);
        String place = "tensor " + Quote.of(name);
        int dimensions = cursor.int32(place);
        if (dimensions < 0 || dimensions > MOST_DIMENSIONS) {
            throw file.damaged(place + " has " + Integer.toUnsignedString(dimensions) + " dimensions, more than "
                    + MOST_DIMENSIONS);
        }
        List<Long> shape = new ArrayList<>();
        long extent = 1;
        long rows = 1;
        for (int i = 0; i < dimensions; i++) {
            long dimension = cursor.int64(place);
            if (dimension < 0
                    || Math.multiplyHigh(extent, Math.max(dimension, 1)) != 0
                    || extent * Math.max(dimension, 1) < 0) {
                throw file.damaged(place + " has a dimension of " + Long.toUnsignedString(dimension)
                        + ", more than can be addressed");
            }
            extent *= Math.max(dimension, 1);
            rows *= i == 0 ? 1 : dimension;
            shape.add(dimension);
        }
        long columns = shape.isEmpty() ? 1 : shape.getFirst();
        Collections.reverse(shape);
        GgufTensorType type = GgufTensorType.ofNumber(cursor.int32(place));
        return new Described(name, shape, type, rows, columns, cursor.int64(place));
    }

    private static Map<String, Placed> place(
            MappedFile file, Map<String, Described> described, long headerEnd, int alignment) {
        long padding = (alignment - headerEnd % alignment) % alignment;
        // A file without tensors may end with its header, unpadded.
        long dataOffset = Math.min(file.size(), headerEnd + padding);
        long dataBytes = file.size() - dataOffset;
        long[] offsets = described.values().stream()
                .mapToLong(Described::offset)
                .sorted()
                .toArray();
        Map<String, Placed> placed = new LinkedHashMap<>();
        for (Described tensor : described.values()) {
            String place = "tensor " + Quote.of(tensor.name());
            if (tensor.offset() < 0 || tensor.offset() > dataBytes || tensor.offset() % alignment != 0) {
                throw file.damaged(place + " has the offset " + Long.toUnsignedString(tensor.offset())
                        + ", which is beyond the " + dataBytes + " bytes of data or no multiple of " + alignment);
            }
            long bytes = bytes(file, place, tensor, next(offsets, tensor.offset(), dataBytes));
            if (bytes > dataBytes - tensor.offset()) {
                throw file.damaged(place + " has " + bytes + " bytes at offset " + tensor.offset()
                        + ", but the data end at " + dataBytes);
            }
            TensorInfo info = new TensorInfo(
                    tensor.name(), tensor.type().name(), tensor.type().dtype(), tensor.shape(), bytes);
            placed.put(tensor.name(), new Placed(info, dataOffset + tensor.offset()));
        }
        Placed.refuseOverlaps(file, placed.values());
        return placed;
    }

    private static long bytes(MappedFile file, String place, Described tensor, long next) {
        try {
            // With a dimension of zero the others are not bounded by the file, but their product is checked.
            tensor.type().bytes(tensor.rows() == 0 ? 1 : tensor.rows(), tensor.columns());
            Long bytes = tensor.type().bytes(tensor.rows(), tensor.columns());
            return bytes == null ? Math.max(0, next - tensor.offset()) : bytes;
        } catch (ArithmeticException e) {
            throw file.damaged(place + " has shape " + tensor.shape() + ", more than can be addressed");
        } catch (IllegalArgumentException e) {
            throw file.damaged(place + " has shape " + tensor.shape() + ", whose rows are no whole number of "
                    + tensor.type().name() + " blocks");
        }
    }

    /** The smallest offset after {@code offset}, or the end of the data. */
    private static long next(long[] sortedOffsets, long offset, long end) {
        int low = 0;
        int high = sortedOffsets.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (sortedOffsets[middle] <= offset) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low < sortedOffsets.length ? Math.min(end, sortedOffsets[low]) : end;
    }
}
