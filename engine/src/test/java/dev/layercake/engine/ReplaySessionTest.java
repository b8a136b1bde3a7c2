package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.Model;
import dev.layercake.model.ModelShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Conversations in which the bundled model repeats the text before it is cut. */
final class ReplaySessionTest extends CrumbTest {
    private static final GenerationOptions SHORT =
            GenerationOptions.builder().maxTokens(8).build();

    private static Haystack haystack(long seed, int tokens) {
        return Haystack.generate(
                seed, tokens, 1, .5, text -> model.model().tokenizer().encode(text, false).length);
    }

    /** Texts of about 800 tokens, each with eight facts, and none of the questions known when they are cut. */
    @ParameterizedTest
    @ValueSource(strings = {"kvzip(budget=200)", "kvzip(budget=200,chunk=256)"})
    void oneCompressedContextAnswersManyQuestions(String policy) {
        int asked = 0;
        int right = 0;
        int rightOfFull = 0;
        for (int text = 0; text < 3; text++) {
            List<Haystack> parts = new ArrayList<>();
            StringBuilder whole = new StringBuilder();
            for (int part = 0; part < 8; part++) {
                parts.add(haystack(100 + 10 * text + part, 110));
                whole.append(parts.getLast().text());
            }
            try (Session full = model.session("full");
                    Session cut = model.session(policy)) {
                full.feedContext(whole.toString(), GenerationListener.NONE);
                GenerationSummary read = cut.feedContext(whole.toString(), GenerationListener.NONE);
                assertThat(read.kv().slices().stream()
                                .mapToLong(slice -> slice.total())
                                .sum())
                        .isEqualTo(200L
                                * model.model().config().layerCount()
                                * model.model().config().kvHeads());
                assertThat(read.kv().bytesNow()).isLessThan(read.kv().bytesFull() * 2 / 5);
                for (Haystack part : parts) {
                    asked++;
                    rightOfFull += answers(full, part.needle()) ? 1 : 0;
                    right += answers(cut, part.needle()) ? 1 : 0;
                }
            }
        }
        assertThat(rightOfFull).as("full, of " + asked).isGreaterThanOrEqualTo(asked - 2);
        assertThat(right).as(policy + ", of " + asked).isGreaterThanOrEqualTo(rightOfFull - 2);
    }

    private static boolean answers(Session context, Haystack.Fact fact) {
        try (Session fork = context.fork()) {
            return fact.answeredBy(fork.ask(fact.question(), SHORT).text());
        }
    }

    @Test
    void theLengthOfAPartChangesWhatIsKeptButNotHowMuch() {
        String text = haystack(3, 500).text();
        List<int[]> kept = new ArrayList<>();
        for (String policy : List.of("kvzip(budget=100)", "kvzip(budget=100,chunk=100)", "kvzip(budget=100)")) {
            try (Session session = model.session(policy)) {
                GenerationSummary read = session.feed(text);
                assertThat(read.kv().slices().stream()
                                .mapToLong(slice -> slice.total())
                                .sum())
                        .isEqualTo(1600);
                kept.add(session.positions(4, 1));
            }
        }
        assertThat(kept.get(0)).isEqualTo(kept.get(2)).isNotEqualTo(kept.get(1)).startsWith(0, 1, 2, 3);
    }

    @Test
    void aTextThatIsGivenUpWhileItIsRepeatedIsForgotten() {
        Haystack haystack = haystack(4, 600);
        try (Session session = model.session("kvzip(budget=100,chunk=128)")) {
            AtomicInteger calls = new AtomicInteger();
            GenerationSummary given = session.ask(haystack.prompt(), SHORT).run(new GenerationListener() {
                @Override
                public void prefill(long done, long total) {
                    calls.incrementAndGet();
                    if (done > total * 3 / 4) {
                        session.cancel();
                    }
                }
            });
            assertThat(given.finishReason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(given.tokens()).isEmpty();
            assertThat(calls).hasValueGreaterThan(10);
            assertThat(session.tokens()).isZero();
            assertThat(session.kv().bytesNow()).isZero();
            assertThat(session.ask(haystack.prompt(), SHORT).summary().tokens()).isNotEmpty();
            assertThat(session.tokens()).isGreaterThan(500);
        }
    }

    @Test
    void aTextThatLeavesNoRoomForItsRepetitionIsRefused() {
        int context = model.contextTokens();
        int[] text = new int[context - 120];
        Arrays.setAll(text, i -> 300 + i % 50);
        try (Session session = model.session("kvzip(budget=64)")) {
            session.feed(text);
            assertThat(session.kv().slices().stream()
                            .mapToLong(slice -> slice.total())
                            .sum())
                    .isEqualTo(64L * 16);
            session.reset();
            assertThatThrownBy(() -> session.feed(Arrays.copyOf(text, context - 20)))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageStartingWith("The policy kvzip has the model repeat the text behind its end")
                    .hasMessageContaining("the context of " + context + " has no room for that");
            assertThat(session.tokens()).isZero();
        }
        try (Session roomy = model.session("kvzip(budget=" + context + ")")) {
            roomy.feed(Arrays.copyOf(text, context - 120));
            assertThat(roomy.tokens()).as("nothing to cut").isEqualTo(context - 120);
        }
    }

    @Test
    void aConversationIsRepeatedTurnByTurn() {
        try (Session session = model.session("kvzip(budget=100)")) {
            for (int turn = 0; turn < 4; turn++) {
                model.pool().resetPeaks();
                Haystack haystack = haystack(30 + turn, 200);
                GenerationSummary summary =
                        session.ask(haystack.prompt(), SHORT).summary();
                assertThat(summary.tokens()).isNotEmpty();
                assertThat(model.pool().peakBytes())
                        .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
                assertThat(summary.kv().slices().stream()
                                .mapToLong(slice -> slice.total())
                                .sum())
                        .isBetween(1600L, 1600L + 16 * 8);
            }
        }
    }

    @Test
    void aSpeedTestFillsWhatTheBudgetHolds() {
        Model random = Model.random(ModelShape.named("tiny"), DType.Q8_0, 1);
        try (LanguageModel language =
                LanguageModel.of(random, EngineOptions.builder().threads(2).build())) {
            SpeedTest test = new SpeedTest(language, 1);
            SpeedTest.Result full = test.decode(Policies.full(), 700, 3, 2);
            SpeedTest.Result cut = test.decode(Policies.parse("kvzip(budget=64)"), 700, 3, 2);
            assertThat(cut.kvBytes()).isLessThan(full.kvBytes() / 3);
            SpeedTest.Result prefill = test.prefill(Policies.parse("kvzip(budget=64,chunk=100)"), 300, 200, 2);
            assertThat(prefill.speeds()).hasSize(2).allMatch(speed -> speed > 0);
            assertThat(prefill.policyShare())
                    .as("the repetition is the policy's")
                    .isBetween(0.3, 1.0);
            assertThat(language.pool().openLeases()).isZero();
        }
    }
}
