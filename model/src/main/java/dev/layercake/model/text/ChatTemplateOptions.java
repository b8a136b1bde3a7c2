package dev.layercake.model.text;

import java.time.Clock;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a conversation is rendered with besides its messages.
 *
 * @param addGenerationPrompt whether the text ends with the beginning of the assistant's next message
 * @param tools the tools the model may call, each as the JSON object of its description; empty for none
 * @param variables further variables for the template, such as {@code enable_thinking}; they win over the model's own
 * @param clock the time that a template is told when it asks for the date
 */
public record ChatTemplateOptions(
        boolean addGenerationPrompt,
        List<Map<String, Object>> tools,
        Map<String, @Nullable Object> variables,
        Clock clock) {
    public ChatTemplateOptions {
        tools = List.copyOf(tools);
        variables = new LinkedHashMap<>(variables);
    }

    /** With a generation prompt, without tools, and with the time of this machine. */
    public static ChatTemplateOptions defaults() {
        return new ChatTemplateOptions(true, List.of(), Map.of(), Clock.system(ZoneId.systemDefault()));
    }

    public ChatTemplateOptions withAddGenerationPrompt(boolean wanted) {
        return new ChatTemplateOptions(wanted, tools, variables, clock);
    }

    public ChatTemplateOptions withTools(List<Map<String, Object>> newTools) {
        return new ChatTemplateOptions(addGenerationPrompt, newTools, variables, clock);
    }

    public ChatTemplateOptions withVariable(String name, @Nullable Object value) {
        Map<String, @Nullable Object> more = new LinkedHashMap<>(variables);
        more.put(name, value);
        return new ChatTemplateOptions(addGenerationPrompt, tools, more, clock);
    }

    public ChatTemplateOptions withBosToken(String token) {
        return withVariable("bos_token", token);
    }

    public ChatTemplateOptions withEosToken(String token) {
        return withVariable("eos_token", token);
    }

    public ChatTemplateOptions withClock(Clock newClock) {
        return new ChatTemplateOptions(addGenerationPrompt, tools, variables, newClock);
    }
}
