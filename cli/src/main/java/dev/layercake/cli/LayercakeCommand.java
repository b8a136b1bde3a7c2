package dev.layercake.cli;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command {@code layercake}: what the verbs share. */
@Command(
        name = "layercake",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        description = "Runs large language models over long inputs in a fixed amount of KV memory.",
        footer = {
            "",
            "Each option has a twin in the environment: --top-k is LAYERCAKE_TOP_K. The command line wins.",
            "Results go to standard output, all else to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage.",
            "",
            "Begin with:  layercake demo"
        })
public final class LayercakeCommand implements Runnable {
    private final Console console;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before it calls run
    CommandSpec spec;

    private LayercakeCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        spec.commandLine().usage(console.out());
    }

    /**
     * Runs a command line.
     *
     * @param environment variables whose names begin with LAYERCAKE_ stand in for options that are not given
     * @return the exit code: 0 done, 1 failed, 2 wrong usage
     */
    static int execute(Console console, Map<String, String> environment, String... arguments) {
        Failures failures = new Failures(console.err(), environment);
        CommandLine line = new CommandLine(new LayercakeCommand(console))
                .addSubcommand(new DemoCommand(console))
                .addSubcommand(new RunCommand(console))
                .addSubcommand(new ChatCommand(console))
                .addSubcommand(new InspectCommand(console))
                .addSubcommand(new TokenizeCommand(console))
                .addSubcommand(new PoliciesCommand(console))
                .addSubcommand(evaluations(console))
                .addSubcommand(new ProfileCommand(console))
                .addSubcommand(new BenchCommand(console));
        for (CommandLine verb : line.getSubcommands().values()) {
            verb.getCommandSpec().mixinStandardHelpOptions(true);
        }
        int exitCode = line.setDefaultValueProvider(new EnvironmentDefaults(environment))
                .setOut(writer(console.out()))
                .setErr(writer(console.err()))
                .setParameterExceptionHandler(failures::wrongUsage)
                .setExecutionExceptionHandler(failures::failed)
                .setUsageHelpWidth(100)
                .setUsageHelpAutoWidth(false)
                .execute(arguments);
        return exitCode == CommandLine.ExitCode.OK && console.out().checkError() ? failures.unwritable() : exitCode;
    }

    private static CommandLine evaluations(Console console) {
        CommandLine line = new CommandLine(new EvalCommand(console))
                .addSubcommand(new EvalNeedleCommand(console))
                .addSubcommand(new EvalTasksCommand(console))
                .addSubcommand(new EvalPerplexityCommand(console))
                .addSubcommand(new EvalLongBenchCommand(console))
                .addSubcommand(new EvalLongBenchV2Command(console))
                .addSubcommand(new EvalRulerCommand(console))
                .addSubcommand(new EvalBabiLongCommand(console))
                .addSubcommand(new EvalFileCommand(console));
        line.getSubcommands().values().forEach(verb -> verb.getCommandSpec().mixinStandardHelpOptions(true));
        return line;
    }

    private static PrintWriter writer(PrintStream stream) {
        return new PrintWriter(stream, true, stream.charset());
    }

    public static void main(String[] args) {
        System.exit(execute(Console.ofProcess(), System.getenv(), args));
    }
}
