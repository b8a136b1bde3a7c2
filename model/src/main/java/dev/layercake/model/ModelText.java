package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufMetadata;
import dev.layercake.model.format.ModelFiles;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.GgufVocabulary;
import dev.layercake.model.text.Tokenizer;
import java.util.Optional;
import java.util.function.Supplier;

/** A checkpoint's tokenizer and chat template, each made when first asked for: inspecting a model needs neither. */
final class ModelText {
    private final Lazy<Tokenizer> tokenizer;
    private final Lazy<Optional<ChatTemplate>> chatTemplate;

    private ModelText(Supplier<Tokenizer> tokenizer, Supplier<Optional<ChatTemplate>> chatTemplate) {
        this.tokenizer = new Lazy<>(tokenizer);
        this.chatTemplate = new Lazy<>(chatTemplate);
    }

    /** Of the files beside a checkpoint's Safetensors. */
    static ModelText ofCheckpoint(ModelFiles files) {
        return new ModelText(
                () -> Tokenizer.of(files.companion("tokenizer.json")
                        .orElseThrow(() -> LayercakeException.badModel(files.path()
                                + " has no tokenizer.json, which turns text into tokens: download it beside the weights"))),
                () -> ChatTemplate.of(files));
    }

    static ModelText ofGguf(GgufMetadata metadata) {
        return new ModelText(
                () -> Tokenizer.of(GgufVocabulary.of(metadata)),
                () -> metadata.has("tokenizer.chat_template")
                        ? Optional.of(ChatTemplate.parse(metadata.string("tokenizer.chat_template")))
                        : Optional.empty());
    }

    /** Of a model with random weights. */
    static ModelText none() {
        return new ModelText(
                () -> {
                    throw LayercakeException.badInput("a model with random weights has no tokenizer; use bench with it");
                },
                Optional::empty);
    }

    Tokenizer tokenizer() {
        return tokenizer.get();
    }

    Optional<ChatTemplate> chatTemplate() {
        return chatTemplate.get();
    }
}
