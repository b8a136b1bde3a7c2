package dev.layercake.cli;

import dev.layercake.kernels.LayercakeException;
import java.io.InputStream;
import java.io.PrintStream;

/**
 * Where a command reads and writes. Results go to {@code out}; progress, summaries and complaints to {@code err}.
 *
 * @param columns width of the terminal behind {@code err}; 0 if there is none, then nothing is drawn over
 */
record Console(InputStream in, PrintStream out, PrintStream err, int columns) {
    /** What to tell when {@code out} fails. */
    static final String UNWRITABLE =
            "standard output cannot be written: the disk is full, or who read it has gone; what was printed is not complete";

    private static final int USUAL_COLUMNS = 80;

    /** This process's own streams. */
    static Console ofProcess() {
        return new Console(System.in, System.out, System.err, terminalColumns());
    }

    /** The launcher script says how wide the terminal is, if standard error is one. */
    @SuppressWarnings("SystemConsoleNull") // one checker says that it is never null, the other that it may be
    private static int terminalColumns() {
        String columns = System.getProperty("layercake.stderr.columns");
        if (columns == null) {
            java.io.Console console = System.console();
            return console != null && console.isTerminal() ? USUAL_COLUMNS : 0;
        }
        return columns.matches("[0-9]{1,5}") && Integer.parseInt(columns) > 0
                ? Integer.parseInt(columns)
                : USUAL_COLUMNS;
    }

    /** Prints a piece of a result at once; a long answer nobody can read must not be computed to its end. */
    void stream(String piece) {
        out.print(piece);
        if (out.checkError()) {
            throw LayercakeException.overCapacity(UNWRITABLE);
        }
    }

    boolean terminal() {
        return columns > 0;
    }

    /** Whether a stream can show block characters. */
    static boolean showsBlocks(PrintStream stream) {
        return stream.charset().newEncoder().canEncode("\u2588\u258f");
    }
}
