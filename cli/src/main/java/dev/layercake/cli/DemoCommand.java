package dev.layercake.cli;

import dev.layercake.engine.GenerationListener;
import dev.layercake.engine.LanguageModel;
import dev.layercake.eval.Budget;
import dev.layercake.eval.Contender;
import dev.layercake.eval.Demo;
import dev.layercake.eval.DemoPage;
import dev.layercake.eval.DemoRunner;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Trial;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake demo}: questions about a generated text, answered under several policies side by side. */
@Command(
        name = "demo",
        description =
                "Writes itself a text with facts planted in it and asks for them under several policies at the same"
                        + " small budgets: answers, memory, speed and slices side by side. Needs nothing but the bundled model.")
final class DemoCommand implements Callable<Integer> {
    /** Longer texts show nothing more, and take longer. */
    private static final int USUAL_TOKENS = 4096;

    private static final double PATIENCE_SECONDS = 75;
    private static final int FEWEST_QUESTIONS = 2;

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Option(
            names = "--kv",
            paramLabel = "SPEC",
            description =
                    "A policy to compare; may be given several times (default: full, streaming, snapkv and cake).")
    List<String> kv = List.of("full", "streaming", "snapkv", "cake");

    @Option(
            names = "--budgets",
            split = ",",
            paramLabel = "B",
            description =
                    "What each may keep, as a share of the text or a number of entries per head and layer; the first"
                            + " one is shown in full (default: 3.2%%,25%%,50%%).")
    List<String> budgets = List.of("3.2%", "25%", "50%");

    @Option(
            names = "--tokens",
            paramLabel = "N",
            description = "Length of the text; what the model's context allows, up to 4096, if not given.")
    int tokens;

    @Option(
            names = "--questions",
            paramLabel = "N",
            description = "Facts and questions, 1 to 8 (default: 6, on slow machines fewer).")
    int questions;

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of text and facts; try others (default: ${DEFAULT-VALUE}).")
    long seed = 1;

    @Option(names = "--html", paramLabel = "FILE", description = "Write a page with all of it, and plots.")
    @Nullable
    Path html;

    @Option(names = "--json", description = "Print one JSON object instead.")
    boolean json;

    DemoCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (questions < 0 || questions > Demo.MOST_QUESTIONS) {
            throw LayercakeException.badInput(
                    "--questions must be from 1 to " + Demo.MOST_QUESTIONS + ", not " + questions + ".");
        }
        List<Budget> sizes = budgets.stream().map(Budget::parse).toList();
        List<List<Contender>> rounds = rounds(sizes);
        try (LanguageModel language = model.load()) {
            int length = length(language);
            int wanted = questions == 0 ? 6 : questions;
            Demo demo = Demo.write(new PromptEncoder(language.model()), length, wanted, seed);
            DemoScreen screen = new DemoScreen(console, json);
            DemoRunner runner = new DemoRunner(language);
            screen.introduce(language, demo, length);
            demo = demo.first(affordable(runner, demo, rounds, screen));
            List<Trial> trials = new ArrayList<>();
            for (List<Contender> round : rounds) {
                screen.beginRound(round);
                for (int question = 0; question < demo.samples().size(); question++) {
                    screen.beginQuestion(demo.samples().get(question));
                    for (Contender contender : round) {
                        Trial trial = runner.ask(demo, question, contender, GenerationListener.NONE);
                        trials.add(trial);
                        screen.answer(trial);
                    }
                    screen.endQuestion();
                }
                screen.endRound(round, trials);
            }
            if (json) {
                Json.print(console.out(), DemoReport.of(language, length, trials));
            }
            if (html != null) {
                DemoPage.write(html, language, demo, trials);
                console.err().println("Wrote " + html);
            }
            return 0;
        }
    }

    /** All policies at the first budget, then those that have one at the others. */
    private List<List<Contender>> rounds(List<Budget> sizes) {
        List<List<Contender>> rounds = new ArrayList<>();
        for (Budget size : sizes) {
            List<Contender> round = Contender.grid(kv, List.of(size)).stream()
                    .filter(contender -> rounds.isEmpty() || !contender.budget().equals(Budget.OWN))
                    .toList();
            if (!round.isEmpty()) {
                rounds.add(round);
            }
        }
        return rounds;
    }

    private int length(LanguageModel language) {
        int most = language.contextTokens();
        if (tokens > most) {
            throw LayercakeException.badInput("--tokens " + tokens + " does not fit the context of "
                    + language.model().name() + "; give at most " + most
                    + ", or a larger context (-c, beyond what it was made for with --beyond-context).");
        }
        return tokens > 0 ? tokens : Math.min(most, USUAL_TOKENS);
    }

    /** How many questions there is time for, after a run without a clock that warms the code up. */
    private int affordable(DemoRunner runner, Demo demo, List<List<Contender>> rounds, DemoScreen screen) {
        List<Contender> all = rounds.stream().flatMap(List::stream).toList();
        // Every kind of work once: the first answer would pay for compiling what the others find compiled.
        for (Contender contender : rounds.getFirst()) {
            warmUp(runner, demo, contender, screen);
        }
        long start = System.nanoTime();
        warmUp(runner, demo, all.getLast(), screen);
        double seconds = (System.nanoTime() - start) / 1e9;
        int possible = (int) (PATIENCE_SECONDS / seconds / all.size());
        return questions > 0
                ? questions
                : Math.clamp(possible, FEWEST_QUESTIONS, demo.samples().size());
    }

    private static void warmUp(DemoRunner runner, Demo demo, Contender contender, DemoScreen screen) {
        ProgressBar progress = screen.warmingUp(contender);
        runner.ask(demo, 0, contender, new GenerationListener() {
            @Override
            public void prefill(long done, long total) {
                progress.update(done, total);
            }
        });
        progress.end();
    }
}
