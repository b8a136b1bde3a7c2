package dev.layercake.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Published templates against what Python's jinja2 and llama.cpp render for them; skipped where they are not at hand. */
class ChatTemplateGoldenTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2024-07-26T12:00:00Z"), ZoneOffset.UTC);
    private static final String FAILURE = "EXC ";

    @TestFactory
    List<DynamicTest> jinja2() throws IOException {
        Path folder = ChatTemplateTexts.chatTemplates();
        List<DynamicTest> tests = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder.resolve("expected"))) {
            for (Path expected : files.sorted().toList()) {
                String name = expected.getFileName().toString();
                Path template = folder.resolve(name.substring(0, name.lastIndexOf('.')));
                tests.add(DynamicTest.dynamicTest(name, () -> check(template, expected, name.endsWith(".true"))));
            }
        }
        return tests;
    }

    private static void check(Path template, Path expected, boolean withTools) throws IOException {
        String wanted = Files.readString(expected);
        String source = Files.readString(template);
        // The gold says that Gemma's templates, which know no system role, were given none.
        boolean system = !template.getFileName().toString().contains("gemma");
        Map<String, Object> context = context(system, withTools);
        if (!wanted.startsWith(FAILURE)) {
            assertThat(ChatTemplate.parse(source).render(context, CLOCK)).isEqualTo(wanted);
            return;
        }
        assertThatThrownBy(() -> ChatTemplate.parse(source).render(context, CLOCK))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining(wanted.substring(FAILURE.length()).strip());
    }

    private static Map<String, Object> context(boolean system, boolean withTools) {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (system) {
            messages.add(Map.of("role", "system", "content", "You are helpful."));
        }
        messages.add(Map.of("role", "user", "content", "Hi"));
        messages.add(Map.of("role", "assistant", "content", "Hello!"));
        messages.add(Map.of("role", "user", "content", "Bye?"));
        Map<String, Object> context = new LinkedHashMap<>();
        context.put("bos_token", "<s>");
        context.put("eos_token", "</s>");
        context.put("add_generation_prompt", true);
        context.put("date_string", "26 Jul 2024");
        context.put("messages", messages);
        if (withTools) {
            Map<String, Object> function = new LinkedHashMap<>();
            function.put("name", "get_weather");
            function.put("description", "Get weather");
            function.put("parameters", Map.of("type", "object"));
            Map<String, Object> tool = new LinkedHashMap<>();
            tool.put("type", "function");
            tool.put("function", function);
            context.put("tools", List.of(tool));
        }
        return context;
    }

    @TestFactory
    List<DynamicTest> llamaCpp() {
        Path file = ChatTemplateTexts.shared("data/tokenizers/chat_templates/llama.cpp_expected_outputs.json");
        assumeTrue(Files.isRegularFile(file), () -> "no outputs of llama.cpp at " + file);
        JsonNode root = JsonMapper.builder().build().readTree(file.toFile());
        List<ChatMessage> conversation = new ArrayList<>();
        for (JsonNode message : root.get("conversation")) {
            conversation.add(
                    new ChatMessage(message.get(0).stringValue(), message.get(1).stringValue()));
        }
        boolean prompt = root.get("add_generation_prompt").booleanValue();
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonNode entry : root.get("cases")) {
            tests.add(DynamicTest.dynamicTest(
                    entry.get("name").stringValue(), () -> checkLlamaCpp(entry, conversation, prompt)));
        }
        return tests;
    }

    /**
     * llama.cpp's expectations are not all renders of the template: it gives the system message of a model without
     * system role to the first user message, leaves the first token to its tokenizer, and for some models its own
     * formatter stands in for the template. So each of its two expectations counts, for the conversation as it is and
     * with the system message folded into the user's.
     */
    private static void checkLlamaCpp(JsonNode entry, List<ChatMessage> conversation, boolean prompt) {
        String source = entry.get("template_str").stringValue();
        String bos = text(entry, "bos_token");
        ChatTemplateOptions options = ChatTemplateOptions.defaults()
                .withAddGenerationPrompt(prompt)
                .withBosToken(bos)
                .withEosToken(text(entry, "eos_token"))
                .withClock(CLOCK);
        ChatTemplate template = ChatTemplate.parse(source);
        List<String> renders = new ArrayList<>();
        String failure = "";
        for (String separator : new String[] {"", "\n", "\n\n"}) {
            try {
                String render =
                        template.render(separator.isEmpty() ? conversation : folded(conversation, separator), options);
                renders.add(render);
                if (!bos.isEmpty() && render.startsWith(bos)) {
                    renders.add(render.substring(bos.length()));
                }
            } catch (LayercakeException e) {
                failure = String.valueOf(e.getMessage());
            }
        }
        if (renders.isEmpty()) {
            // The vectors carry no list of further special tokens; a template that needs it must say so.
            assertThat(source).contains("additional_special_tokens");
            assertThat(failure).contains("'additional_special_tokens' is undefined");
            return;
        }
        assertThat(renders).containsAnyOf(text(entry, "expected_output"), text(entry, "expected_output_jinja"));
    }

    private static String text(JsonNode entry, String key) {
        JsonNode value = entry.get(key);
        return value == null ? "" : value.stringValue();
    }

    private static List<ChatMessage> folded(List<ChatMessage> conversation, String separator) {
        List<ChatMessage> folded = new ArrayList<>(conversation.subList(1, conversation.size()));
        folded.set(
                0,
                ChatMessage.user(conversation.get(0).content()
                        + separator
                        + folded.get(0).content()));
        return folded;
    }
}
