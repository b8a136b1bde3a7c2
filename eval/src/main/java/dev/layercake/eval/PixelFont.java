package dev.layercake.eval;

import java.awt.Graphics2D;
import java.util.Locale;

/**
 * Capitals, digits and some signs of 5 x 7 pixels. A picture's text must not depend on fonts that a server may not have:
 * Java fails there instead of drawing without them.
 */
final class PixelFont {
    private static final int WIDTH = 5;
    private static final int HEIGHT = 7;
    private static final String SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ%.,()=-+/:_?><";
    /** For each sign seven rows from top to bottom, each a digit of base 32 whose bits are pixels from left to right. */
    private static final String[] ROWS =
            ("ehjlphe 4c4444e eh168gv u11e11u 26aiv22 vgu11he 68guhhe v124444 ehhehhe ehhf12c 4ahhvhh uhhuhhu ehggghe uhhhhhu"
                            + " vgguggv vgguggg ehgnhhe hhhvhhh e44444e 72222ic hikokih ggggggv hrllhhh hppljjh ehhhhhe uhhuggg"
                            + " ehhhlid uhhukih fgge11u v444444 hhhhhhe hhhhha4 hhhllrh hha4ahh hha4444 v1248gv pp248jj 0000066"
                            + " 000066c 2488842 8422248 00v0v00 000v000 044v440 122488g 0660660 000000v eh16404 g84248g 1248421")
                    .split(" ");

    private final int scale;

    /** @param scale screen pixels per pixel of a sign */
    PixelFont(int scale) {
        this.scale = scale;
    }

    int width(String text) {
        return Math.max(0, text.length() * (WIDTH + 1) - 1) * scale;
    }

    int height() {
        return HEIGHT * scale;
    }

    /** Draws a text in the current colour, its upper left corner at x and y. */
    void draw(Graphics2D graphics, String text, int x, int y) {
        String capitals = text.toUpperCase(Locale.ROOT);
        for (int index = 0; index < capitals.length(); index++) {
            int sign = SIGNS.indexOf(capitals.charAt(index));
            if (sign >= 0) {
                drawSign(graphics, ROWS[sign], x + index * (WIDTH + 1) * scale, y);
            }
        }
    }

    /** The same around a point. */
    void drawCentred(Graphics2D graphics, String text, int x, int y) {
        draw(graphics, text, x - width(text) / 2, y - height() / 2);
    }

    private void drawSign(Graphics2D graphics, String rows, int x, int y) {
        for (int row = 0; row < HEIGHT; row++) {
            int bits = Character.digit(rows.charAt(row), 32);
            for (int column = 0; column < WIDTH; column++) {
                if ((bits >> (WIDTH - 1 - column) & 1) != 0) {
                    graphics.fillRect(x + column * scale, y + row * scale, scale, scale);
                }
            }
        }
    }
}
