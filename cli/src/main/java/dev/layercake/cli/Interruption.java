package dev.layercake.cli;

/** Says at Ctrl-C that nothing is lost. */
final class Interruption {
    private Interruption() {}

    /** Does something that may be interrupted and taken up again. */
    static void during(Console console, Runnable work) {
        Thread farewell = new Thread(() -> {
            console.err().println();
            console.err().println("Interrupted. Nothing is lost: the same command goes on where this one stopped.");
        });
        Runtime.getRuntime().addShutdownHook(farewell);
        try {
            work.run();
        } finally {
            try {
                Runtime.getRuntime().removeShutdownHook(farewell);
            } catch (IllegalStateException alreadyLeaving) {
                // The farewell is being said.
            }
        }
    }
}
