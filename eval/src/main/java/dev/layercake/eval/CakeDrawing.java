package dev.layercake.eval;

import dev.layercake.engine.KvUsage;
import java.util.List;

/** What a policy left, as drawings: a bar per layer, and where in the text the kept entries lie. */
final class CakeDrawing {
    private static final int LEFT = 30;
    private static final int BAR_WIDTH = 190;
    private static final int BAR_HEIGHT = 14;
    private static final int MAP_WIDTH = 620;
    private static final int MAP_ROW = 16;
    private static final int MARK_ROOM = 14;
    private static final int AXIS_ROOM = 20;

    private CakeDrawing() {}

    /**
     * A bar per layer: entries per head.
     *
     * @param most entries that the widest bar stands for
     */
    static Markup slices(KvUsage kv, int most, String colour) {
        int layers = kv.slices().size();
        int height = layers * (BAR_HEIGHT + 3) + 4;
        int width = LEFT + BAR_WIDTH + 60;
        Markup svg = svg(width, height, "Entries per head and layer under " + kv.policy());
        for (int layer = 0; layer < layers; layer++) {
            int y = layer * (BAR_HEIGHT + 3);
            int entries = kv.entriesPerHead(layer);
            double bar = Math.max(1, (double) BAR_WIDTH * entries / Math.max(1, most));
            label(svg, Integer.toString(layer), LEFT - 8, y + BAR_HEIGHT - 2, "end");
            svg.empty(
                    "rect",
                    "x",
                    LEFT,
                    "y",
                    y,
                    "width",
                    LineChart.round(bar),
                    "height",
                    BAR_HEIGHT,
                    "rx",
                    2,
                    "fill",
                    colour);
            label(
                    svg,
                    String.format(java.util.Locale.ROOT, "%,d", entries),
                    LEFT + (int) bar + 6,
                    y + BAR_HEIGHT - 2,
                    "start");
        }
        return svg.close();
    }

    /**
     * A row per layer, from the beginning of the text at the left to its end at the right; the darker, the more heads kept
     * entries there.
     *
     * @param positions of the kept entries, layer by layer and head by head
     * @param tokens length of the text
     * @param facts positions of what is hidden in it
     * @param asked index of the fact asked for
     */
    static Markup kept(List<List<int[]>> positions, int tokens, List<Integer> facts, int asked, String colour) {
        int bins = MAP_WIDTH / 2;
        int bottom = MARK_ROOM + positions.size() * MAP_ROW;
        Markup svg = svg(LEFT + MAP_WIDTH + 8, bottom + AXIS_ROOM, "Positions of the kept entries, a row per layer");
        for (int layer = 0; layer < positions.size(); layer++) {
            int y = MARK_ROOM + layer * MAP_ROW;
            label(svg, Integer.toString(layer), LEFT - 8, y + MAP_ROW - 4, "end");
            svg.empty(
                    "rect",
                    "x",
                    LEFT,
                    "y",
                    y + 1,
                    "width",
                    MAP_WIDTH,
                    "height",
                    MAP_ROW - 2,
                    "fill",
                    "var(--line)",
                    "fill-opacity",
                    0.5);
            double[] shares = shares(positions.get(layer), tokens, bins);
            for (int bin = 0; bin < bins; bin++) {
                if (shares[bin] > 0) {
                    svg.empty(
                            "rect",
                            "x",
                            LEFT + 2 * bin,
                            "y",
                            y + 1,
                            "width",
                            2,
                            "height",
                            MAP_ROW - 2,
                            "fill",
                            colour,
                            "fill-opacity",
                            LineChart.round(0.2 + 0.8 * shares[bin]));
                }
            }
        }
        for (int fact = 0; fact < facts.size(); fact++) {
            mark(svg, LEFT + (double) MAP_WIDTH * facts.get(fact) / tokens, fact == asked, bottom);
        }
        label(svg, "0", LEFT, bottom + 14, "start");
        label(svg, String.format(java.util.Locale.ROOT, "%,d tokens", tokens), LEFT + MAP_WIDTH, bottom + 14, "end");
        return svg.close();
    }

    /** For each bin the share of its entries that all heads together kept. */
    private static double[] shares(List<int[]> heads, int tokens, int bins) {
        double[] shares = new double[bins];
        double perBin = (double) tokens / bins * heads.size();
        for (int[] head : heads) {
            for (int position : head) {
                if (position < tokens) {
                    shares[(int) ((long) position * bins / tokens)] += 1 / perBin;
                }
            }
        }
        for (int bin = 0; bin < bins; bin++) {
            shares[bin] = Math.min(1, shares[bin]);
        }
        return shares;
    }

    /** A triangle over a fact; the one asked for reaches down through all layers. */
    private static void mark(Markup svg, double x, boolean asked, int bottom) {
        String colour = asked ? "var(--bad)" : "var(--faint)";
        String tip = LineChart.round(x) + ",11 ";
        svg.empty(
                "polygon",
                "points",
                tip + LineChart.round(x - 5) + ",2 " + LineChart.round(x + 5) + ",2",
                "fill",
                colour);
        if (asked) {
            svg.empty(
                    "line",
                    "x1",
                    LineChart.round(x),
                    "x2",
                    LineChart.round(x),
                    "y1",
                    11,
                    "y2",
                    bottom,
                    "stroke",
                    colour,
                    "stroke-dasharray",
                    "2 3");
        }
    }

    private static Markup svg(int width, int height, String description) {
        return new Markup()
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
                        description);
    }

    private static void label(Markup svg, String text, int x, int y, String anchor) {
        svg.element("text", text, "x", x, "y", y, "text-anchor", anchor, "class", "soft");
    }
}
