package dev.layercake.cli;

import dev.layercake.kernels.LayercakeException;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** How failures are told: one sentence; a stack trace only where the mistake is ours. */
final class Failures {
    private final PrintStream err;
    private final Map<String, String> environment;

    Failures(PrintStream err, Map<String, String> environment) {
        this.err = err;
        this.environment = environment;
    }

    /** The command line itself is wrong. */
    int wrongUsage(ParameterException exception, String[] arguments) {
        CommandLine command = exception.getCommandLine();
        String name = command.getCommandSpec().qualifiedName();
        say(exception.getMessage() + suggestion(exception) + origin(exception, arguments));
        err.println("Try '" + name + " --help'.");
        return ExitCode.USAGE;
    }

    private static String suggestion(ParameterException exception) {
        if (exception instanceof UnmatchedArgumentException unmatched) {
            List<String> suggestions = unmatched.getSuggestions();
            if (!suggestions.isEmpty()) {
                return "; did you mean " + suggestions.getFirst() + "?";
            }
        }
        return "";
    }

    /** Names the environment variable that a wrong value came from, if it was not typed. */
    private String origin(ParameterException exception, String[] arguments) {
        if (!(exception.getArgSpec() instanceof OptionSpec option)) {
            return "";
        }
        String variable = EnvironmentDefaults.variable(option);
        boolean typed = Arrays.stream(option.names())
                .anyMatch(name -> Arrays.stream(arguments).anyMatch(argument -> argument.startsWith(name)));
        return typed || !environment.containsKey(variable)
                ? ""
                : " (the value is that of the environment variable " + variable + ")";
    }

    /** Standard output took no more: a full disk, or a reader that has gone. */
    int unwritable() {
        say(Console.UNWRITABLE);
        return ExitCode.SOFTWARE;
    }

    /** A command could not do what it was asked to. */
    int failed(Exception exception, CommandLine command, ParseResult parsed) {
        if (exception instanceof LayercakeException failure) {
            say(failure.getMessage() == null ? "Something failed" : failure.getMessage());
            return switch (failure.category()) {
                case BAD_INPUT -> ExitCode.USAGE;
                case BAD_MODEL, OVER_CAPACITY -> ExitCode.SOFTWARE;
                case INTERNAL -> {
                    failure.printStackTrace(err);
                    yield ExitCode.SOFTWARE;
                }
            };
        }
        say("This is a defect of Layercake; please report it with what follows");
        exception.printStackTrace(err);
        return ExitCode.SOFTWARE;
    }

    private void say(String message) {
        err.println("layercake: " + sentence(message));
    }

    /** The message with a full stop; its first word stays as it is, it may be a file's name. */
    static String sentence(String message) {
        String text = message.strip();
        if (text.isEmpty()) {
            return text;
        }
        return ".?!".indexOf(text.charAt(text.length() - 1)) >= 0 ? text : text + ".";
    }
}
