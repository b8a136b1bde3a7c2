package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;

/** A tokenizer.json, read in one pass into the parts of a tokenizer. */
final class TokenizerFile {
    /** Numbers beyond both this and the file's length cannot be a vocabulary's, and would only cost memory. */
    private static final int PLAUSIBLE_TOKENS = 1 << 20;

    // Sections are read out of the middle of the file, so that tokens do follow.
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final int idLimit;
    private @Nullable ModelSection model;
    private JsonNode normalizer = MissingNode.getInstance();
    private JsonNode preTokenizer = MissingNode.getInstance();
    private JsonNode postProcessor = MissingNode.getInstance();
    private JsonNode decoder = MissingNode.getInstance();
    private JsonNode added = MissingNode.getInstance();

    private TokenizerFile(int jsonLength) {
        idLimit = Math.max(PLAUSIBLE_TOKENS, jsonLength);
    }

    static TokenizerParts read(byte[] json) {
        TokenizerFile file = new TokenizerFile(json.length);
        try (JsonParser parser = MAPPER.createParser(json)) {
            file.readTopLevel(parser);
            return file.parts();
        } catch (JacksonException e) {
            throw LayercakeException.badModel(
                    "tokenizer.json is not valid JSON: " + e.getOriginalMessage() + "; download the file again.", e);
        }
    }

    private void readTopLevel(JsonParser parser) {
        require(parser.nextToken() == JsonToken.START_OBJECT, "is not a JSON object");
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            switch (name) {
                case "model" -> model = ModelSection.read(parser, MAPPER, idLimit);
                case "normalizer" -> normalizer = MAPPER.readTree(parser);
                case "pre_tokenizer" -> preTokenizer = MAPPER.readTree(parser);
                case "post_processor" -> postProcessor = MAPPER.readTree(parser);
                case "decoder" -> decoder = MAPPER.readTree(parser);
                case "added_tokens" -> added = MAPPER.readTree(parser);
                default -> parser.skipChildren();
            }
        }
        require(parser.currentToken() == JsonToken.END_OBJECT, "ends in the middle");
    }

    private TokenizerParts parts() {
        ModelSection section = model;
        if (section == null) {
            throw Section.refuse("has no \"model\"");
        }
        PreTokenizerSection words = PreTokenizerSection.of(preTokenizer);
        boolean readsBytes = words.endsInBytes() && section.isByteLevel();
        TokenModel tokenModel = section.model(readsBytes);
        return new TokenizerParts(
                section.pieces(),
                section.unknown(),
                addedTokens(section.pieces()),
                NormalizerSection.parse(normalizer),
                words.chain(new WordStage(tokenModel), readsBytes),
                Surroundings.parse(postProcessor),
                DecoderSection.parse(decoder));
    }

    private List<AddedToken> addedTokens(PieceTable pieces) {
        List<AddedToken> tokens = new ArrayList<>();
        for (JsonNode node : added) {
            String content = node.path("content").asString("");
            require(!content.isEmpty() && node.path("id").isInt(), "has an added token without content or id");
            int id = node.path("id").intValue();
            require(id >= 0 && id < idLimit, "gives a piece the number " + id);
            boolean special = Section.flag(node, "special", false);
            // A piece of the vocabulary keeps the number that it has there.
            int known = pieces.find(content);
            tokens.add(new AddedToken(
                    known >= 0 ? known : id,
                    content,
                    special,
                    Section.flag(node, "lstrip", false),
                    Section.flag(node, "rstrip", false),
                    Section.flag(node, "single_word", false),
                    Section.flag(node, "normalized", !special)));
        }
        return tokens;
    }

    private static void require(boolean holds, String complaint) {
        if (!holds) {
            throw Section.refuse(complaint);
        }
    }
}
