package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * A Safetensors file to be: first all tensors are announced, then {@link #write} makes the file. Tensors lie in it by
 * falling element size, and else as they were added, so that all are aligned to their elements.
 */
public final class SafetensorsWriter {
    private static final int HEADER_ALIGNMENT = 8;
    private static final JsonFactory FACTORY = new JsonFactory();

    private record Entry(TensorInfo info, int elementBytes, TensorContent content) {}

    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    /** Adds one of the free strings of the header. */
    public SafetensorsWriter metadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /**
     * Announces a tensor.
     *
     * @param dtypeName one of the format's types of whole bytes: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL, ...
     * @param content passes on exactly the bytes that type and shape ask for
     * @param shape outermost first
     * @throws IllegalArgumentException if the name is taken or the type is not known
     */
    public SafetensorsWriter add(String name, String dtypeName, TensorContent content, long... shape) {
        Integer elementBytes = SafetensorsHeader.elementBytes(dtypeName);
        if (elementBytes == null) {
            throw new IllegalArgumentException("Safetensors has no type " + dtypeName);
        }
        List<Long> dimensions = Arrays.stream(shape).boxed().toList();
        long bytes = dimensions.stream().reduce((long) elementBytes, Math::multiplyExact);
        TensorInfo info = new TensorInfo(name, dtypeName, Optional.empty(), dimensions, bytes);
        if (name.equals(SafetensorsHeader.METADATA)
                || entries.putIfAbsent(name, new Entry(info, elementBytes, content)) != null) {
            throw new IllegalArgumentException("the name " + name + " is taken");
        }
        return this;
    }

    /** Announces a tensor of F32, F16 or BF16. */
    public SafetensorsWriter add(String name, DType dtype, TensorContent content, long... shape) {
        return add(name, dtype.name(), content, shape);
    }

    /** Announces a matrix, [rows x columns]. */
    public SafetensorsWriter add(String name, Tensor tensor) {
        return add(name, tensor.dtype(), TensorContent.of(tensor), tensor.rows(), tensor.columns());
    }

    /**
     * Writes the file; it appears only when it is complete.
     *
     * @throws LayercakeException (bad input) if it cannot be written; nothing is left of it then
     */
    public void write(Path path) {
        List<Entry> ordered = new ArrayList<>(entries.values());
        ordered.sort(Comparator.comparingInt((Entry entry) -> -entry.elementBytes()));
        byte[] header = header(ordered);
        NewFile.write(path, file -> {
            file.append(ByteBuffer.allocate(SafetensorsHeader.LENGTH_BYTES)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(0, header.length));
            file.append(ByteBuffer.wrap(header));
            for (Entry entry : ordered) {
                file.append(entry.info(), entry.content());
            }
        });
    }

    private byte[] header(List<Entry> ordered) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator json = FACTORY.createGenerator(ObjectWriteContext.empty(), out)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeName(SafetensorsHeader.METADATA);
                json.writeStartObject();
                metadata.forEach(json::writeStringProperty);
                json.writeEndObject();
            }
            long offset = 0;
            for (Entry entry : ordered) {
                TensorInfo info = entry.info();
                json.writeName(info.name());
                json.writeStartObject();
                json.writeStringProperty("dtype", info.dtypeName());
                writeNumbers(json, "shape", info.shape());
                writeNumbers(json, "data_offsets", List.of(offset, Math.addExact(offset, info.bytes())));
                json.writeEndObject();
                offset += info.bytes();
            }
            json.writeEndObject();
        }
        String padding = " ".repeat((HEADER_ALIGNMENT - out.size() % HEADER_ALIGNMENT) % HEADER_ALIGNMENT);
        out.writeBytes(padding.getBytes(StandardCharsets.US_ASCII));
        return out.toByteArray();
    }

    private static void writeNumbers(JsonGenerator json, String name, List<Long> numbers) {
        json.writeName(name);
        json.writeStartArray();
        for (long number : numbers) {
            json.writeNumber(number);
        }
        json.writeEndArray();
    }
}
