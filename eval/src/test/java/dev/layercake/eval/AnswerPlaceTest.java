package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.engine.LanguageModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers that lie where a policy keeps everything: found, marked and left out. */
final class AnswerPlaceTest {
    @SuppressWarnings("NullAway.Init")
    private static LanguageModel language;

    @SuppressWarnings("NullAway.Init")
    private static PromptEncoder encoder;

    @BeforeAll
    static void load() {
        language = CrumbModel.load();
        encoder = new PromptEncoder(language.model());
    }

    @AfterAll
    static void close() {
        language.close();
    }

    private static Evaluation needle(List<Double> depths) {
        return new SyntheticTasks(encoder, SyntheticTasks.Options.of(2, 5)).needle(List.of(256), depths);
    }

    private static int distance(Sample sample, Runner.Compression compression) {
        return AnswerPlace.distance(encoder, sample, encoder.encode(sample.prompt()), compression)
                .orElseThrow();
    }

    @Test
    void theDistanceIsThatOfTheAnswersFirstToken() {
        for (Sample sample : needle(List.of(0.0, 0.5, 1.0)).samples()) {
            PromptEncoder.Tokens tokens = encoder.encode(sample.prompt());
            int[] all = tokens.all();
            int distance = distance(sample, Runner.Compression.PROMPT);
            String fromThere = language.model()
                    .tokenizer()
                    .decode(Arrays.copyOfRange(all, all.length - distance, all.length), false);
            assertThat(fromThere)
                    .as(sample.id())
                    .startsWith(" " + sample.facts().getFirst());
            assertThat(distance - distance(sample, Runner.Compression.CONTEXT))
                    .as("the question follows the text")
                    .isEqualTo(tokens.question().length);
        }
    }

    @Test
    void everyFamilySaysWhereItsAnswersLie() {
        List<Sample> samples = new SyntheticTasks(encoder, SyntheticTasks.Options.of(2, 3))
                .families(List.of(TaskFamily.values()), List.of(900))
                .samples();
        for (Sample sample : samples) {
            assertThat(distance(sample, Runner.Compression.PROMPT))
                    .as(sample.id())
                    .isBetween(2, encoder.encode(sample.prompt()).count());
        }
    }

    @Test
    void ofSeveralFactsTheFirstOneCountsAndOfSeveralSentencesTheLast() {
        Prompt prompt = new Prompt(" Ivan is 4821. Rain fell. Elsa is 9034. Ivan is 4821.", " Who?", false);
        List<String> evidence = List.of(" Ivan is 4821.", " Elsa is 9034.");
        Sample both = sample(prompt, List.of("4821", "9034"), evidence);
        Sample one = sample(prompt, List.of("4821"), evidence);
        assertThat(distance(both, Runner.Compression.CONTEXT)).isEqualTo(encoder.count(" 9034. Ivan is 4821."));
        assertThat(distance(one, Runner.Compression.CONTEXT)).isEqualTo(encoder.count(" 4821."));
        Sample unknown = sample(prompt, List.of("7777"), evidence);
        assertThat(AnswerPlace.distance(encoder, unknown, encoder.encode(prompt), Runner.Compression.PROMPT))
                .isEmpty();
    }

    private static Sample sample(Prompt prompt, List<String> facts, List<String> evidence) {
        return new Sample(
                "s", prompt, " x", facts, evidence, TextMatch.CONTAINS, ResultsFileTest.Samples.labels("1", "0%"));
    }

    @Test
    void answersInTheWindowAreMarkedAndCanBeLeftOut(@TempDir Path folder) {
        Evaluation evaluation = needle(List.of(0.0, 1.0));
        List<Contender> contenders = Contender.grid(List.of("full", "random(window=32)"), List.of(Budget.parse("64")));
        Runner runner = new Runner(language, Runner.Compression.PROMPT);
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            runner.run(evaluation.samples(), contenders, results, (outcome, done, total) -> {});
            for (Outcome outcome : results.outcomes()) {
                boolean atTheEnd = "100%".equals(outcome.labels().get("depth"));
                assertThat(outcome.inWindow())
                        .as(outcome.sample() + " " + outcome.policy())
                        .isEqualTo(atTheEnd && !outcome.policy().equals("full"));
            }
            Summary summary = Summary.of(evaluation, evaluation.setup(), results.outcomes());
            assertThat(summary.rows()).extracting(Summary.Row::inWindow).containsExactly(0, 2);
            assertThat(Table.lines(summary).getFirst()).endsWith("in window");
            assertThat(Table.legend(summary).getLast()).contains("--skip-in-window");
            assertThat(Table.json(summary)).contains("\"in_window\" : 2");
        }
        // What was written says it as well, and is read again.
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            assertThat(results.outcomes().stream().filter(Outcome::inWindow)).hasSize(2);
        }
        assertThat(runner.outsideWindows(evaluation.samples(), contenders))
                .extracting(sample -> sample.labels().get("depth"))
                .containsExactly("0%", "0%");
        List<Sample> all = evaluation.samples();
        assertThat(runner.outsideWindows(all, Contender.grid(List.of("full"), List.of())))
                .extracting(Sample::id)
                .containsExactlyElementsOf(IntStream.range(0, all.size())
                        .mapToObj(index -> all.get(index).id())
                        .toList());
    }
}
