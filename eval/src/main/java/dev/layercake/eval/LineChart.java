package dev.layercake.eval;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * Right answers by budget as a drawing, a line per policy with the 95 % intervals of its points. What has no budget beside
 * its spec, {@code full} above all, is a dashed line across.
 */
final class LineChart {
    private static final int WIDTH = 340;
    private static final int HEIGHT = 230;
    private static final int LEFT = 44;
    private static final int RIGHT = 16;
    private static final int TOP = 12;
    private static final int BOTTOM = 40;
    /** Points of different policies at one budget stand a little apart. */
    private static final int APART = 4;

    private final List<Summary.Row> rows;
    private final List<String> policies;
    private final List<String> budgets;

    LineChart(Summary summary) {
        this.rows = summary.rows();
        this.policies = summary.policies();
        this.budgets = Summary.sorted(rows.stream()
                .map(Summary.Row::budget)
                .filter(label -> !label.isEmpty())
                .distinct()
                .toList());
    }

    /** Colour of a policy, the same wherever it is compared with the same ones; {@code full} is grey. */
    static String colour(List<String> policies, String policy) {
        List<String> coloured = new ArrayList<>(policies);
        coloured.remove("full");
        // The flagship looks the same on every page.
        coloured.sort(Comparator.comparing(other -> !other.startsWith("cake")));
        return Page.series(coloured.indexOf(policy) + 1);
    }

    /**
     * The drawing.
     *
     * @param tallies which of a row's tallies are meant
     */
    Markup draw(String description, Function<Summary.Row, Summary.Tally> tallies) {
        Markup svg = new Markup()
                .open(
                        "svg",
                        "xmlns",
                        "http://www.w3.org/2000/svg",
                        "viewBox",
                        "0 0 " + WIDTH + " " + HEIGHT,
                        "width",
                        WIDTH,
                        "role",
                        "img",
                        "aria-label",
                        description);
        axes(svg);
        for (int index = 0; index < policies.size(); index++) {
            String policy = policies.get(index);
            String colour = colour(policies, policy);
            double shift = (index - (policies.size() - 1) / 2.0) * APART;
            line(svg, policy, colour, shift, tallies);
        }
        return svg.close();
    }

    private void axes(Markup svg) {
        for (int percent = 0; percent <= 100; percent += 25) {
            double y = y(percent / 100.0);
            svg.empty("line", "x1", LEFT, "x2", WIDTH - RIGHT, "y1", round(y), "y2", round(y), "stroke", "var(--line)");
            svg.element("text", percent + "%", "x", LEFT - 8, "y", round(y + 4), "text-anchor", "end", "class", "soft");
        }
        for (int index = 0; index < budgets.size(); index++) {
            svg.element(
                    "text",
                    budgets.get(index),
                    "x",
                    round(x(index)),
                    "y",
                    HEIGHT - BOTTOM + 18,
                    "text-anchor",
                    "middle",
                    "class",
                    "soft");
        }
        svg.element(
                "text",
                "budget",
                "x",
                (LEFT + WIDTH - RIGHT) / 2,
                "y",
                HEIGHT - 6,
                "text-anchor",
                "middle",
                "class",
                "soft");
    }

    private void line(
            Markup svg, String policy, String colour, double shift, Function<Summary.Row, Summary.Tally> tallies) {
        StringBuilder points = new StringBuilder();
        Markup marks = new Markup();
        for (Summary.Row row : rows) {
            Summary.Tally tally = tallies.apply(row);
            if (!row.policy().equals(policy) || tally.samples() == 0) {
                continue;
            }
            String y = round(y(tally.accuracy()));
            if (row.budget().isEmpty()) {
                svg.empty(
                        "line",
                        "x1",
                        LEFT,
                        "x2",
                        WIDTH - RIGHT,
                        "y1",
                        y,
                        "y2",
                        y,
                        "stroke",
                        colour,
                        "stroke-width",
                        2,
                        "stroke-dasharray",
                        "6 4");
                continue;
            }
            String x = round(x(budgets.indexOf(row.budget())) + shift);
            ShareInterval interval = tally.interval();
            points.append(x).append(',').append(y).append(' ');
            marks.empty(
                    "line",
                    "x1",
                    x,
                    "x2",
                    x,
                    "y1",
                    round(y(interval.low())),
                    "y2",
                    round(y(interval.high())),
                    "stroke",
                    colour,
                    "stroke-opacity",
                    0.45);
            marks.open("circle", "cx", x, "cy", y, "r", 3.5, "fill", colour)
                    .element("title", said(row, tally))
                    .close();
        }
        svg.empty(
                "polyline",
                "points",
                points.toString().strip(),
                "fill",
                "none",
                "stroke",
                colour,
                "stroke-width",
                2,
                "stroke-linejoin",
                "round");
        svg.add(marks);
    }

    /** A point in words. */
    static String said(Summary.Row row, Summary.Tally tally) {
        return row.label() + ": " + tally.correct() + " of " + tally.samples() + " right, "
                + Table.percent(tally.accuracy()) + " (" + Table.interval(tally) + "%)";
    }

    private double x(int index) {
        double step = (double) (WIDTH - LEFT - RIGHT) / Math.max(1, budgets.size());
        return LEFT + step * (index + 0.5);
    }

    private static double y(double share) {
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    }

    static String round(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
