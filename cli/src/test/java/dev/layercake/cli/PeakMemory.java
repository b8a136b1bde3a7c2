package dev.layercake.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A process that runs a command line and then says, on standard error, how much memory it held at its peak. */
final class PeakMemory {
    private PeakMemory() {}

    public static void main(String[] arguments) throws IOException {
        int exitCode = LayercakeCommand.execute(Console.ofProcess(), Map.of(), arguments);
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                System.err.println(line);
            }
        }
        System.exit(exitCode);
    }
}
