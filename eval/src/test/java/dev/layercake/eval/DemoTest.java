package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.LanguageModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DemoTest {
    @SuppressWarnings("NullAway.Init")
    private static LanguageModel language;

    @BeforeAll
    static void load() {
        language = CrumbModel.load();
    }

    @AfterAll
    static void close() {
        language.close();
    }

    @Test
    void theTextHidesAFactForEveryQuestion() {
        PromptEncoder encoder = new PromptEncoder(language.model());
        Demo demo = Demo.write(encoder, 800, 6, 2);
        assertThat(demo).isEqualTo(Demo.write(encoder, 800, 6, 2)).isNotEqualTo(Demo.write(encoder, 800, 6, 3));
        assertThat(demo.samples()).hasSize(6);
        for (int index = 0; index < 6; index++) {
            Sample sample = demo.samples().get(index);
            assertThat(demo.text()).contains(demo.sentences().get(index));
            assertThat(String.join("", demo.sentences().get(index))).contains(sample.facts());
            int tokens = encoder.encode(sample.prompt()).count() + encoder.count(sample.answer()) + 1;
            assertThat(tokens).isBetween(780, 800);
        }
        assertThat(demo.first(2).samples()).hasSize(2);
        assertThat(demo.first(99)).isEqualTo(demo);
    }

    @Test
    void itsPageShowsWhatWasKept(@TempDir Path folder) throws Exception {
        Demo demo = Demo.write(new PromptEncoder(language.model()), 400, 2, 1);
        DemoRunner runner = new DemoRunner(language);
        List<Trial> trials = new ArrayList<>();
        for (Contender contender : Contender.grid(List.of("full", "cake"), List.of(Budget.parse("10%")))) {
            for (int question = 0; question < 2; question++) {
                trials.add(runner.ask(demo, question, contender, GenerationListener.NONE));
            }
        }
        for (Trial trial : trials) {
            assertThat(trial.positions()).hasSize(language.model().config().layerCount());
            long kept = trial.positions().stream()
                    .flatMap(List::stream)
                    .mapToLong(positions -> positions.length)
                    .sum();
            assertThat(kept)
                    .isEqualTo(trial.summary().kv().slices().stream()
                            .mapToLong(slice -> slice.total())
                            .sum());
            for (List<int[]> heads : trial.positions()) {
                for (int[] positions : heads) {
                    assertThat(positions).isSorted().doesNotHaveDuplicates();
                }
            }
        }
        Path file = folder.resolve("demo.html");
        DemoPage.write(file, language, demo, trials);
        String page = Files.readString(file);
        ReportTest.requireSelfContained(page);
        assertThat(page)
                .contains(
                        "cake at 10%",
                        "Where in the text", demo.samples().getFirst().answer().strip(), "<mark>");
    }
}
