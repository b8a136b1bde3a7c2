package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/**
 * What a tokenizer.json says that the native library does not tell: the pieces and their numbers, the added tokens, and how
 * pieces become text again. Read in one pass; merges are skipped.
 */
final class TokenizerFile {
    /** Numbers beyond both this and the file's length cannot be a vocabulary's, and would only cost memory. */
    private static final int PLAUSIBLE_TOKENS = 1 << 20;

    // Sections are read out of the middle of the file, so that tokens do follow.
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final int idLimit;
    private final Map<String, Integer> idOfPiece = new HashMap<>();
    private @Nullable String[] pieceOfId = new @Nullable String[1024];
    private int size;
    private final List<AddedToken> addedTokens = new ArrayList<>();
    private PieceDecoder decoder = new PieceDecoder.ByteLevel();

    private TokenizerFile(int jsonLength) {
        idLimit = Math.max(PLAUSIBLE_TOKENS, jsonLength);
    }

    static TokenizerFile parse(byte[] json) {
        TokenizerFile file = new TokenizerFile(json.length);
        try (JsonParser parser = MAPPER.createParser(json)) {
            file.readTopLevel(parser);
        } catch (JacksonException e) {
            throw LayercakeException.badModel(
                    "tokenizer.json is not valid JSON: " + e.getOriginalMessage() + "; download the file again.", e);
        }
        return file;
    }

    /** One more than the highest number. */
    int size() {
        return size;
    }

    /** Pieces by number; null where a number is not used. */
    @Nullable
    String[] pieces() {
        return Arrays.copyOf(pieceOfId, size);
    }

    Map<String, Integer> idOfPiece() {
        return idOfPiece;
    }

    List<AddedToken> addedTokens() {
        return List.copyOf(addedTokens);
    }

    PieceDecoder decoder() {
        return decoder;
    }

    private void readTopLevel(JsonParser parser) {
        require(parser.nextToken() == JsonToken.START_OBJECT, "is not a JSON object");
        boolean modelSeen = false;
        JsonNode decoderNode = MissingNode.getInstance();
        JsonNode addedNode = MissingNode.getInstance();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            switch (name) {
                case "model" -> {
                    readModel(parser);
                    modelSeen = true;
                }
                case "decoder" -> decoderNode = MAPPER.readTree(parser);
                case "added_tokens" -> addedNode = MAPPER.readTree(parser);
                default -> parser.skipChildren();
            }
        }
        require(modelSeen, "has no \"model\"");
        // After the model: an added token's content replaces the vocabulary's.
        for (JsonNode node : addedNode) {
            readAdded(node);
        }
        decoder = DecoderSection.parse(decoderNode);
    }

    private void readModel(JsonParser parser) {
        require(parser.currentToken() == JsonToken.START_OBJECT, "has a \"model\" that is not an object");
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (name.equals("vocab") && value == JsonToken.START_OBJECT) {
                while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                    String piece = parser.currentName();
                    require(parser.nextToken() == JsonToken.VALUE_NUMBER_INT, "has a piece without a number");
                    add(parser.getIntValue(), piece);
                }
            } else if (name.equals("vocab") && value == JsonToken.START_ARRAY) {
                for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
                    require(parser.nextToken() == JsonToken.VALUE_STRING, "has a piece that is not a string");
                    add(id, parser.getString());
                    while (parser.nextToken() != JsonToken.END_ARRAY) {
                        require(parser.currentToken() != null, "ends inside the vocabulary");
                    }
                }
            } else {
                parser.skipChildren();
            }
        }
    }

    private void readAdded(JsonNode node) {
        String content = node.path("content").asString("");
        require(!content.isEmpty() && node.path("id").isInt(), "has an added token without content or id");
        int id = node.path("id").intValue();
        add(id, content);
        addedTokens.add(new AddedToken(
                id,
                content,
                node.path("special").asBoolean(false),
                node.path("lstrip").asBoolean(false),
                node.path("rstrip").asBoolean(false)));
    }

    private void add(int id, String piece) {
        require(id >= 0 && id < idLimit, "gives a piece the number " + id);
        if (id >= pieceOfId.length) {
            pieceOfId = Arrays.copyOf(pieceOfId, Math.max(id + 1, pieceOfId.length * 2));
        }
        pieceOfId[id] = piece;
        idOfPiece.put(piece, id);
        size = Math.max(size, id + 1);
    }

    private static void require(boolean holds, String complaint) {
        if (!holds) {
            throw LayercakeException.badModel("tokenizer.json " + complaint + "; download the file again.");
        }
    }
}
