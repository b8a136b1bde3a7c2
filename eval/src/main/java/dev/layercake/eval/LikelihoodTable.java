package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A {@link LikelihoodSummary} as text: a table for a terminal, CSV and JSON for programs. */
public final class LikelihoodTable {
    private LikelihoodTable() {}

    /** A row per contender. */
    public static List<String> lines(LikelihoodSummary summary) {
        List<List<String>> cells = new ArrayList<>();
        List<String> head = new ArrayList<>(List.of("policy", "budget", "KV", "perplexity", "|d|", "95 %"));
        head.addAll(summary.parts());
        head.add("n");
        cells.add(head);
        for (LikelihoodSummary.Row row : summary.rows()) {
            List<String> line = new ArrayList<>(List.of(
                    row.policy(),
                    row.budget(),
                    Table.percent(row.memoryShare()),
                    String.format(Locale.ROOT, "%.3f", row.perplexity()),
                    number(row.difference().mean()),
                    interval(row.difference())));
            row.differenceByPart().forEach(part -> line.add(number(part)));
            line.add(Integer.toString(row.excerpts()));
            cells.add(line);
        }
        return Table.aligned(cells);
    }

    /** What the columns mean. */
    public static List<String> legend() {
        return List.of(
                "|d|: mean |log-probability - that of full| of the tokens that follow, and in parts of them; 95 %: where",
                "the mean over all such excerpts lies (Student's t); n: excerpts; KV: memory at the end against full's.");
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.4f", value);
    }

    private static String interval(MeanInterval interval) {
        return Double.isNaN(interval.low()) ? "-" : number(Math.max(0, interval.low())) + "-" + number(interval.high());
    }

    /** A line per contender (RFC 4180), the first one names the columns. */
    public static String csv(LikelihoodSummary summary) {
        StringBuilder csv = new StringBuilder();
        List<String> head = new ArrayList<>(List.of(
                "policy",
                "budget",
                "excerpts",
                "memory_share",
                "peak_bytes",
                "perplexity",
                "difference",
                "low",
                "high"));
        head.addAll(List.of("loss_more", "loss_more_low", "loss_more_high"));
        summary.parts().forEach(part -> head.add("difference " + part));
        Table.append(csv, head);
        for (LikelihoodSummary.Row row : summary.rows()) {
            List<String> line = new ArrayList<>(List.of(row.policy(), row.budget(), Integer.toString(row.excerpts())));
            line.add(number(row.memoryShare()));
            line.add(Long.toString(row.peakBytes()));
            List<Double> values = new ArrayList<>(List.of(row.perplexity()));
            for (MeanInterval interval : List.of(row.difference(), row.loss())) {
                values.addAll(List.of(interval.mean(), interval.low(), interval.high()));
            }
            values.addAll(row.differenceByPart());
            values.forEach(value -> line.add(value.isNaN() ? "" : String.format(Locale.ROOT, "%.6f", value)));
            Table.append(csv, line);
        }
        return csv.toString();
    }

    /** The same as JSON. */
    public static String json(LikelihoodSummary summary) {
        return Json.pretty(summary);
    }

    /**
     * Writes both into a folder, over those of an earlier run.
     *
     * @return the files
     * @throws LayercakeException (bad input) if the folder cannot be written to
     */
    public static List<Path> write(LikelihoodSummary summary, Path folder) {
        try {
            return List.of(
                    Files.writeString(folder.resolve("summary.csv"), csv(summary)),
                    Files.writeString(folder.resolve("summary.json"), json(summary) + "\n"));
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The summary cannot be written to " + folder + " (" + e.getMessage() + "); give another --out.", e);
        }
    }
}
