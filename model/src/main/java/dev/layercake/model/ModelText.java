package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufMetadata;
import dev.layercake.model.format.ModelFiles;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.ChatTemplates;
import dev.layercake.model.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;

/** A checkpoint's tokenizer and chat template, each made when first asked for: inspecting a model needs neither. */
final class ModelText {
    /** What templates call a special token, and what GGUF calls it. */
    private static final Map<String, String> GGUF_NAMES =
            Map.of("bos_token", "bos", "eos_token", "eos", "unk_token", "unknown", "pad_token", "padding");

    /** What the tokenizer's own configuration says of its tokens, by their texts. */
    private record Declared(List<String> eosTexts, List<String> controlTexts) {
        static final Declared NOTHING = new Declared(List.of(), List.of());
    }

    private final Lazy<Tokenizer> tokenizer;
    private final Lazy<Optional<ChatTemplate>> chatTemplate;
    private final Lazy<Declared> declared;

    private final boolean hasTokenizer;

    private ModelText(
            boolean hasTokenizer,
            Supplier<Tokenizer> tokenizer,
            Supplier<Optional<ChatTemplate>> chatTemplate,
            Supplier<Declared> declared) {
        this.hasTokenizer = hasTokenizer;
        this.chatTemplate = new Lazy<>(chatTemplate);
        this.declared = new Lazy<>(declared);
        this.tokenizer = new Lazy<>(() -> tokenizer
                .get()
                .withControlTokens(templateSource(), this.declared.get().controlTexts()));
    }

    /** Of the files beside a checkpoint's Safetensors. */
    static ModelText ofCheckpoint(ModelFiles files) {
        return new ModelText(
                files.companion("tokenizer.json").isPresent(),
                () -> Tokenizer.of(
                        files.companion("tokenizer.json")
                                .orElseThrow(
                                        () -> LayercakeException.badModel(
                                                files.path()
                                                        + " has no tokenizer.json, which turns text into tokens: download it beside the weights"))),
                () -> files.companion("config.json").map(Path::getParent).flatMap(ChatTemplates::fromFolder),
                () -> files.json("tokenizer_config.json")
                        .map(ModelText::declared)
                        .orElse(Declared.NOTHING));
    }

    static ModelText ofGguf(GgufMetadata metadata) {
        return new ModelText(
                metadata.has("tokenizer.ggml.tokens"),
                () -> Tokenizer.of(metadata),
                () -> ggufTemplate(metadata),
                () -> Declared.NOTHING);
    }

    private static Optional<ChatTemplate> ggufTemplate(GgufMetadata metadata) {
        if (!metadata.has("tokenizer.chat_template")) {
            return Optional.empty();
        }
        List<String> pieces = metadata.strings("tokenizer.ggml.tokens");
        Map<String, String> specialTokens = new LinkedHashMap<>();
        GGUF_NAMES.forEach((name, ggufName) -> {
            int id = metadata.intValue("tokenizer.ggml." + ggufName + "_token_id", -1);
            if (id >= 0 && id < pieces.size()) {
                specialTokens.put(name, pieces.get(id));
            }
        });
        ChatTemplate template = ChatTemplate.parse(metadata.string("tokenizer.chat_template"));
        return Optional.of(template.withSpecialTokens(specialTokens));
    }

    /** The eos_token and the special ones of added_tokens_decoder in tokenizer_config.json. */
    private static Declared declared(JsonNode config) {
        List<String> controls = new ArrayList<>();
        for (JsonNode token : config.path("added_tokens_decoder")) {
            if (token.path("special").asBoolean(false)) {
                controls.add(token.path("content").asString(""));
            }
        }
        JsonNode eos = config.path("eos_token");
        JsonNode text = eos.isObject() ? eos.path("content") : eos;
        return new Declared(text.isString() ? List.of(text.stringValue()) : List.of(), controls);
    }

    /** Of a model with random weights. */
    static ModelText none() {
        return new ModelText(
                false,
                () -> {
                    throw LayercakeException.badInput(
                            "a model with random weights has no tokenizer; use bench with it");
                },
                Optional::empty,
                () -> Declared.NOTHING);
    }

    boolean hasTokenizer() {
        return hasTokenizer;
    }

    Tokenizer tokenizer() {
        return tokenizer.get();
    }

    /**
     * The tokens that end an answer; without a tokenizer those that the configuration names.
     *
     * @throws LayercakeException (bad model) if the tokenizer or its configuration cannot be used
     */
    List<Integer> endTokens(ModelConfig config) {
        if (!hasTokenizer) {
            return config.eosTokens();
        }
        Declared known = declared.get();
        return new TurnEnds(tokenizer(), templateSource(), known.controlTexts, config.vocabularySize())
                .all(config.eosTokens(), known.eosTexts);
    }

    /** Empty also for a template that cannot be parsed: whoever needs it to write messages is told so there. */
    private String templateSource() {
        try {
            return chatTemplate().map(ChatTemplate::source).orElse("");
        } catch (LayercakeException e) {
            return "";
        }
    }

    Optional<ChatTemplate> chatTemplate() {
        return chatTemplate.get();
    }
}
