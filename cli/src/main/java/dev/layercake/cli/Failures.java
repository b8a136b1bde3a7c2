package dev.layercake.cli;

import dev.layercake.kernels.LayercakeException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** How failures are told: one sentence; a stack trace only where the mistake is ours. */
final class Failures {
    private final PrintStream err;

    Failures(PrintStream err) {
        this.err = err;
    }

    /** The command line itself is wrong. */
    int wrongUsage(ParameterException exception, String[] arguments) {
        CommandLine command = exception.getCommandLine();
        String name = command.getCommandSpec().qualifiedName();
        say(exception.getMessage() + suggestion(exception));
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

    /** The message with a capital letter and a full stop. */
    static String sentence(String message) {
        String text = message.strip();
        if (text.isEmpty()) {
            return text;
        }
        String capital = text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1);
        return ".?!".indexOf(capital.charAt(capital.length() - 1)) >= 0 ? capital : capital + ".";
    }
}
