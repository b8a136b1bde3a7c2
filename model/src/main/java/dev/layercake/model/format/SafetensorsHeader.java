package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The header of one Safetensors file, checked: 8 bytes of little-endian length, then a JSON object that gives each tensor
 * its type, shape and place behind the header (huggingface/safetensors, "Format").
 *
 * @param tensors in the order of the header
 * @param metadata the free strings under {@code __metadata__}
 */
record SafetensorsHeader(Map<String, Placed> tensors, Map<String, String> metadata) {
    static final int LENGTH_BYTES = 8;
    static final String METADATA = "__metadata__";

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int MOST_DIMENSIONS = 8;

    private static final Pattern DTYPE_NAME = Pattern.compile("[A-Za-z0-9_]{1,32}");

    /** Bytes per element of the types whose size is a whole number of bytes, by the format's name. */
    private static final Map<String, Integer> ELEMENT_BYTES = Map.ofEntries(
            Map.entry("F64", 8),
            Map.entry("I64", 8),
            Map.entry("U64", 8),
            Map.entry("C64", 8),
            Map.entry("F32", 4),
            Map.entry("I32", 4),
            Map.entry("U32", 4),
            Map.entry("F16", 2),
            Map.entry("BF16", 2),
            Map.entry("I16", 2),
            Map.entry("U16", 2),
            Map.entry("I8", 1),
            Map.entry("U8", 1),
            Map.entry("BOOL", 1),
            Map.entry("F8_E4M3", 1),
            Map.entry("F8_E5M2", 1),
            Map.entry("F8_E8M0", 1));

    static SafetensorsHeader read(MappedFile file) {
        if (file.size() < LENGTH_BYTES) {
            throw file.damaged("it has " + file.size() + " bytes, too few for the length of a Safetensors header");
        }
        long length = file.bytes().get(LONG, 0);
        if (length < 2 || !file.contains(LENGTH_BYTES, length)) {
            throw file.damaged("its first 8 bytes say that the header has " + Long.toUnsignedString(length)
                    + " bytes, but the file has " + file.size());
        }
        if (length > Json.LARGEST_HEADER_BYTES) {
            throw file.damaged("its header has " + length + " bytes, more than the " + Json.LARGEST_HEADER_BYTES
                    + " that the format allows");
        }
        MemorySegment json = file.bytes().asSlice(LENGTH_BYTES, length);
        if (json.get(ValueLayout.JAVA_BYTE, 0) != '{') {
            throw file.damaged("its header does not begin with {");
        }
        try (JsonParser parser = Json.parser(json.toArray(ValueLayout.JAVA_BYTE))) {
            return new Parsing(file, parser, LENGTH_BYTES + length).header();
        } catch (JacksonException e) {
            throw Json.invalid(file.path(), "its header", e);
        }
    }

    static @Nullable Integer elementBytes(String dtypeName) {
        return ELEMENT_BYTES.get(dtypeName);
    }

    /** One pass over the JSON. */
    private record Parsing(MappedFile file, JsonParser parser, long dataOffset) {
        SafetensorsHeader header() {
            Map<String, Placed> tensors = new LinkedHashMap<>();
            Map<String, String> metadata = new LinkedHashMap<>();
            expect(JsonToken.START_OBJECT, "its header");
            for (String name = parser.nextName(); name != null; name = parser.nextName()) {
                if (name.equals(METADATA)) {
                    readMetadata(metadata);
                } else {
                    tensors.put(name, tensor(name));
                }
            }
            if (parser.nextToken() != null) {
                throw file.damaged("its header goes on after the JSON object");
            }
            Placed.refuseOverlaps(file, tensors.values());
            return new SafetensorsHeader(tensors, metadata);
        }

        private void readMetadata(Map<String, String> metadata) {
            expect(JsonToken.START_OBJECT, METADATA);
            for (String key = parser.nextName(); key != null; key = parser.nextName()) {
                expect(JsonToken.VALUE_STRING, METADATA + " " + Quote.of(key));
                metadata.put(key, parser.getString());
            }
        }

        private Placed tensor(String name) {
            String place = "tensor " + Quote.of(name);
            String dtypeName = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            expect(JsonToken.START_OBJECT, place);
            for (String key = parser.nextName(); key != null; key = parser.nextName()) {
                switch (key) {
                    case "dtype" -> {
                        expect(JsonToken.VALUE_STRING, place + ", dtype,");
                        dtypeName = parser.getString();
                    }
                    case "shape" -> shape = numbers(place + ", shape,", MOST_DIMENSIONS);
                    case "data_offsets" -> offsets = numbers(place + ", data_offsets,", 2);
                    default -> {
                        parser.nextToken();
                        parser.skipChildren();
                    }
                }
            }
            if (dtypeName == null || shape == null || offsets == null || offsets.size() != 2) {
                throw file.damaged(place + " lacks one of dtype, shape and two data_offsets");
            }
            return placed(place, name, dtypeName, shape, offsets.getFirst(), offsets.getLast());
        }

        private Placed placed(String place, String name, String dtypeName, List<Long> shape, long begin, long end) {
            if (end < begin || !file.contains(dataOffset, end) || !file.contains(dataOffset + begin, end - begin)) {
                throw file.damaged(place + " lies at bytes " + begin + " to " + end + " of the data, but the file has "
                        + (file.size() - dataOffset) + " of them");
            }
            if (!DTYPE_NAME.matcher(dtypeName).matches()) {
                throw file.damaged(place + " has type " + Quote.of(dtypeName) + ", which is not the name of a type");
            }
            Integer elementBytes = elementBytes(dtypeName);
            try {
                long elements = shape.contains(0L) ? 0 : 1;
                long extent = 1;
                for (long dimension : shape) {
                    elements = Math.multiplyExact(elements, dimension);
                    extent = Math.multiplyExact(extent, Math.max(dimension, 1));
                }
                long extentBytes = Math.multiplyExact(extent, elementBytes == null ? 1 : elementBytes);
                if (elementBytes != null && (elements == 0 ? 0 : extentBytes) != end - begin) {
                    throw file.damaged(place + " has type " + dtypeName + " and shape " + shape + " but "
                            + (end - begin) + " bytes");
                }
            } catch (ArithmeticException e) {
                throw file.damaged(place + " has shape " + shape + ", more than can be addressed");
            }
            TensorInfo info = new TensorInfo(name, dtypeName, computable(dtypeName), shape, end - begin);
            return new Placed(info, dataOffset + begin);
        }

        private static Optional<DType> computable(String dtypeName) {
            return switch (dtypeName) {
                case "F32" -> Optional.of(DType.F32);
                case "F16" -> Optional.of(DType.F16);
                case "BF16" -> Optional.of(DType.BF16);
                default -> Optional.empty();
            };
        }

        private List<Long> numbers(String place, int most) {
            List<Long> numbers = new ArrayList<>();
            expect(JsonToken.START_ARRAY, place);
            while (parser.nextToken() == JsonToken.VALUE_NUMBER_INT) {
                long number = parser.getLongValue();
                if (number < 0) {
                    throw file.damaged(place + " has the negative number " + number);
                }
                if (numbers.size() == most) {
                    throw file.damaged(place + " has more than " + most + " numbers");
                }
                numbers.add(number);
            }
            if (parser.currentToken() != JsonToken.END_ARRAY) {
                throw file.damaged(place + " is not a list of whole numbers");
            }
            return numbers;
        }

        private void expect(JsonToken token, String place) {
            Json.expect(parser, token, file.path(), place);
        }
    }
}
