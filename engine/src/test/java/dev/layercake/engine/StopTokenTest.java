package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers that end by a token which no {@code eos_token_id} names. */
final class StopTokenTest {
    private static final String QUESTION = "What is the code of Marlow?";
    private static final String PROMPT =
            "The code of Marlow is 4821. Rain fell on the harbour, and nobody came. " + QUESTION;
    private static final GenerationOptions OPTIONS =
            GenerationOptions.builder().maxTokens(12).build();

    @TempDir
    private Path folder;

    private static String withoutEos(String config) {
        return config.replaceFirst("\"eos_token_id\": *0,", "");
    }

    @Test
    void theTurnEndIsKnownByItsText() throws IOException {
        try (LanguageModel model = LanguageModel.load(CrumbVariant.in(folder, StopTokenTest::withoutEos));
                Session session = model.session("full")) {
            assertThat(model.model().config().eosTokens()).isEmpty();
            GenerationSummary summary = session.ask(PROMPT, OPTIONS).summary();
            assertThat(summary.finishReason()).isEqualTo(FinishReason.STOP);
            assertThat(summary.text().strip()).isEqualTo("4821");
        }
    }

    @Test
    void aStopStringThatIsASpecialTokenStopsByItsNumber() throws IOException {
        // Under another name the end of a turn is known to nobody.
        Path path = CrumbVariant.in(
                folder,
                StopTokenTest::withoutEos,
                text -> text.replace("<|end|>", "<|over|>").replace("\"eos_token\": \"<|over|>\",", ""));
        try (LanguageModel model = LanguageModel.load(path)) {
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
                session.ask(QUESTION, options).text();
                assertThat(session.tokens()).as("the conversation goes on").isGreaterThan(before);
            }
        }
    }
}
