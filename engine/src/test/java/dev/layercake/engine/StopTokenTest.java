package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers that end by a token which no {@code eos_token_id} names. */
final class StopTokenTest {
    private static final String PROMPT =
            "The code of Marlow is 4821. Rain fell on the harbour, and nobody came. What is the code of Marlow?";
    private static final GenerationOptions OPTIONS =
            GenerationOptions.builder().maxTokens(12).build();

    @TempDir
    private static Path folder;

    @BeforeAll
    static void crumbWithoutEos() throws IOException {
        Path crumb =
                Crumb.root().resolve("models").resolve("crumb").toAbsolutePath().normalize();
        for (String name : new String[] {"model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
            Files.createSymbolicLink(folder.resolve(name), crumb.resolve(name));
        }
        String config = Files.readString(crumb.resolve("config.json"));
        Files.writeString(folder.resolve("config.json"), config.replaceFirst("\"eos_token_id\": *0,", ""));
    }

    @Test
    void theTurnEndIsKnownByItsText() {
        try (LanguageModel model = LanguageModel.load(folder);
                Session session = model.session("full")) {
            assertThat(model.model().config().eosTokens()).isEmpty();
            GenerationSummary summary = session.ask(PROMPT, OPTIONS).summary();
            assertThat(summary.finishReason()).isEqualTo(FinishReason.STOP);
            assertThat(summary.text().strip()).isEqualTo("4821");
        }
    }

    @Test
    void aStopStringThatIsASpecialTokenStopsByItsNumber() throws IOException {
        Path other = Files.createDirectory(folder.resolve("user"));
        Path crumb =
                Crumb.root().resolve("models").resolve("crumb").toAbsolutePath().normalize();
        Files.createSymbolicLink(other.resolve("model.safetensors"), crumb.resolve("model.safetensors"));
        Files.copy(folder.resolve("config.json"), other.resolve("config.json"));
        // Under another name the end of a turn is known to nobody.
        for (String name : new String[] {"tokenizer.json", "tokenizer_config.json"}) {
            String text = Files.readString(crumb.resolve(name)).replace("<|end|>", "<|over|>");
            Files.writeString(other.resolve(name), text.replace("\"eos_token\": \"<|over|>\",", ""));
        }
        try (LanguageModel model = LanguageModel.load(other)) {
            assertThat(model.model().endTokens()).isEmpty();
            try (Session session = model.session("full")) {
                assertThat(session.ask(PROMPT, OPTIONS).summary().finishReason())
                        .isEqualTo(FinishReason.LENGTH);
            }
            GenerationOptions options =
                    OPTIONS.toBuilder().stopStrings("<|over|>").build();
            try (Session session = model.session("full")) {
                GenerationSummary summary = session.ask(PROMPT, options).summary();
                assertThat(summary.finishReason()).isEqualTo(FinishReason.STOP_STRING);
                assertThat(summary.text().strip()).isEqualTo("4821");
                int before = session.tokens();
                session.ask("What is the code of Marlow?", options).text();
                assertThat(session.tokens()).as("the conversation goes on").isGreaterThan(before);
            }
        }
    }
}
