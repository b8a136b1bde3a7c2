package dev.layercake.cli;

import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.suite.RulerSuite;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval ruler}: retrieval, tracing and counting in synthetic texts. */
@Command(
        name = "ruler",
        description = "RULER: retrieval, tracing and counting in synthetic texts, by the official scores, from "
                + "official files.")
final class EvalRulerCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    ContenderOptions who = new ContenderOptions();

    @Mixin
    EvalSuiteOptions suite = new EvalSuiteOptions();

    @Option(
            names = "--data",
            required = true,
            paramLabel = "PATH",
            description = "A folder with {task}/validation.jsonl, or a file {task}*.jsonl, as the official scripts "
                    + "write them.")
    @SuppressWarnings("NullAway.Init") // picocli requires it
    Path data;

    EvalRulerCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        RulerSuite questions = new RulerSuite(suite.options(data));
        return new EvalRun(console, model, who)
                .run(
                        suite.compression(),
                        false,
                        language ->
                                questions.evaluation(new PromptEncoder(language.model()), language.contextTokens()));
    }
}
