package dev.layercake.model.text;

import java.time.Clock;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The text form of conversations that a model was trained on, as its files state it in the Jinja language.
 *
 * <p>Renders what transformers' {@code apply_chat_template} renders, byte for byte. A template is code from a downloaded
 * file: it sees only the values passed to it, and its steps, its depth and the length of its texts are bounded.
 *
 * <p>Immutable and safe for use by several threads.
 */
public final class ChatTemplate {
    private final String source;
    private final JinjaTemplate template;
    private final @Nullable ChatTemplate toolUse;
    private final Map<String, Object> specialTokens;

    private ChatTemplate(
            String source, JinjaTemplate template, @Nullable ChatTemplate toolUse, Map<String, Object> specialTokens) {
        this.source = source;
        this.template = template;
        this.toolUse = toolUse;
        this.specialTokens = Map.copyOf(specialTokens);
    }

    /**
     * Parses a template.
     *
     * @throws dev.layercake.kernels.LayercakeException (bad model) if it is malformed or needs something unsupported;
     *     the message names the construct and its line
     */
    public static ChatTemplate parse(String source) {
        return new ChatTemplate(source, JinjaTemplate.parse(source), null, Map.of());
    }

    /** This template, with another one that takes its place when there are tools. */
    public ChatTemplate withToolUse(ChatTemplate other) {
        return new ChatTemplate(source, template, other, specialTokens);
    }

    /**
     * This template, with the model's special tokens by the names under which templates know them.
     *
     * @param tokens texts, such as that of {@code bos_token}, and lists of texts, such as that of
     *     {@code additional_special_tokens}
     */
    public ChatTemplate withSpecialTokens(Map<String, ?> tokens) {
        return new ChatTemplate(source, template, toolUse, Map.<String, Object>copyOf(tokens));
    }

    /** The text of the template itself. */
    public String source() {
        return source;
    }

    /** The special tokens that the template is rendered with. */
    public Map<String, Object> specialTokens() {
        return specialTokens;
    }

    /**
     * Renders a conversation.
     *
     * @throws dev.layercake.kernels.LayercakeException (bad input) if the template itself refuses the conversation, for
     *     example for the order of its roles; (bad model) if the template fails or exceeds its bounds
     */
    public String render(List<ChatMessage> messages, ChatTemplateOptions options) {
        List<Map<String, String>> shown = new ArrayList<>();
        for (ChatMessage message : messages) {
            Map<String, String> entry = new LinkedHashMap<>();
            entry.put("role", message.role());
            entry.put("content", message.content());
            shown.add(entry);
        }
        Map<String, @Nullable Object> context = new LinkedHashMap<>();
        context.put("messages", shown);
        context.put("tools", options.tools().isEmpty() ? null : options.tools());
        context.put("documents", null);
        context.put("add_generation_prompt", options.addGenerationPrompt());
        context.putAll(options.variables());
        return render(context, options.clock());
    }

    /**
     * Renders with variables of the caller's choice.
     *
     * @param context variables by name: text, numbers, booleans, null, and lists and maps of these
     * @throws dev.layercake.kernels.LayercakeException as {@link #render(List, ChatTemplateOptions)}; (bad input) for
     *     values of other types
     */
    public String render(Map<String, ? extends @Nullable Object> context) {
        return render(context, Clock.system(ZoneId.systemDefault()));
    }

    /** As {@link #render(Map)}, with the time that the template is told. */
    public String render(Map<String, ? extends @Nullable Object> context, Clock clock) {
        Object tools = context.get("tools");
        if (toolUse != null && tools instanceof List<?> list && !list.isEmpty()) {
            return toolUse.withSpecialTokens(specialTokens).render(context, clock);
        }
        Map<String, @Nullable Object> variables = new LinkedHashMap<>(specialTokens);
        variables.putAll(context);
        return template.render(variables, clock);
    }
}
