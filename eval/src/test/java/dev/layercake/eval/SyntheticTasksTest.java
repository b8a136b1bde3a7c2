package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class SyntheticTasksTest {
    private static final int LENGTH = 700;

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

    @ParameterizedTest
    @EnumSource
    void theSameSeedTellsTheSameStory(TaskFamily family) {
        assertThat(samples(family, 5, 1)).isEqualTo(samples(family, 5, 1));
        assertThat(samples(family, 5, 1)).doesNotContainAnyElementsOf(samples(family, 5, 2));
    }

    @ParameterizedTest
    @EnumSource
    void promptAndAnswerHaveExactlyTheTokensAskedFor(TaskFamily family) {
        for (Sample sample : samples(family, 20, 3)) {
            int tokens = encoder.encode(sample.prompt()).count() + encoder.count(sample.answer()) + 1;
            assertThat(tokens).as(sample.id()).isEqualTo(LENGTH);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theAnswerIsInTheTextAndItsFactsInTheAnswer(TaskFamily family) {
        for (Sample sample : samples(family, 20, 4)) {
            assertThat(sample.answer()).startsWith(" ").contains(sample.facts());
            assertThat(sample.facts()).isNotEmpty();
            for (String fact : sample.facts()) {
                assertThat(sample.prompt().text()).contains(fact);
            }
            assertThat(TextMatch.EXACT.score(sample.answer() + " ", sample)).isEqualTo(1);
            assertThat(TextMatch.CONTAINS.score("I think:" + sample.answer().toUpperCase(Locale.ROOT), sample))
                    .isEqualTo(1);
            assertThat(TextMatch.EXACT.score("nothing", sample)).isZero();
            assertThat(TextMatch.CONTAINS.score("nothing", sample)).isZero();
        }
    }

    @Test
    void growingAGridChangesNothingInIt() {
        SyntheticTasks few = new SyntheticTasks(encoder, SyntheticTasks.Options.of(1, 9));
        SyntheticTasks many = new SyntheticTasks(encoder, SyntheticTasks.Options.of(3, 9));
        List<Sample> grown = many.needle(List.of(300, 400), List.of(0.0, 0.5)).samples();
        assertThat(grown).containsAll(few.needle(List.of(400), List.of(0.5)).samples());
        assertThat(grown).extracting(Sample::id).doesNotHaveDuplicates().hasSize(12);
    }

    @Test
    void theNeedleLiesAtItsDepth() {
        SyntheticTasks tasks = new SyntheticTasks(encoder, SyntheticTasks.Options.of(5, 1));
        for (Sample sample :
                tasks.needle(List.of(LENGTH), SyntheticTasks.depths(5)).samples()) {
            String text = sample.prompt().text();
            double depth = Summary.number(sample.labels().getOrDefault("depth", "")) / 100;
            double place = (double) text.indexOf(sample.facts().getFirst()) / text.length();
            assertThat(place).as(sample.id()).isBetween(depth - 0.12, depth + 0.12);
        }
        assertThat(SyntheticTasks.depths(1)).containsExactly(0.5);
        assertThat(SyntheticTasks.depths(3)).containsExactly(0.0, 0.5, 1.0);
    }

    @Test
    void twoHopsCanBeFollowed() {
        Pattern link = Pattern.compile(" of (\\w+) is (\\w+)'s\\.");
        Pattern end = Pattern.compile(" of (\\w+) is (\\d+)\\.");
        for (Sample sample : samples(TaskFamily.HOPS, 20, 5)) {
            Map<String, String> next = pairs(link, sample.prompt().text());
            Map<String, String> codes = pairs(end, sample.prompt().text());
            String asked = lastWord(sample.prompt().question());
            String other = next.getOrDefault(asked, "");
            assertThat(sample.answer()).isEqualTo(" " + other + "'s is " + codes.get(other));
            assertThat(codes).doesNotContainKey(asked);
        }
    }

    @Test
    void variablesCanBeTracked() {
        Pattern put = Pattern.compile("(?:Put|put) (\\d+) in (\\w+)\\.");
        Pattern copy = Pattern.compile("(?:Copy|copy) (\\w+) to (\\w+)\\.");
        for (Sample sample : samples(TaskFamily.TRACKING, 20, 6)) {
            Map<String, String> starts = pairs(put, sample.prompt().text());
            Map<String, String> copies = pairs(copy, sample.prompt().text());
            String place = starts.getOrDefault(lastWord(sample.prompt().question()), "");
            String second = copies.getOrDefault(place, "");
            assertThat(sample.answer())
                    .isEqualTo(" " + place + " to " + second + " to " + copies.getOrDefault(second, ""));
        }
    }

    @Test
    void labelsCanBeLearned() {
        Pattern example = Pattern.compile(" From (\\w+), the (\\w+): (\\w+ \\w+)\\.");
        for (Sample sample : samples(TaskFamily.LABELS, 20, 7)) {
            Map<String, Set<String>> labels = new HashMap<>();
            Set<String> towns = new HashSet<>();
            Matcher match = example.matcher(sample.prompt().text());
            while (match.find()) {
                labels.computeIfAbsent(match.group(2), key -> new HashSet<>()).add(match.group(3));
                assertThat(towns.add(match.group(1))).isTrue();
            }
            String trade = lastWord(sample.prompt().question());
            assertThat(labels.get(trade)).containsExactly(sample.answer().strip());
            assertThat(towns).noneMatch(town -> sample.prompt().question().contains(town));
        }
    }

    @Test
    void askedBeforeMeansAskedTwice() {
        SyntheticTasks.Options before = new SyntheticTasks.Options(3, 1, null, true, false, false, TextMatch.EXACT);
        for (Sample sample : new SyntheticTasks(encoder, before)
                .families(List.of(TaskFamily.LOOKUP), List.of(LENGTH))
                .samples()) {
            String question = sample.prompt().question().strip();
            assertThat(sample.prompt().message()).startsWith(question).endsWith(question);
            assertThat(encoder.encode(sample.prompt()).count() + encoder.count(sample.answer()) + 1)
                    .isEqualTo(LENGTH);
        }
    }

    @Test
    void newPhrasingsAreOthers() {
        SyntheticTasks.Options unseen = new SyntheticTasks.Options(3, 1, null, false, true, false, TextMatch.EXACT);
        Evaluation evaluation = new SyntheticTasks(encoder, unseen).needle(List.of(300), List.of(0.5));
        assertThat(evaluation.samples())
                .allMatch(sample -> sample.prompt().question().startsWith(" Please find the "));
        assertThat(evaluation.setup()).containsEntry("phrasings", "new");
    }

    @Test
    void factsCanHideInFiles(@TempDir Path folder) throws IOException {
        StringBuilder text = new StringBuilder("Title of the book\n\n");
        for (int index = 0; index < 60; index++) {
            text.append("It was the best\nof ").append(index).append(" times, \"was it not?\" He laughed. ");
        }
        Files.writeString(folder.resolve("one.txt"), text);
        Files.writeString(folder.resolve("ignored.md"), "Not prose.");
        SyntheticTasks.Options files = new SyntheticTasks.Options(4, 1, folder, false, false, false, TextMatch.EXACT);
        Evaluation evaluation = new SyntheticTasks(encoder, files).needle(List.of(400), List.of(0.5));
        for (Sample sample : evaluation.samples()) {
            assertThat(sample.prompt().text())
                    .contains(" It was the best of ", sample.facts().getFirst())
                    .doesNotContain("Not prose", "\n");
            assertThat(encoder.encode(sample.prompt()).count() + encoder.count(sample.answer()) + 1)
                    .isEqualTo(400);
        }
        assertThat(evaluation.setup().get("haystack"))
                .startsWith(String.valueOf(folder.getFileName()))
                .isNotEqualTo("generated");
        assertThatThrownBy(() -> Library.of(Files.createDirectory(folder.resolve("empty"))))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("holds 0 sentences");
        assertThatThrownBy(() -> Library.of(folder.resolve("none"))).hasMessageContaining("cannot be read");
    }

    @Test
    void essaysAreAHaystack() {
        Path root = Path.of(System.getProperty("layercake.root", ".."));
        String shared =
                System.getProperty("layercake.shared", root.resolve("../shared").toString());
        Path essays = Path.of(shared, "data", "needle", "PaulGrahamEssays");
        assumeTrue(Files.isDirectory(essays), "skipped: there is no folder " + essays);
        SyntheticTasks.Options files = new SyntheticTasks.Options(2, 1, essays, false, false, false, TextMatch.EXACT);
        Evaluation evaluation = new SyntheticTasks(encoder, files).needle(List.of(1500), List.of(0.1, 0.9));
        for (Sample sample : evaluation.samples()) {
            assertThat(encoder.encode(sample.prompt()).count() + encoder.count(sample.answer()) + 1)
                    .isEqualTo(1500);
            assertThat(sample.prompt().text()).contains(sample.facts().getFirst());
        }
    }

    @Test
    void aTextTooShortIsRefused() {
        SyntheticTasks tasks = new SyntheticTasks(encoder, SyntheticTasks.Options.of(1, 1));
        Evaluation evaluation = tasks.families(List.of(TaskFamily.RECORD), List.of(40));
        assertThatThrownBy(() -> evaluation.samples().getFirst())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("has no room");
        assertThatThrownBy(() -> TaskFamily.parse("poetry")).hasMessageContaining("needle, several");
        assertThatThrownBy(() -> SyntheticTasks.Options.of(0, 1)).hasMessageContaining("samples");
    }

    @Test
    void fillerIsPlainEnglish() {
        Chronicle chronicle = new Chronicle(Language.load(false));
        var random = new java.util.SplittableRandom(5);
        for (int index = 0; index < 2000; index++) {
            assertThat(chronicle.sentence(random))
                    .matches("[\"A-Z][A-Za-z ,.?\"'-]+[.\"?]")
                    .doesNotContainPattern("(?i)\\ba [aeiou]")
                    .doesNotContain("  ");
        }
    }

    private static List<Sample> samples(TaskFamily family, int count, long seed) {
        return new SyntheticTasks(encoder, SyntheticTasks.Options.of(count, seed))
                .families(List.of(family), List.of(LENGTH))
                .samples();
    }

    private static Map<String, String> pairs(Pattern pattern, String text) {
        Map<String, String> pairs = new HashMap<>();
        Matcher match = pattern.matcher(text);
        while (match.find()) {
            assertThat(pairs.put(match.group(1), match.group(2))).isNull();
        }
        return pairs;
    }

    private static String lastWord(String question) {
        String words = question.replaceAll("[.?]$", "");
        return words.substring(words.lastIndexOf(' ') + 1);
    }

    @Test
    void anAnswerThatIsBegunGoesOnWithWhatIsAskedFor() {
        SyntheticTasks.Options begun = new SyntheticTasks.Options(2, 1, null, false, true, true, TextMatch.CONTAINS);
        for (Sample sample : new SyntheticTasks(encoder, begun)
                .needle(List.of(256), List.of(0.0, 1.0))
                .samples()) {
            String begins = sample.prompt().form().answerBegins();
            assertThat(begins).isNotBlank();
            assertThat(sample.prompt().text()).contains(begins + sample.answer());
            assertThat(encoder.encode(sample.prompt()).count()).isLessThanOrEqualTo(256);
        }
        for (Sample sample : new SyntheticTasks(encoder, begun)
                .families(List.of(TaskFamily.HOPS), List.of(512))
                .samples()) {
            assertThat(sample.prompt().form().answerBegins()).isEmpty();
        }
    }
}
