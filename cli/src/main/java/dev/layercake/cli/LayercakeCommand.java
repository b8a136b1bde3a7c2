package dev.layercake.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command {@code layercake}. */
@Command(name = "layercake", mixinStandardHelpOptions = true, versionProvider = Version.class)
public final class LayercakeCommand implements Runnable {
    @Override
    public void run() {
        CommandLine.usage(this, System.out);
    }

    public static void main(String[] args) {
        System.exit(new CommandLine(new LayercakeCommand()).execute(args));
    }
}
