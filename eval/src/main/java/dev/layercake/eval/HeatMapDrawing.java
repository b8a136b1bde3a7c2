package dev.layercake.eval;

/** A heat map as a drawing in a page. */
final class HeatMapDrawing {
    private static final int CELL_WIDTH = 52;
    private static final int CELL_HEIGHT = 32;
    private static final int LEFT = 48;
    private static final int TOP = 6;
    private static final int BOTTOM = 40;

    private HeatMapDrawing() {}

    static Markup draw(HeatMap map, Evaluation.View view) {
        int width = LEFT + map.across().size() * CELL_WIDTH + 4;
        int height = TOP + map.down().size() * CELL_HEIGHT + BOTTOM;
        Markup svg = new Markup()
                .open(
                        "svg",
                        "xmlns",
                        "http://www.w3.org/2000/svg",
                        "viewBox",
                        "0 0 " + width + " " + height,
                        "width",
                        width,
                        "role",
                        "img",
                        "aria-label",
                        "Right answers by " + view.across() + " and " + view.down() + ", " + map.title());
        for (int row = 0; row < map.down().size(); row++) {
            int y = TOP + row * CELL_HEIGHT;
            svg.element(
                    "text",
                    map.down().get(row),
                    "x",
                    LEFT - 8,
                    "y",
                    y + CELL_HEIGHT / 2 + 3,
                    "text-anchor",
                    "end",
                    "class",
                    "soft");
            for (int column = 0; column < map.across().size(); column++) {
                cell(svg, map.cells().get(row).get(column), LEFT + column * CELL_WIDTH, y);
            }
        }
        int bottom = TOP + map.down().size() * CELL_HEIGHT;
        for (int column = 0; column < map.across().size(); column++) {
            svg.element(
                    "text",
                    map.across().get(column),
                    "x",
                    LEFT + column * CELL_WIDTH + CELL_WIDTH / 2,
                    "y",
                    bottom + 16,
                    "text-anchor",
                    "middle",
                    "class",
                    "soft");
        }
        svg.element("text", view.down() + " / " + view.across(), "x", LEFT, "y", bottom + 34, "class", "soft");
        return svg.close();
    }

    private static void cell(Markup svg, Summary.Tally tally, int x, int y) {
        if (tally.samples() == 0) {
            return;
        }
        svg.open(
                        "rect",
                        "x",
                        x,
                        "y",
                        y,
                        "width",
                        CELL_WIDTH - 2,
                        "height",
                        CELL_HEIGHT - 2,
                        "rx",
                        3,
                        "fill",
                        HeatColour.hex(HeatColour.of(tally.accuracy())),
                        "stroke",
                        "var(--line)")
                .element("title", tally.correct() + " of " + tally.samples() + " right")
                .close();
        svg.element(
                "text",
                Table.percent(tally.accuracy()),
                "x",
                x + CELL_WIDTH / 2 - 1,
                "y",
                y + CELL_HEIGHT / 2 + 3,
                "text-anchor",
                "middle",
                "style",
                "fill:" + HeatColour.hex(HeatColour.ink(tally.accuracy())));
    }
}
