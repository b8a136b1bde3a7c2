package dev.layercake.cli;

import dev.layercake.engine.KvUsage;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Bars drawn with characters, and the cake drawn with bars: one per layer. */
final class Bars {
    private static final String EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589";
    private static final char BLOCK = '\u2588';

    private Bars() {}

    /**
     * A horizontal bar.
     *
     * @param share of the width, between 0 and 1; anything above 0 shows
     * @param blocks whether eighths of a character can be shown, otherwise number signs stand for them
     */
    static String bar(double share, int width, boolean blocks) {
        double clamped = Math.clamp(share, 0, 1);
        if (!blocks) {
            int signs = (int) Math.round(clamped * width);
            return "#".repeat(clamped > 0 ? Math.max(1, signs) : 0);
        }
        int eighths = (int) Math.round(clamped * width * 8);
        if (clamped > 0) {
            eighths = Math.max(1, eighths);
        }
        String full = String.valueOf(BLOCK).repeat(eighths / 8);
        return eighths % 8 == 0 ? full : full + EIGHTHS.charAt(eighths % 8);
    }

    /**
     * The cake: a line per layer with a bar and the entries that each of its heads holds on average.
     *
     * @param most entries that a full bar stands for
     * @param width of a full bar
     */
    static List<String> cake(KvUsage kv, int most, int width, boolean blocks) {
        int numberWidth = number(most).length();
        List<String> lines = new ArrayList<>();
        for (int layer = 0; layer < kv.slices().size(); layer++) {
            int entries = kv.entriesPerHead(layer);
            String bar = bar(most == 0 ? 0 : (double) entries / most, width, blocks);
            lines.add(bar
                    + " ".repeat(width - bar.length())
                    + String.format(Locale.ROOT, " %" + numberWidth + "s", number(entries)));
        }
        return lines;
    }

    /** "layer  7", as wide for every layer of a model. */
    static String layer(int index, int layers) {
        int digits = String.valueOf(layers - 1).length();
        return String.format(Locale.ROOT, "layer %" + digits + "d", index);
    }

    /** The largest slice, entries per head. */
    static int largest(KvUsage kv) {
        int largest = 0;
        for (int layer = 0; layer < kv.slices().size(); layer++) {
            largest = Math.max(largest, kv.entriesPerHead(layer));
        }
        return largest;
    }

    /** A whole number with thousands set apart. */
    static String number(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }
}
