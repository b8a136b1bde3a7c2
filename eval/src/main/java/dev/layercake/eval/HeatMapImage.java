package dev.layercake.eval;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/** Heat maps of one policy side by side, as a picture. */
final class HeatMapImage {
    private static final int CELL_WIDTH = 84;
    private static final int CELL_HEIGHT = 56;
    private static final int GAP = 4;
    private static final int MARGIN = 32;
    private static final int LEFT = 96;
    private static final int HEADING = 84;
    private static final int FOOT = 84;
    private static final Color INK = new Color(0x2b, 0x21, 0x1b);
    private static final Color FAINT = new Color(0x8a, 0x7d, 0x72);

    private final PixelFont large = new PixelFont(3);
    private final PixelFont small = new PixelFont(2);
    private final List<HeatMap> maps;
    private final String heading;
    private final Evaluation.View view;

    HeatMapImage(List<HeatMap> maps, String heading, Evaluation.View view) {
        this.maps = List.copyOf(maps);
        this.heading = heading;
        this.view = view;
    }

    void write(Path file) {
        try {
            if (!ImageIO.write(draw(), "png", file.toFile())) {
                throw new IOException("this Java cannot write PNG");
            }
            if (Files.size(file) == 0) {
                throw new IOException(file + " is empty");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    BufferedImage draw() {
        int panelWidth = LEFT + maps.getFirst().across().size() * CELL_WIDTH;
        int width = Math.max(
                2 * MARGIN + maps.size() * panelWidth + (maps.size() - 1) * MARGIN, 2 * MARGIN + large.width(heading));
        int height = 2 * MARGIN + HEADING + maps.getFirst().down().size() * CELL_HEIGHT + FOOT;
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, width, height);
        graphics.setColor(INK);
        large.draw(graphics, heading, MARGIN, MARGIN);
        for (int index = 0; index < maps.size(); index++) {
            panel(graphics, maps.get(index), MARGIN + index * (panelWidth + MARGIN), MARGIN + HEADING);
        }
        graphics.dispose();
        return image;
    }

    private void panel(Graphics2D graphics, HeatMap map, int x, int y) {
        int left = x + LEFT;
        graphics.setColor(INK);
        small.draw(graphics, map.title(), left, y - 2 * small.height());
        for (int row = 0; row < map.down().size(); row++) {
            int top = y + row * CELL_HEIGHT;
            graphics.setColor(INK);
            String label = map.down().get(row);
            small.draw(graphics, label, left - small.width(label) - 12, top + (CELL_HEIGHT - small.height()) / 2);
            for (int column = 0; column < map.across().size(); column++) {
                cell(graphics, map.cells().get(row).get(column), left + column * CELL_WIDTH, top);
            }
        }
        int bottom = y + map.down().size() * CELL_HEIGHT;
        graphics.setColor(INK);
        for (int column = 0; column < map.across().size(); column++) {
            small.drawCentred(
                    graphics, map.across().get(column), left + column * CELL_WIDTH + CELL_WIDTH / 2, bottom + 20);
        }
        graphics.setColor(FAINT);
        small.draw(graphics, view.down() + " / " + view.across(), left, bottom + 44);
    }

    private void cell(Graphics2D graphics, Summary.Tally tally, int x, int y) {
        if (tally.samples() == 0) {
            graphics.setColor(FAINT);
            small.drawCentred(graphics, "-", x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2);
            return;
        }
        graphics.setColor(HeatColour.of(tally.accuracy()));
        graphics.fillRect(x, y, CELL_WIDTH - GAP, CELL_HEIGHT - GAP);
        graphics.setColor(HeatColour.ink(tally.accuracy()));
        small.drawCentred(
                graphics, Table.percent(tally.accuracy()), x + (CELL_WIDTH - GAP) / 2, y + (CELL_HEIGHT - GAP) / 2);
    }
}
