package dev.layercake.eval.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.CrumbModel;
import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Haystack;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.suite.LongBenchSuite.Protocol;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the suites make of small files in the official layouts. */
final class SuitesTest {
    private static final int CONTEXT = 2048;

    @AutoClose
    private final LanguageModel language = CrumbModel.load();

    private final PromptEncoder encoder = new PromptEncoder(language.model());

    @TempDir
    private Path folder;

    private SuiteOptions options(Path data) {
        return new SuiteOptions(data, List.of(), 0, null);
    }

    @Test
    void longBenchFillsItsOfficialPromptsAndLeavesOutTheMiddle() throws IOException {
        Files.writeString(folder.resolve("dataset2prompt.json"), "{\"trec\":\"Say. {context} Ask: {input}\\n\"}");
        Files.writeString(
                folder.resolve("trec.jsonl"),
                "{\"context\":\"One two three.\",\"input\":\"why?\",\"answers\":[\"Who\"],\"all_classes\":[\"Who\",\"What\"]}\n"
                        + "{\"context\":\"" + "word ".repeat(900) + "\",\"input\":\"how?\",\"answers\":[\"What\"],"
                        + "\"all_classes\":[\"Who\",\"What\"]}\n");
        Evaluation evaluation = new LongBenchSuite(new SuiteOptions(folder, List.of(), 0, 100), Protocol.CAKE)
                .evaluation(encoder, CONTEXT);
        Sample first = evaluation.samples().getFirst();
        assertThat(first.prompt().message()).isEqualTo("Say. One two three. Ask: why?\n");
        assertThat(first.prompt().question()).isEqualTo(" Ask: why?\n");
        assertThat(first.prompt().form().template()).isFalse();
        assertThat(first.scoring().score("\nWho knows\nWhat", first)).isEqualTo(1);
        assertThat(first.scoring().answerTokens(1)).isEqualTo(64);
        Sample second = evaluation.samples().get(1);
        assertThat(second.labels().get("shortened")).isEqualTo("yes");
        assertThat(second.prompt().message()).startsWith("Say. word").endsWith("word  Ask: how?\n");
        assertThat(encoder.count(second.prompt().message())).isBetween(90, 104);
    }

    @Test
    void longBenchNamesWhatIsMissing() throws IOException {
        assertThatThrownBy(() -> new LongBenchSuite(options(folder), Protocol.CAKE).evaluation(encoder, CONTEXT))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("THUDM/LongBench");
        Files.writeString(folder.resolve("lcc.jsonl"), "{\"context\":\"x\",\"answers\":[\"y\"]}");
        assertThatThrownBy(() -> new LongBenchSuite(options(folder), Protocol.CAKE).evaluation(encoder, CONTEXT))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("dataset2prompt.json");
        Files.writeString(folder.resolve("lcc.jsonl"), "{\"context\":\n");
        assertThatThrownBy(() -> new LongBenchSuite(options(folder), Protocol.CAKE).evaluation(encoder, CONTEXT))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("line 1");
    }

    @Test
    void longBenchV2ShowsTheChoicesAndReadsTheLetter() throws IOException {
        Files.writeString(folder.resolve("0shot.txt"), "Text: $DOC$ Q: $Q$ A $C_A$ B $C_B$ C $C_C$ D $C_D$");
        Files.writeString(
                folder.resolve("data.json"),
                "[{\"_id\":\"a1\",\"context\":\" doc \",\"question\":\"q?\",\"choice_A\":\"w\",\"choice_B\":\"x\","
                        + "\"choice_C\":\"y\",\"choice_D\":\"z\",\"answer\":\"C\",\"length\":\"short\"}]");
        Sample sample = new LongBenchV2Suite(options(folder.resolve("data.json")))
                .evaluation(encoder, CONTEXT)
                .samples()
                .getFirst();
        assertThat(sample.prompt().message()).isEqualTo("Text: doc Q: q? A w B x C y D z");
        assertThat(sample.scoring().score("**The correct answer is (C)**", sample))
                .isEqualTo(1);
        assertThat(sample.scoring().score("C", sample)).isZero();
    }

    @Test
    void rulerReadsOfficialFilesAndCutsBeforeTheQuestion() throws IOException {
        Path task = Files.createDirectories(folder.resolve("niah_multivalue"));
        Files.writeString(
                task.resolve("validation.jsonl"),
                "{\"index\":0,\"input\":\"Text. What are all the special magic numbers for x?\",\"outputs\":[\"12\",\"34\"],"
                        + "\"answer_prefix\":\" They are\"}");
        Evaluation evaluation = new RulerSuite(options(folder)).evaluation(encoder, CONTEXT);
        Sample sample = evaluation.samples().getFirst();
        assertThat(sample.prompt().text()).isEqualTo("Text. ");
        assertThat(sample.prompt().form().answerBegins()).isEqualTo(" They are");
        assertThat(sample.scoring().score("12 and 35", sample)).isEqualTo(0.5);
        assertThat(sample.labels().get("task")).isEqualTo("niah_multivalue");
    }

    @Test
    void rulersTasksAreMadeToFitAndAreTheSameEveryTime() {
        RulerLike suite = new RulerLike(List.of(), List.of(700), 2, 7, Haystack.of(null));
        Evaluation evaluation = suite.evaluation(encoder, CONTEXT);
        assertThat(evaluation.samples()).hasSize(22);
        for (Sample sample : evaluation.samples()) {
            int tokens =
                    encoder.encode(sample.prompt()).count() + sample.scoring().answerTokens(0);
            assertThat(tokens).as(sample.id()).isBetween(500, 700);
            String answer = String.join(" ", sample.facts());
            assertThat(sample.scoring().score(answer, sample)).as(sample.id()).isEqualTo(1);
            assertThat(sample.prompt().text())
                    .as(sample.id())
                    .contains(sample.facts().getFirst());
        }
        assertThat(suite.evaluation(encoder, CONTEXT).samples().getFirst().prompt())
                .isEqualTo(evaluation.samples().getFirst().prompt());
    }

    @Test
    void babiLongTakesTaskAndLengthFromThePath() throws IOException {
        Path task = Files.createDirectories(folder.resolve("qa1"));
        Files.writeString(
                task.resolve("4k.json"),
                "[{\"input\":\"Mary went to the garden.\",\"question\":\"Where is Mary?\",\"target\":\"garden\"}]");
        Sample sample = new BabiLongSuite(options(folder))
                .evaluation(encoder, CONTEXT)
                .samples()
                .getFirst();
        assertThat(sample.labels()).containsEntry("length", "4k").containsEntry("task", "qa1");
        assertThat(sample.scoring().score("In the garden.", sample)).isEqualTo(1);
        assertThat(sample.scoring().score("garden or kitchen", sample)).isZero();
    }

    @Test
    void onesOwnQuestionsSayHowTheyAreScored() throws IOException {
        Files.writeString(folder.resolve("long.txt"), "The code is 4821.");
        Path file = Files.writeString(folder.resolve("own.jsonl"), """
                {"context_file":"long.txt","question":"The code?","answer":"4821"}
                {"context":"a b","question":"Which?","answers":["a b c"],"metric":"f1","task":"f"}
                """);
        List<Sample> samples =
                new QuestionFile(options(file)).evaluation(encoder, CONTEXT).samples();
        assertThat(samples.getFirst().prompt().message()).isEqualTo("The code is 4821. The code?");
        assertThat(samples.getFirst().scoring().score("It is 4821!", samples.getFirst()))
                .isEqualTo(1);
        assertThat(samples.get(1).scoring().score("b c", samples.get(1))).isEqualTo(1);
        Files.writeString(file, "{\"context\":\"a\",\"question\":\"b\",\"answer\":\"c\",\"metric\":\"guess\"}");
        assertThatThrownBy(() -> new QuestionFile(options(file)).evaluation(encoder, CONTEXT))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("guess");
    }
}
