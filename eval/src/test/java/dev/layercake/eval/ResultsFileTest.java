package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.engine.ModelFingerprint;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ResultsFileTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @Test
    void whatWasAddedIsThereAgain() {
        Outcome odd = Samples.outcome("b", "cake", "3.2%", 0, "said \"no\",\n\tä\u0000 \uD83C\uDF70");
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("a", "full", "", 1, "4821"));
            file.add(odd);
        }
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            assertThat(file.outcomes()).hasSize(2).contains(odd);
            assertThat(file.has("b", new Contender("cake", Budget.parse("3.2%"))))
                    .isTrue();
            assertThat(file.has("b", new Contender("cake", Budget.parse("6.4%"))))
                    .isFalse();
            assertThat(file.has("c", new Contender("full", Budget.OWN))).isFalse();
        }
    }

    @Test
    void anotherContentOfAFileIsAnotherContender() throws IOException {
        Path gates = Files.writeString(folder.resolve("my gates"), "1");
        String spec = "gate(weights=\"" + gates + "\")";
        Contender before = Contender.grid(List.of(spec), List.of()).getFirst();
        Contender full = Contender.grid(List.of("full"), List.of()).getFirst();
        assertThat(before.files()).matches("weights=[0-9a-f]{8}");
        assertThat(full.files()).isEmpty();
        Outcome made = Samples.outcome("a", before.policy(), "", 1, "4821");
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("a", "full", "", 1, "4821"));
            file.add(Samples.withFiles(made, before.files()));
        }
        Path lines = folder.resolve(ResultsFile.RESULTS);
        assertThat(Files.readAllLines(lines).getFirst()).doesNotContain("files");
        Files.writeString(gates, "2");
        Contender after = Contender.grid(List.of(spec), List.of()).getFirst();
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            assertThat(file.has("a", full)).isTrue();
            assertThat(file.has("a", before)).isTrue();
            assertThat(file.has("a", after)).isFalse();
            assertThat(file.outcomes(List.of("a"), List.of(full, after))).hasSize(1);
        }
    }

    @Test
    void aTornLastLineIsDroppedWhereverItWasTorn() throws IOException {
        Path lines = folder.resolve(ResultsFile.RESULTS);
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("a", "full", "", 1, "4821"));
        }
        byte[] first = Files.readAllBytes(lines);
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("b", "full", "", 1, "straße"));
        }
        byte[] both = Files.readAllBytes(lines);
        for (int length = first.length; length < both.length; length++) {
            Files.write(lines, java.util.Arrays.copyOf(both, length));
            try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
                assertThat(file.outcomes()).extracting(Outcome::sample).containsExactly("a");
                file.add(Samples.outcome("b", "full", "", 1, "straße"));
            }
            assertThat(Files.readAllBytes(lines)).isEqualTo(both);
        }
    }

    @Test
    void aDamagedLineInTheMiddleIsNamed() throws IOException {
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("a", "full", "", 1, "4821"));
        }
        Files.writeString(folder.resolve(ResultsFile.RESULTS), "{\"sample\":\n", StandardOpenOption.APPEND);
        assertThatThrownBy(() -> ResultsFile.open(folder, setup("1"), Outcome.class))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("line 2");
    }

    @Test
    void anotherSetupIsRefusedInOneSentence() {
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            file.add(Samples.outcome("a", "full", "", 1, "4821"));
        }
        assertThatThrownBy(() -> ResultsFile.open(folder, setup("2"), Outcome.class))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("seed was 1 and is now 2")
                .hasMessageContaining("--out");
        SequencedMap<String, String> more = setup("1");
        more.put("temperature", "1");
        assertThatThrownBy(() -> ResultsFile.open(folder, more, Outcome.class))
                .hasMessageContaining("temperature was not given");
        ResultsFile.open(folder, setup("1"), Outcome.class).close();
    }

    @Test
    void aSetupThatIsTheSameIsNotWrittenAgain() throws IOException {
        ResultsFile.open(folder, setup("1"), Outcome.class).close();
        Path file = folder.resolve(ResultsFile.SETUP);
        FileTime longAgo = FileTime.fromMillis(0);
        Files.setLastModifiedTime(file, longAgo);
        ResultsFile.open(folder, setup("1"), Outcome.class).close();
        assertThat(Files.getLastModifiedTime(file)).isEqualTo(longAgo);
        ResultsFile.open(folder, setup("2"), Outcome.class).close();
        assertThat(Files.getLastModifiedTime(file)).isNotEqualTo(longAgo);
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void aTornLineOfAJournalIsDroppedEvenInsideACharacter() throws IOException {
        Path profile = folder.resolve("p.json");
        ProfileJournal.open(profile, setup("1")).add(new ProfileJournal.Judged("snapkv", 1.5));
        Path journal = folder.resolve("p.json.partial");
        byte[] whole = Files.readAllBytes(journal);
        byte[] torn = "{\"judged\":{\"spec\":\"\u00e4".getBytes(StandardCharsets.UTF_8);
        Files.write(journal, Arrays.copyOf(torn, torn.length - 1), StandardOpenOption.APPEND);
        assertThat(ProfileJournal.open(profile, setup("1")).judged("snapkv")).isPresent();
        assertThat(Files.readAllBytes(journal)).isEqualTo(whole);
    }

    @Test
    void anEmptyFolderTakesAnySetup() {
        ResultsFile.open(folder, setup("1"), Outcome.class).close();
        ResultsFile.open(folder, setup("2"), Outcome.class).close();
        assertThat(folder.resolve(ResultsFile.SETUP)).content().contains("\"seed\" : \"2\"");
    }

    @Test
    void onlyOneWritesAtATime() {
        try (ResultsFile<Outcome> file = ResultsFile.open(folder, setup("1"), Outcome.class)) {
            assertThat(file.outcomes()).isEmpty();
            assertThatThrownBy(() -> ResultsFile.open(folder, setup("1"), Outcome.class))
                    .hasMessageContaining("Another evaluation");
        }
    }

    @Test
    void aFileIsNoFolder() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "x");
        assertThatThrownBy(() -> ResultsFile.open(file, setup("1"), Outcome.class))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("--out");
    }

    @Test
    void anotherModelHasAnotherFingerprint() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{}");
        String before = ModelFingerprint.of(folder);
        assertThat(ModelFingerprint.of(folder)).isEqualTo(before).matches("[0-9a-f]{8}");
        Files.writeString(folder.resolve("README.md"), "words");
        assertThat(ModelFingerprint.of(folder)).isEqualTo(before);
        Files.writeString(folder.resolve("config.json"), "{ }");
        assertThat(ModelFingerprint.of(folder)).isNotEqualTo(before);
        assertThat(ModelFingerprint.of(folder.resolve("config.json"))).isNotEqualTo(before);
    }

    private static SequencedMap<String, String> setup(String seed) {
        return new LinkedHashMap<>(Map.of("seed", seed));
    }

    /** Made-up samples and outcomes. */
    static final class Samples {
        private Samples() {}

        static Sample sample(String id) {
            return new Sample(
                    id,
                    new Prompt(" Text.", " What?", false),
                    " 4821",
                    List.of("4821"),
                    List.of(),
                    TextMatch.EXACT,
                    labels("512", "0%"));
        }

        static SequencedMap<String, String> labels(String length, String depth) {
            SequencedMap<String, String> labels = new LinkedHashMap<>();
            labels.put("length", length);
            labels.put("depth", depth);
            return labels;
        }

        static Outcome withFiles(Outcome made, String files) {
            return new Outcome(
                    made.sample(),
                    made.policy(),
                    made.budget(),
                    made.labels(),
                    made.spec(),
                    files,
                    made.promptTokens(),
                    made.budgetEntries(),
                    made.window(),
                    made.answerDistance(),
                    made.expected(),
                    made.answer(),
                    made.score(),
                    made.firstTokenSeconds(),
                    made.tokensPerSecond(),
                    made.kvBytes(),
                    made.kvBytesPeak(),
                    made.kvBytesFull());
        }

        static Outcome outcome(String sample, String policy, String budget, double score, String answer) {
            return outcome(sample, policy, budget, score, answer, labels("512", "0%"));
        }

        static Outcome outcome(
                String sample,
                String policy,
                String budget,
                double score,
                String answer,
                SequencedMap<String, String> labels) {
            int entries = budget.isEmpty() ? 0 : 16;
            return new Outcome(
                    sample,
                    policy,
                    budget,
                    labels,
                    policy,
                    null,
                    500,
                    entries,
                    entries / 2,
                    null,
                    "4821",
                    answer,
                    score,
                    0.25,
                    99.5,
                    1 << 20,
                    2 << 20,
                    4 << 20);
        }
    }
}
