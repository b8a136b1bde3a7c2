package dev.layercake.cli;

import dev.layercake.eval.suite.LongBenchV2Suite;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval longbench2}: multiple choice about very long texts. */
@Command(
        name = "longbench2",
        description = "LongBench v2: multiple choice about long texts, by the official prompt and rule, from the "
                + "published files.")
final class EvalLongBenchV2Command implements Callable<Integer> {
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
            description = "data.json of THUDM/LongBench-v2, or its folder; 0shot.txt of the official prompts lies "
                    + "beside it.")
    @SuppressWarnings("NullAway.Init") // picocli requires it
    Path data;

    EvalLongBenchV2Command(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return new EvalRun(console, model, who).run(suite.compression(), new LongBenchV2Suite(suite.options(data)));
    }
}
