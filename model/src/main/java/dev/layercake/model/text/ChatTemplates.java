package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The places where models keep their chat template. */
public final class ChatTemplates {
    private static final long MAX_FILE_BYTES = 64L << 20;
    private static final String DEFAULT = "default";
    private static final String TOOL_USE = "tool_use";
    private static final String KEY = "chat_template";
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private ChatTemplates() {}

    /**
     * The chat template of a Hugging Face folder with the model's special tokens, if the folder has one: the file
     * chat_template.jinja (and additional_chat_templates/tool_use.jinja), else the entry chat_template of
     * tokenizer_config.json (a text, or named templates of which {@code default} and {@code tool_use} are used), else
     * that of chat_template.json.
     *
     * @throws LayercakeException (bad model) if a file is damaged or the template cannot be parsed
     */
    public static Optional<ChatTemplate> fromFolder(Path folder) {
        JsonNode config = json(folder.resolve("tokenizer_config.json"));
        Map<String, String> sources = new LinkedHashMap<>();
        Path file = folder.resolve("chat_template.jinja");
        if (Files.isRegularFile(file)) {
            sources.put(DEFAULT, read(file));
            Path toolUse = folder.resolve("additional_chat_templates").resolve(TOOL_USE + ".jinja");
            if (Files.isRegularFile(toolUse)) {
                sources.put(TOOL_USE, read(toolUse));
            }
        } else {
            addSources(config, folder.resolve("tokenizer_config.json"), sources);
            if (sources.isEmpty()) {
                Path processor = folder.resolve("chat_template.json");
                addSources(json(processor), processor, sources);
            }
        }
        String standard = sources.get(DEFAULT);
        if (standard == null && sources.size() == 1) {
            standard = sources.values().iterator().next();
        }
        if (standard == null) {
            if (sources.isEmpty()) {
                return Optional.empty();
            }
            throw LayercakeException.badModel("the chat templates of " + folder + " are named "
                    + String.join(", ", sources.keySet()) + "; one named default is needed");
        }
        ChatTemplate template = ChatTemplate.parse(standard).withSpecialTokens(specialTokens(folder, config));
        String toolUse = sources.get(TOOL_USE);
        return Optional.of(toolUse == null ? template : template.withToolUse(ChatTemplate.parse(toolUse)));
    }

    private static void addSources(@Nullable JsonNode config, Path file, Map<String, String> sources) {
        JsonNode entry = config == null ? null : config.get(KEY);
        if (entry == null || entry.isNull()) {
            return;
        }
        if (entry.isString()) {
            sources.put(DEFAULT, entry.stringValue());
        } else if (entry.isArray()) {
            for (JsonNode named : entry) {
                sources.put(text(named, "name", file), text(named, "template", file));
            }
        } else if (entry.isObject()) {
            entry.properties().forEach(named -> sources.put(named.getKey(), text(entry, named.getKey(), file)));
        } else {
            throw LayercakeException.badModel(file + ": chat_template must be a text or a list of named templates");
        }
    }

    private static String text(JsonNode node, String key, Path file) {
        JsonNode value = node.get(key);
        if (value == null || !value.isString()) {
            throw LayercakeException.badModel(file + ": a named chat template has no text '" + key + "'");
        }
        return value.stringValue();
    }

    /** The entries like bos_token, each a text or an object with the text as its content, and lists of these. */
    private static Map<String, Object> specialTokens(Path folder, @Nullable JsonNode config) {
        Map<String, Object> tokens = new LinkedHashMap<>();
        addTokens(json(folder.resolve("special_tokens_map.json")), tokens);
        addTokens(config, tokens);
        return tokens;
    }

    private static void addTokens(@Nullable JsonNode node, Map<String, Object> tokens) {
        if (node == null || !node.isObject()) {
            return;
        }
        node.properties().forEach(entry -> {
            String token = tokenText(entry.getValue());
            if (entry.getKey().endsWith("_token") && token != null) {
                tokens.put(entry.getKey(), token);
            } else if (entry.getKey().equals("additional_special_tokens")) {
                List<String> more = new ArrayList<>();
                for (JsonNode item : entry.getValue()) {
                    String text = tokenText(item);
                    if (text != null) {
                        more.add(text);
                    }
                }
                tokens.put(entry.getKey(), more);
            }
        });
    }

    private static @Nullable String tokenText(JsonNode value) {
        JsonNode content = value.isObject() ? value.get("content") : value;
        return content != null && content.isString() ? content.stringValue() : null;
    }

    private static @Nullable JsonNode json(Path file) {
        if (!Files.isRegularFile(file)) {
            return null;
        }
        try {
            return JSON.readTree(read(file));
        } catch (JacksonException e) {
            throw LayercakeException.badModel(file + " is not valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    private static String read(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw LayercakeException.badModel(file + " is larger than " + MAX_FILE_BYTES + " bytes");
            }
            return Files.readString(file);
        } catch (IOException e) {
            throw LayercakeException.badModel(file + " cannot be read as UTF-8 text: " + e.getMessage(), e);
        }
    }
}
