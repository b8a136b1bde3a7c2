package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** JSON as model files hold it, read within limits: bounded nesting, no name twice in an object. */
final class Json {
    /** The limit that the Safetensors format itself sets for a header; also taken for the index of a sharded model. */
    static final int LARGEST_HEADER_BYTES = 100_000_000;

    private static final int DEEPEST_NESTING = 32;

    // Names are all different, so that a table of known names would only be something to attack.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(DEEPEST_NESTING)
                    .build())
            .build();

    private static final JsonMapper MAPPER = JsonMapper.builder(FACTORY).build();

    private Json() {}

    static JsonParser parser(byte[] json) {
        return FACTORY.createParser(ObjectReadContext.empty(), json);
    }

    /** Steps to the next token and refuses any other kind. */
    static void expect(JsonParser parser, JsonToken expected, Path path, String place) {
        JsonToken found = parser.nextToken();
        if (found != expected) {
            throw MappedFile.damaged(path, place + " has " + word(found) + " where " + word(expected) + " belongs");
        }
    }

    private static String word(JsonToken token) {
        return token == null
                ? "its end"
                : switch (token) {
                    case START_OBJECT -> "an object";
                    case END_OBJECT -> "the end of an object";
                    case START_ARRAY -> "a list";
                    case END_ARRAY -> "the end of a list";
                    case PROPERTY_NAME -> "a name";
                    case VALUE_STRING -> "a string";
                    case VALUE_NUMBER_INT -> "a whole number";
                    case VALUE_NUMBER_FLOAT -> "a fraction";
                    case VALUE_TRUE, VALUE_FALSE -> "a truth value";
                    case VALUE_NULL -> "null";
                    case NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT -> "something else";
                };
    }

    static LayercakeException invalid(Path path, String place, JacksonException e) {
        return LayercakeException.badModel(
                path + ": " + place + " is not valid JSON (" + Quote.of(e.getOriginalMessage())
                        + "); the file is damaged or not complete, download or convert it again",
                e);
    }

    /** The bytes of a small file; its size is checked before memory is taken for it. */
    static byte[] bytes(Path path, long largest) {
        MappedFile.requireRegularFile(path);
        try (var in = Files.newInputStream(path)) {
            byte[] bytes = in.readNBytes(Math.toIntExact(largest + 1));
            if (bytes.length > largest) {
                throw LayercakeException.badModel(path + " is larger than " + largest
                        + " bytes, so it is not the file that its name says; check it");
            }
            return bytes;
        } catch (IOException e) {
            throw MappedFile.unreadable(path, e);
        }
    }

    /** A whole small JSON file that holds one object, as all of those beside a model do. */
    static JsonNode object(Path path, long largestBytes) {
        try {
            JsonNode node = MAPPER.readTree(bytes(path, largestBytes));
            if (!node.isObject()) {
                throw MappedFile.damaged(path, "it is not a JSON object");
            }
            return node;
        } catch (JacksonException e) {
            throw invalid(path, "it", e);
        }
    }
}
