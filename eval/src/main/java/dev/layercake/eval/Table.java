package dev.layercake.eval;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A summary as text: a table for a terminal, CSV and JSON for programs. */
public final class Table {
    private Table() {}

    /** Lines of a table: a row per contender, a column per value of the view's label, right answers in percent. */
    public static List<String> lines(Summary summary) {
        List<List<String>> cells = new ArrayList<>();
        List<String> head = new ArrayList<>(List.of("policy", "budget", "window", "KV"));
        head.addAll(summary.columns());
        head.addAll(List.of(summary.view().graded() ? "mean" : "all", "95 %", "n"));
        boolean compared = summary.rows().stream().anyMatch(row -> row.difference() != null);
        if (compared) {
            head.addAll(List.of("difference", "95 %"));
        }
        boolean marked = summary.hasAnswersInWindows();
        if (marked) {
            head.add("in window");
        }
        cells.add(head);
        for (Summary.Row row : summary.rows()) {
            List<String> line = new ArrayList<>(List.of(
                    row.policy(),
                    row.budget(),
                    row.window(),
                    String.format(Locale.ROOT, "%.0f%%", row.memoryShare() * 100)));
            for (String column : summary.columns()) {
                Summary.Tally tally = row.columns().getOrDefault(column, Summary.Tally.NONE);
                line.add(tally.samples() == 0 ? "-" : percent(tally.accuracy()));
            }
            line.add(percent(row.all().accuracy()));
            line.add(interval(row.all()));
            line.add(Integer.toString(row.all().samples()));
            if (compared) {
                line.addAll(difference(row.difference()));
            }
            if (marked) {
                line.add(Integer.toString(row.inWindow()));
            }
            cells.add(line);
        }
        return aligned(cells);
    }

    /** What the columns mean, in a line or two. */
    public static List<String> legend(Summary summary) {
        boolean windows = summary.rows().stream().anyMatch(row -> !row.window().isEmpty());
        List<String> lines = new ArrayList<>();
        lines.add("budget: entries per head and layer, as a share of the prompt"
                + (windows ? ", the window's included; window: last tokens, kept always." : "."));
        lines.add(
                "KV: memory at the end against that of full, in whole pages; 95 %: where the true share lies; n: answers.");
        if (summary.rows().stream().anyMatch(row -> row.difference() != null)) {
            lines.add("difference: to " + summary.baseline()
                    + " on the same questions, and where the true one lies (paired bootstrap); * if not at 0, of six"
                    + " questions or more.");
        }
        if (summary.hasAnswersInWindows()) {
            lines.add(
                    "in window: of the n, answers among the last tokens, which tell nothing about a policy that keeps those"
                            + " (--skip-in-window leaves them out).");
        }
        return lines;
    }

    /** "-12%" and "-21..-3 *". */
    static List<String> difference(Summary.@Nullable Difference difference) {
        if (difference == null) {
            return List.of("", "");
        }
        ShareInterval interval = difference.interval();
        return List.of(
                String.format(Locale.ROOT, "%+.0f%%", difference.mean() * 100),
                String.format(Locale.ROOT, "%+.0f..%+.0f", interval.low() * 100, interval.high() * 100)
                        + (difference.isSure() ? " *" : ""));
    }

    /** "83%". */
    static String percent(double share) {
        return String.format(Locale.ROOT, "%.0f%%", share * 100);
    }

    /** "70-91". */
    static String interval(Summary.Tally tally) {
        ShareInterval interval = tally.interval();
        return String.format(Locale.ROOT, "%.0f-%.0f", interval.low() * 100, interval.high() * 100);
    }

    static List<String> aligned(List<List<String>> cells) {
        int columns = cells.getFirst().size();
        List<String> lines = new ArrayList<>();
        int[] widths = new int[columns];
        for (List<String> line : cells) {
            for (int column = 0; column < columns; column++) {
                widths[column] = Math.max(widths[column], line.get(column).length());
            }
        }
        for (List<String> line : cells) {
            StringBuilder text = new StringBuilder();
            for (int column = 0; column < columns; column++) {
                String cell = line.get(column);
                String blanks = " ".repeat(widths[column] - cell.length());
                text.append(column == 0 ? cell + blanks : "  " + blanks + cell);
            }
            lines.add(text.toString().stripTrailing());
        }
        return lines;
    }

    /** A line per contender and combination of labels (RFC 4180), the first one names the columns. */
    public static String csv(Summary summary) {
        List<String> labels = summary.labels();
        StringBuilder csv = new StringBuilder();
        List<String> head = new ArrayList<>(List.of("policy", "budget"));
        head.addAll(labels);
        head.addAll(List.of("samples", "correct", "accuracy", "low", "high", "score"));
        append(csv, head);
        for (Summary.Cell cell : summary.cells()) {
            Summary.Tally tally = cell.tally();
            ShareInterval interval = tally.interval();
            List<String> line = new ArrayList<>(List.of(cell.policy(), cell.budget()));
            labels.forEach(label -> line.add(cell.labels().getOrDefault(label, "")));
            line.add(Integer.toString(tally.samples()));
            line.add(Integer.toString(tally.correct()));
            for (double share : new double[] {tally.accuracy(), interval.low(), interval.high(), tally.score()}) {
                line.add(String.format(Locale.ROOT, "%.4f", share));
            }
            append(csv, line);
        }
        return csv.toString();
    }

    static void append(StringBuilder csv, List<String> cells) {
        for (int index = 0; index < cells.size(); index++) {
            String cell = cells.get(index);
            boolean quoted = cell.contains(",") || cell.contains("\"") || cell.contains("\n");
            csv.append(index == 0 ? "" : ",").append(quoted ? "\"" + cell.replace("\"", "\"\"") + "\"" : cell);
        }
        csv.append("\r\n");
    }

    /** The same as JSON: setup, a row per contender and a cell per combination of labels. */
    public static String json(Summary summary) {
        return Json.pretty(new Report(
                summary.title(),
                summary.setup(),
                summary.rows().stream().map(Table::line).toList(),
                summary.cells().stream().map(Table::line).toList()));
    }

    private record Report(String evaluation, Object setup, List<Object> rows, List<Object> cells) {}

    private record Counts(int samples, int correct, double accuracy, double low, double high, double score) {
        static Counts of(Summary.Tally tally) {
            ShareInterval interval = tally.interval();
            return new Counts(
                    tally.samples(), tally.correct(), tally.accuracy(), interval.low(), interval.high(), tally.score());
        }
    }

    private record RowLine(
            String policy,
            String budget,
            double budgetShare,
            String window,
            double memoryShare,
            int inWindow,
            Counts counts,
            @JsonInclude(JsonInclude.Include.NON_NULL) Summary.@Nullable Difference difference) {}

    private record CellLine(String policy, String budget, Object labels, Counts counts) {}

    private static Object line(Summary.Row row) {
        return new RowLine(
                row.policy(),
                row.budget(),
                row.budgetShare(),
                row.window(),
                row.memoryShare(),
                row.inWindow(),
                Counts.of(row.all()),
                row.difference());
    }

    private static Object line(Summary.Cell cell) {
        return new CellLine(cell.policy(), cell.budget(), cell.labels(), Counts.of(cell.tally()));
    }
}
