package dev.layercake.eval;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A summary as a page: table, charts and heat maps. */
final class ReportPage {
    private final Summary summary;

    ReportPage(Summary summary) {
        this.summary = summary;
    }

    String html() {
        String title = summary.title() + ": " + summary.setup().getOrDefault("model", "");
        Markup body = new Markup();
        body.element("h1", title);
        boolean graded = summary.view().graded();
        body.element(
                "p",
                (graded ? "Mean scores" : "Right answers")
                        + " by policy and budget. A budget counts entries per head and"
                        + " layer, window included, as a share of the prompt where it is a percentage; KV is the memory held"
                        + " at the end against that of the full cache, in whole pages; behind each figure stands its 95 %"
                        + " interval ("
                        + (graded ? "bootstrap; of right or wrong answers Wilson" : "Wilson")
                        + (compared() ? "), behind each difference that of a paired bootstrap" : ")")
                        + ".",
                "class",
                "faint");
        summary.doubt().ifPresent(doubt -> body.element("p", "Note: " + doubt + ".", "class", "bad"));
        table(body);
        charts(body);
        heatMaps(body);
        body.element("h2", "Setup");
        body.open("dl");
        summary.setup().forEach((key, value) -> body.element("dt", key).element("dd", value));
        body.close();
        return Page.of(title, body);
    }

    private void table(Markup body) {
        body.open("div", "class", "scroll").open("table").open("tr");
        for (String head : List.of("policy", "budget", "window", "KV")) {
            body.element("th", head);
        }
        summary.columns().forEach(column -> body.element("th", column));
        body.element("th", summary.view().graded() ? "mean" : "all").element("th", "n");
        if (compared()) {
            body.element("th", "difference to " + summary.baseline());
        }
        if (summary.hasAnswersInWindows()) {
            body.element("th", "in window");
        }
        body.close();
        for (Summary.Row row : summary.rows()) {
            body.open("tr")
                    .element("td", row.policy())
                    .element("td", row.budget())
                    .element("td", row.window())
                    .element("td", Table.percent(row.memoryShare()));
            for (String column : summary.columns()) {
                share(body, row.columns().getOrDefault(column, Summary.Tally.NONE));
            }
            share(body, row.all());
            body.element("td", Integer.toString(row.all().samples()));
            if (compared()) {
                difference(body, row.difference());
            }
            if (summary.hasAnswersInWindows()) {
                body.element("td", Integer.toString(row.inWindow()));
            }
            body.close();
        }
        body.close().close();
    }

    private boolean compared() {
        return summary.rows().stream().anyMatch(row -> row.difference() != null);
    }

    private static void difference(Markup body, Summary.@Nullable Difference difference) {
        List<String> written = Table.difference(difference);
        String sure = difference == null || !difference.isSure() ? "" : difference.mean() > 0 ? "good" : "bad";
        body.open("td", "class", sure)
                .text(written.getFirst() + " ")
                .element("small", written.getLast())
                .close();
    }

    private static void share(Markup body, Summary.Tally tally) {
        if (tally.samples() == 0) {
            body.element("td", "-");
            return;
        }
        body.open("td")
                .text(Table.percent(tally.accuracy()) + " ")
                .element("small", Table.interval(tally))
                .close();
    }

    private void charts(Markup body) {
        boolean budgets = summary.rows().stream().anyMatch(row -> !row.budget().isEmpty());
        if (!budgets) {
            return;
        }
        LineChart chart = new LineChart(summary);
        body.element("h2", (summary.view().graded() ? "Mean scores" : "Right answers") + " by budget");
        key(body, summary.policies());
        body.open("div", "class", "row");
        figure(body, "all", chart.draw("All answers by budget", Summary.Row::all));
        if (summary.columns().size() > 1) {
            for (String column : summary.columns()) {
                String caption = summary.view().columns() + " " + column;
                figure(
                        body,
                        caption,
                        chart.draw(
                                "Answers by budget, " + caption,
                                row -> row.columns().getOrDefault(column, Summary.Tally.NONE)));
            }
        }
        body.close();
    }

    /** Which colour is which policy. */
    static void key(Markup body, List<String> policies) {
        body.open("p", "class", "faint");
        for (String policy : policies) {
            body.open("span", "class", "key")
                    .element("i", "", "style", "background:" + LineChart.colour(policies, policy))
                    .text(policy)
                    .close();
        }
        body.close();
    }

    private static void figure(Markup body, String caption, Markup drawing) {
        body.open("figure").element("figcaption", caption).add(drawing).close();
    }

    private void heatMaps(Markup body) {
        if (!summary.view().hasHeatMap()) {
            return;
        }
        body.element(
                "h2", "By " + summary.view().across() + " and " + summary.view().down());
        for (Map.Entry<String, List<HeatMap>> entry : HeatMap.all(summary).entrySet()) {
            body.open("div", "class", "row", "style", "margin-bottom:1rem");
            for (HeatMap map : entry.getValue()) {
                figure(body, map.title(), HeatMapDrawing.draw(map, summary.view()));
            }
            body.close();
        }
    }
}
