package dev.layercake.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplatesTest {
    private static final List<ChatMessage> MESSAGES = List.of(ChatMessage.user("Hi"));
    private static final ChatTemplateOptions WITH_TOOLS =
            ChatTemplateOptions.defaults().withTools(List.of(Map.of("name", "add")));

    @TempDir
    Path folder = Path.of("");

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private String render(ChatTemplateOptions options) {
        return ChatTemplates.fromFolder(folder).orElseThrow().render(MESSAGES, options);
    }

    @Test
    void aFolderWithoutTemplateHasNone() throws IOException {
        assertThat(ChatTemplates.fromFolder(folder)).isEmpty();
        write("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"chat_template\": null}");
        assertThat(ChatTemplates.fromFolder(folder)).isEmpty();
    }

    @Test
    void theConfigurationHoldsOneTemplateAndTheTokens() throws IOException {
        write("tokenizer_config.json", """
                {"chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ additional_special_tokens[1] }}",
                 "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "unk_token": null,
                 "additional_special_tokens": ["a", {"content": "b"}]}
                """);
        assertThat(render(ChatTemplateOptions.defaults())).isEqualTo("<s>Hi</s>b");
        assertThat(ChatTemplates.fromFolder(folder).orElseThrow().specialTokens())
                .containsOnlyKeys("bos_token", "eos_token", "additional_special_tokens");
    }

    @Test
    void theConfigurationHoldsNamedTemplates() throws IOException {
        write("tokenizer_config.json", """
                {"chat_template": [{"name": "tool_use", "template": "T{{ bos_token }}"},
                                   {"name": "default", "template": "D{{ bos_token }}"}], "bos_token": "<s>"}
                """);
        assertThat(render(ChatTemplateOptions.defaults())).isEqualTo("D<s>");
        assertThat(render(WITH_TOOLS)).isEqualTo("T<s>");
    }

    @Test
    void theTemplateFileComesFirst() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\": \"config\"}");
        write("special_tokens_map.json", "{\"bos_token\": \"<s>\"}");
        write("chat_template.jinja", "file {{ bos_token }}\n");
        write("additional_chat_templates/tool_use.jinja", "tool file");
        assertThat(render(ChatTemplateOptions.defaults())).isEqualTo("file <s>");
        assertThat(render(WITH_TOOLS)).isEqualTo("tool file");
    }

    @Test
    void theProcessorsFileComesLast() throws IOException {
        write("chat_template.json", "{\"chat_template\": \"processor\"}");
        assertThat(render(ChatTemplateOptions.defaults())).isEqualTo("processor");
    }

    @Test
    void damagedFilesAreNamed() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\": ");
        assertThatThrownBy(() -> ChatTemplates.fromFolder(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("tokenizer_config.json is not valid JSON");
        write("tokenizer_config.json", "{\"chat_template\": 5}");
        assertThatThrownBy(() -> ChatTemplates.fromFolder(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("must be a text or a list");
        write("tokenizer_config.json", """
                {"chat_template": [{"name": "a", "template": ""}, {"name": "b", "template": ""}]}
                """);
        assertThatThrownBy(() -> ChatTemplates.fromFolder(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("are named a, b");
        write("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\"}]}");
        assertThatThrownBy(() -> ChatTemplates.fromFolder(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("has no text 'template'");
    }
}
