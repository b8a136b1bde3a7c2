package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Conversations with Crumb while most of the cache is in few bits. */
final class LowBitSessionTest extends CrumbTest {
    private static final GenerationOptions GREEDY =
            GenerationOptions.builder().maxTokens(12).build();
    private static final GenerationOptions SAMPLED =
            GenerationOptions.builder().maxTokens(12).temperature(1).seed(5).build();

    private static int[] prompt(int tokens) {
        int[] prompt = new int[tokens];
        for (int i = 0; i < tokens; i++) {
            prompt[i] = 20 + i * 31 % 150;
        }
        return prompt;
    }

    /** The answers of two turns. */
    private static List<List<Integer>> answers(String kv, GenerationOptions options) {
        List<List<Integer>> answers = new ArrayList<>();
        try (Session session = model.session(kv)) {
            answers.add(session.generate(prompt(150), options).summary().tokens());
            answers.add(session.generate(prompt(30), options).summary().tokens());
        }
        return answers;
    }

    @Test
    void whenEverythingIsFetchedTheAnswerIsThatOfFull() {
        String all = "specache(bits=1,fetch=4096,residual=16,group=8,slow=ram)";
        assertThat(answers(all, GREEDY).getFirst())
                .isEqualTo(answers("full", GREEDY).getFirst());
        assertThat(answers(all, SAMPLED).getFirst())
                .isEqualTo(answers("full", SAMPLED).getFirst());
    }

    /** CAKE with SpeCache's retention: what it evicts is fetched when a guess looks at it. */
    @Test
    void whatCakeEvictsIsNotLostIfItIsFetched() {
        String all = "cake(budget=48)+lowbit(fetch=4096,slow=ram)";
        assertThat(answers(all, GREEDY).getFirst())
                .isEqualTo(answers("full", GREEDY).getFirst());
        try (Session session = model.session("cake(budget=48)+lowbit(fetch=8)")) {
            GenerationSummary summary = session.generate(prompt(400), GREEDY).summary();
            assertThat(summary.kv().bytesSlow()).isPositive();
            assertThat(summary.kv().bytesPeak())
                    .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
        }
    }

    @Test
    void aFileAndRamGiveTheSameAnswers() {
        for (GenerationOptions options : List.of(GREEDY, SAMPLED)) {
            assertThat(answers("specache(fetch=9,residual=16,group=16,slow=file)", options))
                    .isEqualTo(answers("specache(fetch=9,residual=16,group=16,slow=ram)", options));
        }
    }

    @Test
    void theSummaryTellsTheBytesOfBothTiers() {
        try (Session session = model.session("specache(fetch=9,residual=16,group=16,slow=ram)")) {
            KvUsage kv = session.generate(prompt(150), GREEDY).summary().kv();
            var config = model.model().config();
            long entryBytes = 2L * 2 * config.headDim();
            long heads = (long) config.layerCount() * config.kvHeads();
            // 150 + 12 tokens, of which at most 31 are exact; the slow tier grows by 64 tokens.
            assertThat(kv.bytesSlow()).isEqualTo(heads * 192 * entryBytes);
            assertThat(kv.toString()).contains("in the slow tier");
            assertThat(kv.bytesNow()).isLessThanOrEqualTo(kv.bytesPeak());
            assertThat(kv.slices().getFirst().lowEntries()).containsOnly((kv.tokensSeen() - 16) / 16 * 16);
        }
        try (Session session = model.session("full")) {
            assertThat(session.kv().bytesSlow()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mikv(ratio=0.2,bits=2)",
                "mikv(ratio=0.3,bits=4,high=int8)",
                "cake(budget=24,window=8)+lowbit",
                "cake(budget=24,window=8)+ada+lowbit(bits=3)",
                "specache(bits=1,fetch=0,residual=16,group=8)",
            })
    void twoTurnsKeepToTheirPlan(String kv) {
        try (Session session = model.session(kv)) {
            for (int turn = 0; turn < 2; turn++) {
                GenerationSummary summary =
                        session.generate(prompt(90 + turn), GREEDY).summary();
                assertThat(summary.kv().bytesPeak())
                        .isLessThanOrEqualTo(summary.plan().kvPeakBytes());
                long held = summary.kv().slices().stream()
                        .mapToLong(slice -> slice.total() + slice.lowTotal())
                        .sum();
                assertThat(held)
                        .as("nothing is forgotten")
                        .isEqualTo((long) summary.kv().tokensSeen()
                                * model.model().config().layerCount()
                                * model.model().config().kvHeads());
            }
        }
    }
}
