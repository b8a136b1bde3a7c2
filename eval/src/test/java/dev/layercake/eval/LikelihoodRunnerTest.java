package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Excerpts of texts, and what policies make of them, on the bundled model. */
final class LikelihoodRunnerTest {
    private static final int TOKENS = 120;
    private static final int NEXT = 10;
    private static final List<Contender> CONTENDERS = LikelihoodRunner.withFull(
            Contender.grid(List.of("streaming", "full"), List.of(Budget.parse("16"), Budget.parse("100%"))));

    @SuppressWarnings("NullAway.Init")
    private static LanguageModel language;

    @SuppressWarnings("NullAway.Init")
    private static Excerpts excerpts;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @BeforeAll
    static void load() {
        language = CrumbModel.load();
        excerpts = new Excerpts(language.model().tokenizer(), TOKENS, NEXT);
    }

    @AfterAll
    static void close() {
        language.close();
    }

    @Test
    void everyPolicyIsComparedWithFull() {
        List<Excerpt> two = excerpts.generated(3, 2);
        LikelihoodSummary summary;
        try (ResultsFile<Likelihoods> results = open()) {
            new LikelihoodRunner(language).run(two, CONTENDERS, results, (outcome, done, total) -> {});
            summary = LikelihoodSummary.of(setup(), results.outcomes(LikelihoodRunner.ids(two), CONTENDERS));
        }
        assertThat(summary.rows())
                .extracting(row -> row.policy() + row.budget())
                .containsExactly("full", "streaming16", "streaming100%");
        assertThat(summary.parts()).containsExactly("1-2", "3-5", "6-7", "8-10");
        LikelihoodSummary.Row full = summary.rows().getFirst();
        assertThat(full.difference().mean()).isZero();
        LikelihoodSummary.Row cut = summary.rows().get(1);
        double mean = 0;
        for (Excerpt excerpt : two) {
            double[] with = score("full", excerpt);
            double[] without = score("streaming(budget=16)", excerpt);
            for (int token = 0; token < NEXT; token++) {
                mean += Math.abs(with[token] - without[token]) / NEXT / two.size();
            }
        }
        assertThat(cut.difference().mean()).isCloseTo(mean, within(2e-6)).isPositive();
        assertThat(cut.memoryShare()).isLessThan(1);
        assertThat(Math.log(cut.perplexity() / full.perplexity()))
                .isCloseTo(cut.loss().mean(), within(1e-9));
        double parts = 0;
        int[] lengths = {2, 3, 2, 3};
        for (int part = 0; part < lengths.length; part++) {
            parts += cut.differenceByPart().get(part) * lengths[part] / NEXT;
        }
        assertThat(parts).isCloseTo(cut.difference().mean(), within(1e-9));
        // Nothing is cut off the prompt; what the continuation evicts from it is little.
        assertThat(summary.rows().get(2).difference().mean())
                .isLessThan(cut.difference().mean());
        assertThat(LikelihoodTable.lines(summary)).hasSize(4);
        assertThat(LikelihoodTable.csv(summary).lines()).hasSize(4).allMatch(line -> line.split(",").length == 16);
    }

    private static double[] score(String spec, Excerpt excerpt) {
        try (Session session = language.session(spec)) {
            return session.score(excerpt.text().prompt(), excerpt.text().continuation());
        }
    }

    @Test
    void aRunGoesOnWhereItStoppedAndTakesMore() throws IOException {
        List<String> seen = new ArrayList<>();
        LikelihoodRunner runner = new LikelihoodRunner(language);
        for (int count : new int[] {1, 2, 2}) {
            try (ResultsFile<Likelihoods> results = open()) {
                runner.run(
                        excerpts.generated(3, count),
                        CONTENDERS.subList(0, 2),
                        results,
                        (outcome, done, total) -> seen.add(done + "/" + total + " " + outcome.sample()));
            }
        }
        assertThat(seen)
                .containsExactly("1/2 generated 3@0", "2/2 generated 3@0", "3/4 generated 3@1", "4/4 generated 3@1");
        assertThat(Files.readAllLines(folder.resolve(ResultsFile.RESULTS))).hasSize(4);
    }

    @Test
    void excerptsOfFilesBeginLinesAndAreKnownByTheirContent() throws IOException {
        Path one = write("one.txt", "The river was low.\n", 200);
        Path other = write("other.txt", "Bread and salt, said the miller.\n", 200);
        List<Excerpt> few = excerpts.of(List.of(folder), 2);
        List<Excerpt> more = excerpts.of(List.of(one, other), 5);
        assertThat(few).extracting(Excerpt::id).hasSize(2).allMatch(id -> id.matches("(one|other).txt [0-9a-f]{8}@0"));
        assertThat(more).extracting(Excerpt::id).doesNotHaveDuplicates().hasSize(5);
        assertThat(LikelihoodRunner.ids(more)).containsAll(LikelihoodRunner.ids(few));
        for (Excerpt excerpt : more) {
            String text = language.model().tokenizer().decode(excerpt.text().prompt(), false);
            assertThat(text.strip()).startsWith(excerpt.id().startsWith("one") ? "The river" : "Bread and");
            assertThat(excerpt.text().prompt()).hasSize(TOKENS);
            assertThat(excerpt.text().continuation()).hasSize(NEXT);
        }
        write("one.txt", "The river was high.\n", 200);
        assertThat(LikelihoodRunner.ids(excerpts.of(List.of(one), 1)))
                .doesNotContainAnyElementsOf(LikelihoodRunner.ids(few));
    }

    @Test
    void tooLittleTextIsRefusedInOneSentence() throws IOException {
        Path little = write("little.txt", "The river was low.\n", 30);
        assertThatThrownBy(() -> excerpts.of(List.of(little), 9))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("--excerpts");
        assertThatThrownBy(() -> excerpts.of(List.of(folder.resolve("none")), 1))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("--text");
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThatThrownBy(() -> excerpts.of(List.of(empty), 1))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("no files named *.txt");
    }

    private Path write(String name, String line, int times) throws IOException {
        return Files.writeString(folder.resolve(name), line.repeat(times));
    }

    private ResultsFile<Likelihoods> open() {
        return ResultsFile.open(folder, setup(), Likelihoods.class);
    }

    private static SequencedMap<String, String> setup() {
        return new LinkedHashMap<>(Map.of("tokens", "" + TOKENS));
    }
}
