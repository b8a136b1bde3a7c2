package dev.layercake.engine;

import java.util.Locale;

/** Numbers of bytes as people read them. */
public final class Bytes {
    private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB"};

    private Bytes() {}

    /** "512 B", "2.3 KiB", "1.31 GiB": three digits, binary units. */
    public static String text(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = -1;
        do {
            value /= 1024;
            unit++;
        } while (value >= 1000 && unit < UNITS.length - 1);
        String format = value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f";
        return String.format(Locale.ROOT, format, value) + " " + UNITS[unit];
    }
}
