package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.Parameter;
import dev.layercake.kv.policy.Policies;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every registered method and modifier in conversations with the bundled model. */
final class EveryPolicyTest extends CrumbTest {
    private static final GenerationOptions SHORT =
            GenerationOptions.builder().maxTokens(8).build();

    static Stream<String> specs() {
        return specs(64);
    }

    private static Stream<String> specs(int budget) {
        List<String> specs = new ArrayList<>();
        for (Policies.Description method : Policies.all()) {
            if (method.name().equals("specache")) {
                // Its defaults would hold as many exact entries as the text has.
                specs.add("specache(residual=32,fetch=8)");
            } else if (method.name().equals("think")) {
                // What its defaults save would disappear in the rounding to whole pages.
                specs.add("think(ratio=0.75)");
            } else if (!needsFile(method)) {
                boolean budgeted =
                        method.parameters().stream().map(Parameter::key).anyMatch("budget"::equals);
                specs.add(method.name() + (budgeted ? "(budget=" + budget + ")" : ""));
            }
        }
        for (Policies.Description modifier : Policies.modifiers()) {
            if (needsFile(modifier)) {
                continue;
            }
            specs.add("snapkv(budget=" + budget + ")+" + modifier.name());
            // Expected attention is judged after a prompt only.
            if (!modifier.name().equals("every")) {
                specs.add("expected(budget=" + budget + ")+" + modifier.name());
            }
        }
        specs.add("expected(budget=" + budget + ")+ada(rounding=floor)+critical+rerotate");
        specs.add("streaming(budget=" + budget + ",positions=slot)");
        return specs.stream();
    }

    /** Those are tested where their files are made. */
    private static boolean needsFile(Policies.Description policy) {
        return policy.parameters().stream()
                .map(Parameter::key)
                .anyMatch(key -> key.equals("profile") || key.equals("weights"));
    }

    @ParameterizedTest
    @MethodSource("specs")
    void twoTurnsFitTheirPlans(String spec) {
        Haystack haystack = haystack(17, 300);
        try (Session session = model.session(spec)) {
            long planned = 0;
            for (String text : List.of(haystack.prompt(), haystack.needle().question())) {
                GenerationSummary summary = session.ask(text, SHORT).summary();
                planned = Math.max(planned, summary.plan().kvPeakBytes());
                assertThat(summary.tokens()).isNotEmpty();
                assertThat(summary.kv().tokensSeen()).isLessThanOrEqualTo(session.tokens());
                assertThat(summary.kv().bytesPeak()).as("of all turns").isLessThanOrEqualTo(planned);
                if (!spec.equals("full") && !spec.startsWith("quest")) {
                    assertThat(summary.kv().bytesNow()).isLessThan(summary.kv().bytesFull());
                }
            }
        }
    }

    /** Without those that do not keep all of a text exactly, however short it is. */
    static Stream<String> roomySpecs() {
        List<String> inexact = List.of("mikv", "specache", "think");
        return specs(600).filter(spec -> inexact.stream().noneMatch(spec::startsWith));
    }

    @ParameterizedTest
    @MethodSource("roomySpecs")
    void aBudgetAboveTheTextGivesTheTokensOfFull(String spec) {
        Haystack haystack = haystack(5, 400);
        try (Session full = model.session("full");
                Session other = model.session(spec)) {
            assertThat(other.ask(haystack.prompt(), SHORT).summary().tokens())
                    .isEqualTo(full.ask(haystack.prompt(), SHORT).summary().tokens());
        }
    }

    @Test
    void aStreamBySlotsMayBeLongerThanTheContext() {
        int context = model.contextTokens();
        int[] text = new int[context + 100];
        Arrays.setAll(text, i -> 300 + i % 50);
        try (Session original = model.session("streaming(budget=64)");
                Session slots = model.session("streaming(budget=64,positions=slot)")) {
            assertThatThrownBy(() -> original.feed(text))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("context is " + context);
            slots.feed(text);
            GenerationSummary more = slots.generate(text, SHORT).summary();
            assertThat(more.tokens()).isNotEmpty();
            assertThat(more.kv().tokensSeen()).isGreaterThan(2 * context);
            assertThat(slots.positions(0, 0)).hasSize(64).startsWith(0, 1, 2, 3);
        }
        try (Session tooWide = model.session("streaming(budget=" + (context + 1) + ",positions=slot)")) {
            assertThatThrownBy(() -> tooWide.feed(text)).isInstanceOf(LayercakeException.class);
        }
    }

    /** What is kept is one short text after the cut, so a conversation may go on where the text alone would not fit. */
    @Test
    void rerotatedTurnsGoOnFromWhatIsKept() {
        int context = model.contextTokens();
        int[] text = new int[context * 2 / 3];
        Arrays.setAll(text, i -> 300 + i % 50);
        try (Session session = model.session("keydiff(budget=64)+rerotate")) {
            session.feed(text);
            session.feed(text);
            assertThat(session.tokens()).isGreaterThan(context);
            assertThat(session.generate(text, SHORT).summary().tokens()).isNotEmpty();
        }
    }

    private static Haystack haystack(long seed, int tokens) {
        return Haystack.generate(
                seed, tokens, 1, .5, text -> model.model().tokenizer().encode(text, false).length);
    }
}
