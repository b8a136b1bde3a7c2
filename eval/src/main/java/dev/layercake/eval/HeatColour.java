package dev.layercake.eval;

import java.awt.Color;
import java.util.Locale;

/** The colour of a share: cream for nothing, caramel for half, chocolate for all; darker is always more. */
final class HeatColour {
    private static final int[][] STOPS = {{255, 246, 224}, {246, 205, 128}, {226, 148, 66}, {158, 84, 36}, {84, 36, 20}
    };
    /** Above this share light letters are easier to read. */
    private static final double LIGHT_INK = 0.6;

    private HeatColour() {}

    /** @param share between 0 and 1 */
    static Color of(double share) {
        double place = Math.clamp(share, 0, 1) * (STOPS.length - 1);
        int below = Math.min((int) place, STOPS.length - 2);
        double part = place - below;
        int[] parts = new int[3];
        for (int channel = 0; channel < 3; channel++) {
            parts[channel] = (int) Math.round(STOPS[below][channel] * (1 - part) + STOPS[below + 1][channel] * part);
        }
        return new Color(parts[0], parts[1], parts[2]);
    }

    /** The colour of letters on top of it. */
    static Color ink(double share) {
        return share > LIGHT_INK ? Color.WHITE : new Color(0x3a, 0x24, 0x18);
    }

    /** "#f6cd80". */
    static String hex(Color colour) {
        return String.format(Locale.ROOT, "#%06x", colour.getRGB() & 0xffffff);
    }
}
