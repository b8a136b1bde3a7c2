package dev.layercake.cli;

import dev.layercake.eval.suite.QuestionFile;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code layercake eval file}: the user's own questions. */
@Command(
        name = "file",
        description = "Your own questions: a file with a JSON object a line: question, answers, context or "
                + "context_file; and, if wanted, metric (contains, all, exact, f1, rouge), task, id, "
                + "max_tokens.")
final class EvalFileCommand implements Callable<Integer> {
    private final Console console;

    @Mixin
    ModelOptions model = new ModelOptions();

    @Mixin
    ContenderOptions who = new ContenderOptions();

    @Mixin
    EvalSuiteOptions suite = new EvalSuiteOptions();

    @Parameters(paramLabel = "FILE", description = "The questions (JSON lines).")
    @SuppressWarnings("NullAway.Init") // picocli requires it
    Path data;

    EvalFileCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return new EvalRun(console, model, who).run(suite.compression(), new QuestionFile(suite.options(data)));
    }
}
