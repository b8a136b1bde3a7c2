package dev.layercake.cli;

import dev.layercake.eval.suite.LongBenchSuite;
import dev.layercake.eval.suite.LongBenchSuite.Protocol;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code layercake eval longbench}: sixteen tasks of question answering, summaries, few-shot learning and code. */
@Command(
        name = "longbench",
        description = "LongBench v1: sixteen English tasks by the official prompts and scores, from the published "
                + "files.")
final class EvalLongBenchCommand implements Callable<Integer> {
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
            description =
                    "A folder with {task}.jsonl of THUDM/LongBench and its dataset2prompt.json, or one such " + "file.")
    @SuppressWarnings("NullAway.Init") // picocli requires it
    Path data;

    @Option(
            names = "--as",
            paramLabel = "WHO",
            description =
                    "Whose protocol: cake (default: official limits, few-shot and code tasks without chat template) or"
                            + " kvpress (answers 20 tokens longer, leading white space ignored).")
    String protocol = "cake";

    EvalLongBenchCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        return new EvalRun(console, model, who)
                .run(suite.compression(), new LongBenchSuite(suite.options(data), protocol()));
    }

    private Protocol protocol() {
        return switch (protocol) {
            case "cake" -> Protocol.CAKE;
            case "kvpress" -> Protocol.KVPRESS;
            default ->
                throw LayercakeException.badInput("--as cannot be '" + protocol + "'; possible are cake and kvpress.");
        };
    }
}
