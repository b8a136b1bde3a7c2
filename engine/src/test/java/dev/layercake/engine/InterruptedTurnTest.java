package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.model.text.ChatMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a conversation still knows after a turn that was cancelled or failed. */
final class InterruptedTurnTest extends CrumbTest {
    private static final GenerationOptions SHORT =
            GenerationOptions.builder().maxTokens(8).build();

    private static Haystack haystack(long seed, int tokens) {
        return Haystack.generate(
                seed, tokens, 2, .4, text -> model.model().tokenizer().encode(text, false).length);
    }

    /** Cancels while the prompt is read. */
    private static GenerationListener cancelling(Session session) {
        return new GenerationListener() {
            @Override
            public void prefill(long done, long total) {
                session.cancel();
            }
        };
    }

    /** Fails while the prompt is read. */
    private static GenerationListener failing() {
        return new GenerationListener() {
            @Override
            public void prefill(long done, long total) {
                throw new IllegalStateException("nobody listens");
            }
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"full", "cake(budget=64)"})
    void aQuestionThatIsGivenUpLeavesTheContext(String policy) {
        Haystack haystack = haystack(6, 400);
        String question = haystack.needle().question();
        List<Integer> expected;
        try (Session whole = model.session(policy)) {
            expected = whole.ask(haystack.prompt(), SHORT).summary().tokens();
        }
        try (Session session = model.session(policy)) {
            int context = session.feedContext(haystack.text(), GenerationListener.NONE)
                    .promptTokens();
            assertThat(session.ask(" Who is it?", SHORT)
                            .run(cancelling(session))
                            .finishReason())
                    .isEqualTo(FinishReason.CANCELLED);
            assertThat(session.tokens()).isEqualTo(context);
            Generation failed = session.ask(" Who is it?", SHORT);
            assertThatThrownBy(() -> failed.run(failing())).hasMessage("nobody listens");
            assertThat(session.ask(question, SHORT).summary().tokens()).isEqualTo(expected);
        }
    }

    @Test
    void aQuestionThatNobodyReadLeavesTheContextInTheCache() {
        Haystack haystack = haystack(7, 300);
        try (Session session = model.session("full")) {
            session.feedContext(haystack.text(), GenerationListener.NONE);
            session.ask(" Who is it?", SHORT);
            GenerationSummary answer =
                    session.ask(haystack.needle().question(), SHORT).summary();
            assertThat(haystack.needle().answeredBy(answer.text())).isTrue();
            assertThat(answer.promptTokens()).isLessThan(40);
        }
    }

    @Test
    void aTurnThatIsCancelledBeforeItIsReadChangesNothing() {
        Haystack haystack = haystack(21, 300);
        String question = haystack.needle().question();
        try (Session session = model.session("full")) {
            session.ask(haystack.prompt(), SHORT).text();
            int tokens = session.tokens();
            KvUsage before = session.kv();
            Generation second = session.ask(question, SHORT);
            session.cancel();
            assertThat(second.summary().finishReason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(session.tokens()).isEqualTo(tokens);
            assertThat(session.kv()).isEqualTo(before);
            GenerationSummary third = session.ask(question, SHORT).summary();
            assertThat(third.promptTokens()).isLessThan(40);
            assertThat(haystack.needle().answeredBy(third.text())).isTrue();
        }
    }

    @Test
    void aCancelHoldsForTheTurnThatHasBegunOnly() {
        try (Session session = model.session("full")) {
            List<ChatMessage> cancelledMeanwhile = new AbstractList<>() {
                @Override
                public ChatMessage get(int index) {
                    session.cancel();
                    return ChatMessage.user("Who is it?");
                }

                @Override
                public int size() {
                    return 1;
                }
            };
            assertThat(session.chat(cancelledMeanwhile, SHORT).summary().finishReason())
                    .isEqualTo(FinishReason.CANCELLED);
            session.cancel();
            assertThat(session.ask("Who is it?", SHORT).summary().tokens()).isNotEmpty();
        }
    }

    @Test
    void aBaseModelReadsAgainWhatItLost(@TempDir Path folder) throws IOException {
        for (String name : List.of("config.json", "tokenizer.json", "model.safetensors")) {
            Files.copy(Crumb.root().resolve("models/crumb").resolve(name), folder.resolve(name));
        }
        Haystack haystack = haystack(9, 200);
        String question = haystack.needle().question() + "<|assistant|>";
        try (LanguageModel base = LanguageModel.load(
                        folder, EngineOptions.builder().threads(2).build());
                Session undisturbed = base.session("full");
                Session session = base.session("full");
                Session context = base.session("full")) {
            assertThat(base.model().chatTemplate()).isEmpty();
            undisturbed.feedContext("<|bos|><|user|>" + haystack.text(), GenerationListener.NONE);
            List<Integer> expected = undisturbed.ask(question, SHORT).summary().tokens();

            session.feed("<|bos|><|user|>" + haystack.text());
            Generation given = session.generate(" Who is it?", SHORT);
            assertThat(given.run(cancelling(session)).tokens()).isEmpty();
            assertThat(session.kv().bytesNow()).isZero();
            assertThat(session.generate(question, SHORT).summary().tokens()).isEqualTo(expected);

            context.feedContext("<|bos|><|user|>" + haystack.text(), cancelling(context));
            assertThat(context.ask(" Who is it?", SHORT)
                            .run(cancelling(context))
                            .tokens())
                    .isEmpty();
            assertThat(context.ask(question, SHORT).summary().tokens()).isEqualTo(expected);
        }
    }

    @Test
    void aTextToBeJudgedIsNotPartOfTheConversationIfItFails() {
        int[] text = model.model().tokenizer().encode(haystack(5, 120).text(), false);
        try (Session session = model.session("full");
                Session undisturbed = model.session("full")) {
            session.feed(text);
            undisturbed.feed(text);
            Generation given = session.generate(text, SHORT);
            assertThatThrownBy(() -> given.run(failing())).hasMessage("nobody listens");
            assertThat(session.score(new int[] {300}, text))
                    .containsExactly(undisturbed.score(new int[] {300}, text), within(1e-2));
            assertThat(session.tokens()).isEqualTo(undisturbed.tokens());
        }
    }
}
