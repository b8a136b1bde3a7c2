package dev.layercake.cli;

import dev.layercake.eval.Haystack;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.suite.RulerLike;
import dev.layercake.eval.suite.RulerSuite;
import dev.layercake.eval.suite.Suite;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval ruler}: retrieval, tracing and counting in synthetic texts. */
@Command(
        name = "ruler",
        description = "RULER: retrieval, tracing and counting in synthetic texts, by the official scores, from "
                + "official files.")
final class EvalRulerCommand implements Callable<Integer> {
    private static final int USUAL_SAMPLES = 2;

    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    ContenderOptions who = new ContenderOptions();

    @Mixin
    EvalSuiteOptions suite = new EvalSuiteOptions();

    @Option(
            names = "--data",
            paramLabel = "PATH",
            description =
                    "A folder with {task}/validation.jsonl, or a file {task}*.jsonl, as the official scripts write them;"
                            + " without it, eleven of the thirteen tasks are made here, with sentences of our own.")
    @Nullable
    Path data;

    @Option(
            names = "--lengths",
            split = ",",
            paramLabel = "N",
            description = "Tokens of prompt and answer together, of tasks made here (default: 1024).")
    List<Integer> lengths = List.of(1024);

    @Option(
            names = {"-s", "--seed"},
            paramLabel = "N",
            description = "Seed of tasks made here (default: ${DEFAULT-VALUE}).")
    long seed = 42;

    @Option(
            names = "--haystack",
            paramLabel = "DIR",
            description = "A folder with text files (*.txt) to hide things in; generated prose if not given.")
    @Nullable
    Path haystack;

    EvalRulerCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        Path official = data;
        Suite questions = official != null
                ? new RulerSuite(suite.options(official))
                : new RulerLike(
                        suite.tasks,
                        lengths,
                        suite.samples == 0 ? USUAL_SAMPLES : suite.samples,
                        seed,
                        Haystack.of(haystack));
        return new EvalRun(console, model, who).run(suite.compression(), false, language -> {
            if (official == null) {
                lengths.forEach(length -> EvalRun.requireLength(length, language));
            }
            return questions.evaluation(new PromptEncoder(language.model()), language.contextTokens());
        });
    }
}
