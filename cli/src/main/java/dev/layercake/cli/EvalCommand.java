package dev.layercake.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code layercake eval}: what a policy does to answers. */
@Command(
        name = "eval",
        description =
                "Measures what a policy does to answers, and to what a model expects of a text. Without -m it examines the bundled"
                        + " model; without other options it takes a minute or two.")
final class EvalCommand implements Runnable {
    private final Console console;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before it calls run
    CommandSpec spec;

    EvalCommand(Console console) {
        this.console = console;
    }

    @Override
    public void run() {
        spec.commandLine().usage(console.out());
    }
}
