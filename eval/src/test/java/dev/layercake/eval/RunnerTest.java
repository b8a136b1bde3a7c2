package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.engine.LanguageModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Evaluations on the bundled model. */
final class RunnerTest {
    private static final List<Contender> CONTENDERS =
            Contender.grid(List.of("full", "streaming"), List.of(Budget.parse("10%")));

    @SuppressWarnings("NullAway.Init")
    private static LanguageModel language;

    @SuppressWarnings("NullAway.Init")
    private static Evaluation evaluation;

    @BeforeAll
    static void load() {
        language = CrumbModel.load();
        SyntheticTasks tasks =
                new SyntheticTasks(new PromptEncoder(language.model()), SyntheticTasks.Options.of(3, 11));
        evaluation = tasks.needle(List.of(256), List.of(0.2, 0.9));
    }

    @AfterAll
    static void close() {
        language.close();
    }

    @Test
    void fullFindsWhatStreamingHasForgotten(@TempDir Path folder) {
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            run(Runner.Compression.PROMPT, results);
            Summary summary = Summary.of(evaluation, evaluation.setup(), results.outcomes());
            assertThat(summary.rows()).extracting(Summary.Row::label).containsExactly("full", "streaming at 10%");
            assertThat(summary.rows().getFirst().all().correct()).isGreaterThanOrEqualTo(5);
            assertThat(summary.rows().get(1).all().correct())
                    .isLessThan(summary.rows().getFirst().all().correct());
            assertThat(summary.rows().get(1).memoryShare()).isLessThan(0.6);
            for (Outcome outcome : results.outcomes()) {
                assertThat(outcome.score()).isEqualTo(outcome.answer().equals(outcome.expected()) ? 1 : 0);
                assertThat(outcome.promptTokens()).isBetween(240, 255);
                assertThat(outcome.kvBytes()).isLessThanOrEqualTo(outcome.kvBytesPeak());
            }
        }
    }

    @Test
    void aRunGoesOnWhereItStopped(@TempDir Path folder) throws IOException {
        List<String> first;
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            first = run(Runner.Compression.PROMPT, results);
        }
        assertThat(first).hasSize(12).last().asString().startsWith("12/12 ");
        Path file = folder.resolve(ResultsFile.RESULTS);
        String whole = Files.readString(file);
        List<String> lines = whole.lines().toList();
        // As if the machine had gone dark while the eighth line was written.
        Files.writeString(
                file,
                String.join("\n", lines.subList(0, 7)) + "\n" + lines.get(7).substring(0, 40));
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            assertThat(run(Runner.Compression.PROMPT, results)).isEqualTo(first.subList(7, 12));
            assertThat(run(Runner.Compression.PROMPT, results)).isEmpty();
            assertThat(results.outcomes()).extracting(Outcome::sample).hasSize(12);
        }
    }

    @Test
    void aContextCanBeCutBeforeTheQuestionIsKnown(@TempDir Path folder) {
        try (ResultsFile<Outcome> results = ResultsFile.open(folder, evaluation.setup(), Outcome.class)) {
            run(Runner.Compression.CONTEXT, results);
            List<Outcome> full = results.outcomes().stream()
                    .filter(outcome -> outcome.policy().equals("full"))
                    .toList();
            // Nothing is cut, so that two turns must be as good as one.
            assertThat(full.stream().filter(Outcome::correct).count()).isGreaterThanOrEqualTo(5);
            assertThat(full).allMatch(outcome -> outcome.promptTokens() > 240);
        }
    }

    @Test
    void bothPartsOfAPromptTogetherAreThePrompt() {
        PromptEncoder encoder = new PromptEncoder(language.model());
        for (Sample sample : evaluation.samples()) {
            PromptEncoder.Tokens tokens = encoder.encode(sample.prompt());
            String whole = language.model().tokenizer().decode(tokens.all(), false);
            assertThat(whole).contains(" " + sample.prompt().message());
            assertThat(language.model().tokenizer().decode(tokens.question(), false))
                    .startsWith(sample.prompt().question());
            assertThat(tokens.all())
                    .isEqualTo(language.model().tokenizer().encode(whole, false))
                    .hasSize(tokens.count());
        }
    }

    private static List<String> run(Runner.Compression compression, ResultsFile<Outcome> results) {
        List<String> told = new ArrayList<>();
        new Runner(language, compression)
                .run(
                        evaluation.samples(),
                        CONTENDERS,
                        results,
                        (outcome, done, total) ->
                                told.add(done + "/" + total + " " + outcome.key() + " " + outcome.answer()));
        return told;
    }
}
