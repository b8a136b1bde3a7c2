package dev.layercake.cli;

import java.io.PrintStream;
import java.util.Locale;

/** A bar that fills while a prompt is read; drawn on one line of a terminal and wiped away at the end. */
final class ProgressBar {
    private static final long REDRAW_NANOS = 50_000_000;

    private final Console console;
    private final String label;
    private final long startNanos = System.nanoTime();
    private long lastDrawn;
    private boolean shown;

    /** @param label what is going on, in a few words */
    ProgressBar(Console console, String label) {
        this.console = console;
        this.label = label;
    }

    void update(long done, long total) {
        long now = System.nanoTime();
        if (!console.terminal() || now - lastDrawn < REDRAW_NANOS) {
            return;
        }
        lastDrawn = now;
        shown = true;
        PrintStream err = console.err();
        err.print("\r" + line(label, done, total, now - startNanos, console.columns(), Console.showsBlocks(err)));
        err.flush();
    }

    /** Wipes the line. */
    void end() {
        if (shown) {
            console.err().print("\r" + " ".repeat(console.columns() - 1) + "\r");
            console.err().flush();
            shown = false;
        }
    }

    static String line(String label, long done, long total, long nanos, int columns, boolean blocks) {
        double share = total == 0 ? 1 : (double) done / total;
        double secondsLeft = done == 0 ? 0 : nanos / 1e9 / done * (total - done);
        String figures =
                String.format(Locale.ROOT, " %3.0f %%  %s left", Math.floor(share * 100), seconds(secondsLeft));
        int width = Math.max(4, Math.min(40, columns - 2 - label.length() - figures.length()));
        String bar = Bars.bar(share, width, blocks);
        String line = label + " " + bar + " ".repeat(width - bar.length()) + figures;
        return line.length() < columns ? line : line.substring(0, Math.max(0, columns - 1));
    }

    private static String seconds(double seconds) {
        return seconds < 60
                ? String.format(Locale.ROOT, "%.0f s", Math.ceil(seconds))
                : String.format(Locale.ROOT, "%.0f min", Math.ceil(seconds / 60));
    }
}
