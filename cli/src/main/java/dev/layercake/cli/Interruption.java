package dev.layercake.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;

/** Says at Ctrl-C that nothing is lost. */
final class Interruption {
    private Interruption() {}

    /** Does something that may be interrupted and taken up again. */
    static void during(Console console, Runnable work) {
        during(console, work, () -> List.of());
    }

    /**
     * The same.
     *
     * @param report writes files about what is done so far, if it does not come to its end
     */
    static void during(Console console, Runnable work, Supplier<List<Path>> report) {
        Thread farewell = new Thread(() -> {
            console.err().println();
            console.err().println("Interrupted. Nothing is lost: the same command goes on where this one stopped.");
            tell(console, report);
        });
        Runtime.getRuntime().addShutdownHook(farewell);
        boolean finished = false;
        try {
            work.run();
            finished = true;
        } finally {
            try {
                Runtime.getRuntime().removeShutdownHook(farewell);
                if (!finished) {
                    tell(console, report);
                }
            } catch (IllegalStateException alreadyLeaving) {
                // The farewell is being said.
            }
        }
    }

    private static void tell(Console console, Supplier<List<Path>> report) {
        List<Path> files = report.get();
        if (!files.isEmpty()) {
            console.err()
                    .println("Wrote what is known so far: "
                            + String.join(
                                    ", ", files.stream().map(Path::toString).toList()));
        }
    }
}
