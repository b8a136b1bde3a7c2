package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import dev.layercake.kv.Slice;
import dev.layercake.model.text.ChatMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Conversations with the bundled model Crumb. */
final class SessionTest extends CrumbTest {
    private static final GenerationOptions SHORT =
            GenerationOptions.builder().maxTokens(8).build();

    @ParameterizedTest
    @ValueSource(ints = {512, 1024})
    void crumbFindsNeedlesUnderFull(int context) {
        int right = 0;
        List<String> wrong = new ArrayList<>();
        for (int index = 0; index < 40; index++) {
            Haystack haystack = haystack(1000 + index, context - 16, 1, (index + .5) / 40);
            try (Session session = model.session("full")) {
                String answer = session.ask(haystack.prompt(), SHORT).text();
                if (haystack.needle().answeredBy(answer)) {
                    right++;
                } else {
                    wrong.add(haystack.needle().question() + haystack.needle().answer() + ", but said" + answer);
                }
            }
        }
        assertThat(right).as("wrong: %s", wrong).isGreaterThanOrEqualTo(34);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"full", "streaming(budget=600)", "snapkv(budget=600)", "cake(budget=600)", "random(budget=600)"})
    void aBudgetAboveTheTextGivesTheTokensOfFull(String policy) {
        Haystack haystack = haystack(5, 400, 3, .3);
        try (Session full = model.session("full");
                Session other = model.session(policy)) {
            assertThat(other.ask(haystack.prompt(), SHORT).summary().tokens())
                    .isEqualTo(full.ask(haystack.prompt(), SHORT).summary().tokens())
                    .isNotEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "full",
                "cake(budget=128)",
                "h2o(budget=128)",
                "snapkv(budget=128)+ada",
                "knorm(budget=128)",
                "kvzip(budget=128)"
            })
    void questionsBeginFromOneCompressedContext(String policy) {
        Haystack haystack = haystack(6, 400, 2, .3);
        String question = haystack.needle().question();
        try (Session context = model.session(policy)) {
            GenerationSummary read = context.feedContext(haystack.text(), GenerationListener.NONE);
            assertThat(read.tokens()).isEmpty();
            int[] kept = context.positions(1, 0);
            List<Integer> first = answer(context, question);
            assertThat(answer(context, " Who is it?")).isNotEqualTo(first);
            assertThat(answer(context, question)).isEqualTo(first);
            assertThat(context.positions(1, 0)).containsExactly(kept);
            assertThat(context.tokens()).isEqualTo(read.promptTokens());
            if (policy.equals("full")) {
                try (Session whole = model.session(policy)) {
                    assertThat(whole.ask(haystack.prompt(), SHORT).summary().tokens())
                            .isEqualTo(first);
                }
            }
        }
    }

    private static List<Integer> answer(Session context, String question) {
        try (Session fork = context.fork()) {
            return fork.ask(question, SHORT).summary().tokens();
        }
    }

    @Test
    void aSummarySaysWhatHappened() {
        Haystack haystack = haystack(8, 500, 2, .5);
        try (Session session = model.session("cake(budget=128)")) {
            Generation generation = session.ask(haystack.prompt(), SHORT);
            List<String> pieces = new ArrayList<>();
            AtomicLong lastDone = new AtomicLong();
            GenerationSummary summary = generation.run(new GenerationListener() {
                @Override
                public void prefill(long done, long total) {
                    assertThat(done).isGreaterThan(lastDone.getAndSet(done)).isLessThanOrEqualTo(total);
                }

                @Override
                public void text(String piece) {
                    pieces.add(piece);
                }
            });
            assertThat(lastDone.get()).isEqualTo((long) model.model().config().layerCount() * summary.promptTokens());
            assertThat(String.join("", pieces)).isEqualTo(summary.text());
            assertThat(summary.promptTokens()).isBetween(485, 505);
            assertThat(summary.prefillNanos()).isPositive();
            assertThat(summary.firstTokenNanos()).isGreaterThanOrEqualTo(summary.prefillNanos());
            KvUsage kv = summary.kv();
            assertThat(kv.tokensSeen()).isEqualTo(summary.promptTokens() + summary.decodeSteps());
            assertThat(kv.slices().stream().mapToLong(Slice::total).sum())
                    .isEqualTo(128L
                            * model.model().config().layerCount()
                            * model.model().config().kvHeads());
            assertThat(kv.bytesNow()).isLessThan(kv.bytesPeak());
            assertThat(kv.bytesPeak())
                    .isLessThan(kv.bytesFull())
                    .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
        }
    }

    @Test
    void aSecondTurnReadsOnlyWhatIsNew() {
        Haystack haystack = haystack(21, 600, 1, .5);
        try (Session session = model.session("full")) {
            GenerationSummary first = session.ask(haystack.prompt(), SHORT).summary();
            assertThat(haystack.needle().answeredBy(first.text())).isTrue();
            GenerationSummary second =
                    session.ask(haystack.needle().question(), SHORT).summary();
            assertThat(second.promptTokens()).isLessThan(40);
            assertThat(second.text()).isEqualTo(first.text());
            assertThat(session.tokens()).isGreaterThan(first.promptTokens() + second.promptTokens());
            session.reset();
            assertThat(session.tokens()).isZero();
            assertThat(session.ask(haystack.prompt(), SHORT).text()).isEqualTo(first.text());
        }
    }

    @Test
    void textCanBeFedBeforeTheQuestion() {
        Haystack haystack = haystack(33, 500, 1, .4);
        try (Session session = model.session("full")) {
            GenerationSummary fed = session.feed("<|bos|><|user|>" + haystack.text());
            assertThat(fed.tokens()).isEmpty();
            // The last word waits for what follows it.
            assertThat(fed.promptTokens()).isBetween(session.tokens() - 4, session.tokens() - 1);
            String answer = session.generate(haystack.needle().question() + "<|assistant|>", SHORT)
                    .text();
            assertThat(haystack.needle().answeredBy(answer)).isTrue();
        }
    }

    @Test
    void textWithoutBlanksWaitsAndIsRefusedBeyondTheContext() {
        try (Session session = model.session("full")) {
            String run = "0123456789".repeat(60);
            GenerationSummary fed = session.feed(run);
            assertThat(fed.promptTokens()).isZero();
            session.feed(run);
            int[] expected = model.model().tokenizer().encode(run + run + " Who?", true);
            session.generate(" Who?", SHORT).summary();
            assertThat(session.text()).startsWith(expected);
            session.reset();
            assertThatThrownBy(() -> session.feed("7".repeat(2_000_000)))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("room for " + model.contextTokens())
                    .hasMessageContaining("at least");
        }
    }

    /** As Qwen 3's does: the thoughts of earlier turns are left out. */
    @Test
    void aTemplateThatLeavesOutThoughtsHasTheConversationReadAnew(@TempDir Path folder) throws IOException {
        String template = "<|bos|>{% for m in messages %}<|{{ m.role }}|>"
                + "{{ m.content.split('</think>')[-1] if m.role == 'assistant' else m.content }}{% endfor %}"
                + "{% if add_generation_prompt %}<|assistant|><think>ring</think>{% endif %}";
        CrumbVariant.in(folder, config -> config, json -> {
            JsonNode tree = new JsonMapper().readTree(json);
            return tree.has("chat_template")
                    ? ((ObjectNode) tree).put("chat_template", template).toString()
                    : json;
        });
        try (LanguageModel thinking = LanguageModel.load(folder, EngineOptions.DEFAULT);
                Session session = thinking.session("full");
                Session fresh = thinking.session("full")) {
            String first =
                    session.ask("The ring of Marlow is 4821.", SHORT).summary().text();
            assertThat(thinking.model().tokenizer().decode(session.text(), false))
                    .contains("<think>ring</think>");
            GenerationSummary second =
                    session.ask("What is the ring of Marlow?", SHORT).summary();
            GenerationSummary whole = fresh.chat(
                            List.of(
                                    ChatMessage.user("The ring of Marlow is 4821."),
                                    ChatMessage.assistant(first),
                                    ChatMessage.user("What is the ring of Marlow?")),
                            SHORT)
                    .summary();
            assertThat(second.tokens()).isEqualTo(whole.tokens());
            assertThat(session.text()).isEqualTo(fresh.text());
            assertThat(second.promptTokens()).isEqualTo(whole.promptTokens());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"hel", "hello", "hello ", "hello wor", "hello world, he sai", "hello world, he said: 'r"})
    void whatIsFedInPiecesHasTheTokensOfTheWhole(String first) {
        String whole = "hello world, he said: 're you there?  No. ";
        try (Session pieces = model.session("full");
                Session atOnce = model.session("full")) {
            int[] expected = model.model().tokenizer().encode(whole + "Who?", true);
            pieces.feed(first);
            assertThat(pieces.tokens()).isEqualTo(model.model().tokenizer().encode(first, true).length);
            pieces.feed(whole.substring(first.length()));
            assertThat(pieces.generate("Who?", SHORT).summary().tokens())
                    .isEqualTo(atOnce.generate(expected, SHORT).summary().tokens());
            assertThat(pieces.text()).startsWith(expected);
        }
    }

    @Test
    void cancelReachesATextThatIsBeingCutIntoTokens() throws InterruptedException {
        String text = "the old man and the sea ".repeat(1_000_000);
        // A stream has no end that would be known before all of it is cut.
        try (Session session = model.session("streaming(budget=64,positions=slot)")) {
            session.feed("An old man sat by the sea.");
            int tokens = session.tokens();
            AtomicReference<GenerationSummary> summary = new AtomicReference<>();
            Thread canceller = Thread.ofPlatform().start(() -> {
                while (summary.get() == null) {
                    session.cancel();
                    Thread.onSpinWait();
                }
            });
            summary.set(session.generate(text, SHORT).summary());
            canceller.join();
            assertThat(summary.get().finishReason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(session.tokens()).isEqualTo(tokens);
        }
    }

    @Test
    void theSameSeedGivesTheSameTokens() {
        GenerationOptions options = GenerationOptions.builder()
                .maxTokens(20)
                .temperature(1.5f)
                .topP(.98f)
                .seed(77)
                .build();
        assertThat(wander(options))
                .isEqualTo(wander(options))
                .isNotEqualTo(wander(options.toBuilder().seed(78).build()));
    }

    private static List<Integer> wander(GenerationOptions options) {
        try (Session session = model.session("full")) {
            return session.generate("<|bos|> The old man", options).summary().tokens();
        }
    }

    @Test
    void aStopStringEndsTheAnswerAndIsNotShown() {
        Haystack haystack = haystack(8, 300, 1, .5);
        String answer = haystack.needle().answer();
        GenerationOptions options =
                SHORT.toBuilder().stopStrings(answer.substring(3)).build();
        try (Session session = model.session("full")) {
            GenerationSummary summary = session.ask(haystack.prompt(), options).summary();
            assertThat(summary.finishReason()).isEqualTo(FinishReason.STOP_STRING);
            assertThat(summary.text()).isEqualTo(answer.substring(0, 3));
        }
    }

    @Test
    void cancellingEndsAPrefillAtOnceAndTheSessionLivesOn() {
        Haystack haystack = haystack(13, 900, 1, .5);
        try (Session session = model.session("full")) {
            AtomicLong calls = new AtomicLong();
            GenerationSummary summary = session.ask(haystack.prompt(), SHORT).run(new GenerationListener() {
                @Override
                public void prefill(long done, long total) {
                    if (calls.incrementAndGet() == 2) {
                        session.cancel();
                    }
                }
            });
            assertThat(calls.get()).isEqualTo(2);
            assertThat(summary.finishReason()).isEqualTo(FinishReason.CANCELLED);
            assertThat(summary.tokens()).isEmpty();
            assertThat(session.kv().bytesNow()).isZero();
            assertThat(haystack.needle()
                            .answeredBy(session.ask(haystack.prompt(), SHORT).text()))
                    .isTrue();
        }
    }

    @Test
    void anotherThreadMayCancelBetweenTokens() throws InterruptedException {
        GenerationOptions endless =
                GenerationOptions.builder().maxTokens(1500).temperature(3).build();
        try (Session session = model.session("streaming(budget=64)")) {
            CountDownLatch begun = new CountDownLatch(1);
            Thread canceller = Thread.ofVirtual().start(() -> {
                try {
                    begun.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                session.cancel();
            });
            GenerationSummary summary = session.generate("<|bos|> The old man", endless)
                    .run(new GenerationListener() {
                        @Override
                        public void text(String piece) {
                            begun.countDown();
                            if (Thread.interrupted()) {
                                throw new IllegalStateException("interrupted");
                            }
                        }
                    });
            canceller.join();
            assertThat(summary.finishReason()).isIn(FinishReason.CANCELLED, FinishReason.STOP);
            assertThat(summary.tokens().size()).isLessThan(1500);
        }
    }

    @Test
    void anAnswerNobodyReadsOnGivesWayToTheNext() {
        Haystack haystack = haystack(21, 300, 1, .5);
        try (Session session = model.session("full")) {
            var first = session.ask(haystack.prompt(), SHORT).iterator();
            assertThat(first.hasNext()).isTrue();
            GenerationSummary second =
                    session.ask(haystack.needle().question(), SHORT).summary();
            assertThat(second.promptTokens()).isLessThan(40);
            assertThat(first.next()).isNotEmpty();
            assertThat(first.hasNext()).isFalse();
        }
    }

    @Test
    void twoSessionsShareOnePool() {
        Haystack one = haystack(41, 400, 1, .5);
        Haystack two = haystack(42, 300, 1, .5);
        try (Session first = model.session("full");
                Session second = model.session("full")) {
            var answer = first.ask(one.prompt(), SHORT).iterator();
            StringBuilder text = new StringBuilder(answer.next());
            assertThat(two.needle().answeredBy(second.ask(two.prompt(), SHORT).text()))
                    .isTrue();
            answer.forEachRemaining(text::append);
            assertThat(one.needle().answeredBy(text.toString())).isTrue();
            assertThat(model.pool().bytesInUse())
                    .isEqualTo(first.kv().bytesNow() + second.kv().bytesNow());
        }
    }

    @Test
    void whatExceedsTheContextIsRefusedWithTheNumbers() {
        try (Session session = model.session("cake(budget=64)")) {
            int context = model.model().config().contextLength();
            int[] tokens = new int[context - 48];
            java.util.Arrays.fill(tokens, 300);
            refused(() -> session.generate(tokens, GenerationOptions.DEFAULT), Category.OVER_CAPACITY)
                    .contains((context - 48 + GenerationOptions.DEFAULT.maxTokens()) + " tokens")
                    .contains("context is " + context);
            refused(() -> session.generate("", SHORT), Category.BAD_INPUT).contains("empty");
        }
    }

    @Test
    void aPoolTooSmallRefusesBeforeAnythingIsComputed() {
        EngineOptions small =
                EngineOptions.builder().threads(1).kvMemoryBytes(1 << 20).build();
        Haystack haystack = haystack(13, 900, 1, .5);
        try (LanguageModel narrow = Crumb.load(small);
                Session full = narrow.session("full");
                Session cake = narrow.session("cake(budget=64)")) {
            refused(() -> full.ask(haystack.prompt(), SHORT), Category.OVER_CAPACITY)
                    .contains("KV memory");
            assertThat(cake.ask(haystack.prompt(), SHORT).summary().kv().bytesPeak())
                    .isLessThanOrEqualTo(1 << 20);
        }
    }

    @Test
    void betweenTurnsASessionReservesWhatItHolds() {
        Haystack haystack = haystack(13, 900, 1, .5);
        GenerationSummary turn;
        try (Session session = model.session("cake(budget=64)")) {
            turn = session.ask(haystack.prompt(), SHORT).summary();
            assertThat(model.pool().reservedBytes()).isEqualTo(turn.kv().bytesNow());
            session.reset();
            assertThat(model.pool().reservedBytes()).isZero();
        }
        EngineOptions enough = EngineOptions.builder()
                .threads(2)
                .kvMemoryBytes(turn.plan().kvPeakBytes() + turn.kv().bytesNow())
                .build();
        try (LanguageModel narrow = Crumb.load(enough);
                Session first = narrow.session("cake(budget=64)");
                Session second = narrow.session("cake(budget=64)")) {
            assertThat(first.ask(haystack.prompt(), SHORT).summary().tokens()).isEqualTo(turn.tokens());
            assertThat(second.ask(haystack.prompt(), SHORT).summary().tokens()).isEqualTo(turn.tokens());
        }
    }

    @Test
    void aWrongPolicyIsRefused() {
        refused(() -> model.session("cak(budget=64)"), Category.BAD_INPUT).contains("did you mean cake");
    }

    @Test
    void closingTheModelClosesItsSessions() {
        LanguageModel other = Crumb.load(EngineOptions.builder().threads(1).build());
        Session session = other.session("full");
        session.generate("<|bos|> The old man", SHORT).text();
        other.close();
        other.close();
        session.close();
        assertThatThrownBy(() -> other.session("full")).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closingTheModelClosesSessionsThatAreOpenedMeanwhile() throws InterruptedException {
        LanguageModel other = Crumb.load(EngineOptions.builder().threads(1).build());
        AtomicReference<Throwable> failure = new AtomicReference<>();
        AtomicReference<Session> opened = new AtomicReference<>();
        List<Thread> waiting = other.exclusively(() -> {
            Thread opening = waiting(() -> opened.set(other.session("full")), failure);
            return List.of(opening, waiting(other::close, failure));
        });
        for (Thread thread : waiting) {
            thread.join();
        }
        assertThat(failure).hasNullValue();
        assertThat(other.pool().openLeases()).isZero();
        assertThatThrownBy(() -> Objects.requireNonNull(opened.get()).feed("a")).hasMessageContaining("closed");
    }

    /** A thread that does something and is held up in it. */
    private static Thread waiting(Runnable work, AtomicReference<Throwable> failure) {
        Thread thread = Thread.ofPlatform()
                .uncaughtExceptionHandler((failed, e) -> failure.set(e))
                .start(work);
        while (thread.getState() != Thread.State.WAITING && thread.isAlive()) {
            Thread.onSpinWait();
        }
        return thread;
    }

    private static org.assertj.core.api.AbstractStringAssert<?> refused(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, Category category) {
        Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(call);
        assertThat(thrown).isInstanceOf(LayercakeException.class);
        LayercakeException failure = (LayercakeException) Objects.requireNonNull(thrown);
        assertThat(failure.category()).isEqualTo(category);
        return assertThat(Objects.requireNonNull(failure.getMessage()));
    }

    private static Haystack haystack(long seed, int tokens, int facts, double depth) {
        return Haystack.generate(
                seed, tokens, facts, depth, text -> model.model().tokenizer().encode(text, false).length);
    }
}
