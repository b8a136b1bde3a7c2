package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A GGUF file of version 3 to be: first metadata and tensors are announced, then {@link #write} makes the file. */
public final class GgufWriter {
    private static final int VERSION = 3;

    private record Entry(TensorInfo info, DType dtype, TensorContent content) {}

    private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /**
     * Adds a metadata entry, or replaces it. The key {@code general.alignment}, a UINT32, sets the alignment.
     *
     * @throws IllegalArgumentException if an alignment is no power of two
     */
    public GgufWriter metadata(String key, GgufValue value) {
        if (key.equals(GgufHeader.ALIGNMENT_KEY) && !GgufHeader.isAlignment(value)) {
            throw new IllegalArgumentException("an alignment of " + value);
        }
        metadata.put(key, value);
        return this;
    }

    /**
     * Announces a tensor.
     *
     * @param content passes on exactly the bytes that type and shape ask for
     * @param shape outermost first, at most 4 dimensions; the last is a whole number of blocks
     * @throws IllegalArgumentException if the name is taken or the shape does not fit
     */
    public GgufWriter add(String name, DType dtype, TensorContent content, long... shape) {
        if (shape.length > 4) {
            throw new IllegalArgumentException("GGUF tensors have at most 4 dimensions, not " + shape.length);
        }
        List<Long> dimensions = Arrays.stream(shape).boxed().toList();
        TensorInfo shaped = new TensorInfo(name, dtype.name(), Optional.of(dtype), dimensions, 0);
        long bytes = Math.multiplyExact(shaped.rows(), dtype.rowBytes(shaped.columns()));
        TensorInfo info = new TensorInfo(name, dtype.name(), Optional.of(dtype), dimensions, bytes);
        if (entries.putIfAbsent(name, new Entry(info, dtype, content)) != null) {
            throw new IllegalArgumentException("the name " + name + " is taken");
        }
        return this;
    }

    /** Announces a matrix, [rows x columns]. */
    public GgufWriter add(String name, Tensor tensor) {
        return add(name, tensor.dtype(), TensorContent.of(tensor), tensor.rows(), tensor.columns());
    }

    /**
     * Writes the file; it appears only when it is complete.
     *
     * @throws LayercakeException (bad input) if it cannot be written; nothing is left of it then
     */
    public void write(Path path) {
        GgufValue value = metadata.get(GgufHeader.ALIGNMENT_KEY);
        int alignment = value == null ? GgufHeader.DEFAULT_ALIGNMENT : Math.toIntExact(value.wholeAt(0));
        byte[] header = header(alignment);
        NewFile.write(path, file -> {
            file.append(ByteBuffer.wrap(header));
            for (Entry entry : entries.values()) {
                file.pad(alignment);
                file.append(entry.info(), entry.content());
            }
            file.pad(alignment);
        });
    }

    private byte[] header(int alignment) {
        Output out = new Output();
        out.bytes(GgufHeader.MAGIC.getBytes(StandardCharsets.US_ASCII));
        out.number(VERSION, Integer.BYTES);
        out.number(entries.size(), Long.BYTES);
        out.number(metadata.size(), Long.BYTES);
        metadata.forEach((key, value) -> {
            out.string(key);
            out.number(value.type().number(), Integer.BYTES);
            out.value(value);
        });
        long offset = 0;
        for (Entry entry : entries.values()) {
            out.string(entry.info().name());
            List<Long> shape = entry.info().shape();
            out.number(shape.size(), Integer.BYTES);
            for (long dimension : shape.reversed()) {
                out.number(dimension, Long.BYTES);
            }
            out.number(GgufTensorType.number(entry.dtype()), Integer.BYTES);
            out.number(offset, Long.BYTES);
            long end = Math.addExact(offset, entry.info().bytes());
            offset = Math.addExact(end, (alignment - end % alignment) % alignment);
        }
        return out.toByteArray();
    }

    /** Little-endian bytes in memory. */
    private static final class Output {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        byte[] toByteArray() {
            return out.toByteArray();
        }

        void bytes(byte[] bytes) {
            out.writeBytes(bytes);
        }

        void number(long number, int bytes) {
            for (int i = 0; i < bytes; i++) {
                out.write((int) (number >>> (8 * i)));
            }
        }

        void string(String string) {
            byte[] utf8 = string.getBytes(StandardCharsets.UTF_8);
            number(utf8.length, Long.BYTES);
            bytes(utf8);
        }

        void value(GgufValue value) {
            switch (value.type()) {
                case STRING -> string((String) value.content());
                case BOOL -> number((Boolean) value.content() ? 1 : 0, 1);
                case FLOAT32 -> number(Float.floatToRawIntBits(((Double) value.content()).floatValue()), Float.BYTES);
                case FLOAT64 -> number(Double.doubleToRawLongBits((Double) value.content()), Double.BYTES);
                case ARRAY -> {
                    number(value.elementType().number(), Integer.BYTES);
                    number(value.length(), Long.BYTES);
                    elements(value);
                }
                case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 ->
                    number(value.wholeAt(0), value.type().leastBytes());
            }
        }

        private void elements(GgufValue array) {
            switch (array.content()) {
                case byte[] bytes -> bytes(bytes);
                case float[] floats -> {
                    for (float number : floats) {
                        number(Float.floatToRawIntBits(number), Float.BYTES);
                    }
                }
                case double[] doubles -> {
                    for (double number : doubles) {
                        number(Double.doubleToRawLongBits(number), Double.BYTES);
                    }
                }
                case GgufStrings strings -> {
                    for (String string : strings) {
                        string(string);
                    }
                }
                case GgufValue[] arrays -> {
                    for (GgufValue inner : arrays) {
                        value(inner);
                    }
                }
                default -> {
                    for (int i = 0; i < array.length(); i++) {
                        number(array.wholeAt(i), array.elementType().leastBytes());
                    }
                }
            }
        }
    }
}
