package dev.layercake.cli;

import dev.layercake.eval.suite.BabiLongSuite;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval babilong}: facts strewn into novels. */
@Command(
        name = "babilong",
        description = "BABILong: questions about facts that are strewn into novels, from the published files.")
final class EvalBabiLongCommand implements Callable<Integer> {
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
            description = "A folder with {qaN}/{length}.json or {length}/{qaN}.json.")
    @SuppressWarnings("NullAway.Init") // picocli requires it
    Path data;

    EvalBabiLongCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return new EvalRun(console, model, who).run(suite.compression(), new BabiLongSuite(suite.options(data)));
    }
}
