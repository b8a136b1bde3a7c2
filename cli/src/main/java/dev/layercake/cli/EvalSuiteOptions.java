package dev.layercake.cli;

import dev.layercake.eval.Runner.Compression;
import dev.layercake.eval.suite.SuiteOptions;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that published benchmarks share. */
final class EvalSuiteOptions {
    @Option(
            names = "--tasks",
            split = ",",
            paramLabel = "NAME",
            description = "Which tasks; all that are there if not given.")
    List<String> tasks = List.of();

    @Option(
            names = "--samples",
            paramLabel = "N",
            description = "Questions of each task, the first ones; 0 (default) for all.")
    int samples;

    @Option(
            names = "--prompt-limit",
            paramLabel = "N",
            description = "Most tokens of a prompt; a longer one loses its middle (default: what the context holds).")
    @Nullable
    Integer promptLimit;

    @Option(
            names = "--compress",
            paramLabel = "WHAT",
            description =
                    "What a policy cuts: the prompt (default), question in sight (query-aware), or the context, before"
                            + " the question is known (query-agnostic).")
    String compress = "prompt";

    SuiteOptions options(Path data) {
        return new SuiteOptions(data, tasks, samples, promptLimit);
    }

    Compression compression() {
        return switch (compress) {
            case "prompt" -> Compression.PROMPT;
            case "context" -> Compression.CONTEXT;
            default ->
                throw LayercakeException.badInput(
                        "--compress cannot be '" + compress + "'; possible are prompt and context.");
        };
    }
}
