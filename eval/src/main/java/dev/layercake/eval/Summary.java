package dev.layercake.eval;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/**
 * Outcomes, counted: for each contender how many answers were right, in all and for each value of a label.
 *
 * @param title of the evaluation
 * @param setup what all outcomes share
 * @param view labels to group by
 * @param rows one per contender, in the order of the evaluation
 * @param columns values of the view's column label, in order
 * @param cells the same counts for each combination of all labels
 */
public record Summary(
        String title,
        SequencedMap<String, String> setup,
        Evaluation.View view,
        List<Row> rows,
        List<String> columns,
        List<Cell> cells) {
    public Summary {
        setup = new LinkedHashMap<>(setup);
        rows = List.copyOf(rows);
        columns = List.copyOf(columns);
        cells = List.copyOf(cells);
    }

    /**
     * How many of some answers were right.
     *
     * @param score mean score; the share of right answers unless there are half right ones
     */
    public record Tally(int samples, int correct, double score) {
        static final Tally NONE = new Tally(0, 0, 0);

        static Tally of(Collection<Outcome> outcomes) {
            int correct = (int) outcomes.stream().filter(Outcome::correct).count();
            double score =
                    outcomes.stream().mapToDouble(Outcome::score).average().orElse(0);
            return new Tally(outcomes.size(), correct, score);
        }

        /** Share of right answers; 0 if there are none at all. */
        public double accuracy() {
            return samples == 0 ? 0 : (double) correct / samples;
        }

        /** Where the true share lies, at 95 %. */
        public WilsonInterval interval() {
            return WilsonInterval.of(correct, samples);
        }
    }

    /**
     * One contender.
     *
     * @param policy its spec
     * @param budget its label, empty if it has none
     * @param budgetShare mean of budget / prompt; 1 if nothing was evicted
     * @param window entries that were kept always: "16", or "8-32" where prompts differ; empty if there is none
     * @param memoryShare mean of KV memory / that of {@code full}, whole pages
     * @param inWindow answers that lay in that window, where no policy can lose them
     * @param all over all samples
     * @param columns for each value of the view's column label
     */
    public record Row(
            String policy,
            String budget,
            double budgetShare,
            String window,
            double memoryShare,
            int inWindow,
            Tally all,
            Map<String, Tally> columns) {
        public Row {
            columns = new LinkedHashMap<>(columns);
        }

        /** "cake at 3.2%". */
        public String label() {
            return budget.isEmpty() ? policy : policy + " at " + budget;
        }
    }

    /** A contender's tally for one combination of labels. */
    public record Cell(String policy, String budget, SequencedMap<String, String> labels, Tally tally) {
        public Cell {
            labels = new LinkedHashMap<>(labels);
        }
    }

    /**
     * Counts outcomes.
     *
     * @param setup what was kept beside the results
     */
    public static Summary of(Evaluation evaluation, SequencedMap<String, String> setup, List<Outcome> outcomes) {
        Evaluation.View view = evaluation.view();
        SequencedMap<Contestant, List<Outcome>> byContender = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            byContender
                    .computeIfAbsent(new Contestant(outcome.policy(), outcome.budget()), key -> new ArrayList<>())
                    .add(outcome);
        }
        List<Row> rows = new ArrayList<>();
        List<Cell> cells = new ArrayList<>();
        byContender.forEach((contestant, own) -> {
            rows.add(row(contestant, own, view));
            SequencedMap<SequencedMap<String, String>, List<Outcome>> byLabels = new LinkedHashMap<>();
            own.forEach(outcome -> byLabels.computeIfAbsent(outcome.labels(), key -> new ArrayList<>())
                    .add(outcome));
            byLabels.forEach((labels, some) ->
                    cells.add(new Cell(contestant.policy(), contestant.budget(), labels, Tally.of(some))));
        });
        return new Summary(evaluation.name(), setup, view, rows, values(outcomes, view.columns()), cells);
    }

    private record Contestant(String policy, String budget) {}

    private static Row row(Contestant contestant, List<Outcome> outcomes, Evaluation.View view) {
        Map<String, List<Outcome>> byColumn = new TreeMap<>(Summary::compare);
        outcomes.forEach(outcome -> byColumn.computeIfAbsent(
                        outcome.labels().getOrDefault(view.columns(), ""), key -> new ArrayList<>())
                .add(outcome));
        Map<String, Tally> columns = new LinkedHashMap<>();
        byColumn.forEach((column, some) -> columns.put(column, Tally.of(some)));
        int least = outcomes.stream().mapToInt(Outcome::window).min().orElse(0);
        int most = outcomes.stream().mapToInt(Outcome::window).max().orElse(0);
        return new Row(
                contestant.policy(),
                contestant.budget(),
                outcomes.stream()
                        .mapToDouble(outcome -> outcome.budgetEntries() == 0
                                ? 1
                                : Math.min(1, (double) outcome.budgetEntries() / outcome.promptTokens()))
                        .average()
                        .orElse(0),
                most == 0 ? "" : least == most ? Integer.toString(most) : least + "-" + most,
                outcomes.stream()
                        .mapToDouble(outcome -> (double) outcome.kvBytes() / outcome.kvBytesFull())
                        .average()
                        .orElse(0),
                (int) outcomes.stream().filter(Outcome::inWindow).count(),
                Tally.of(outcomes),
                columns);
    }

    /** Values of a label among outcomes, numbers in their order, words in order of appearance. */
    private static List<String> values(List<Outcome> outcomes, String label) {
        LinkedHashSet<String> values = new LinkedHashSet<>();
        outcomes.forEach(outcome -> values.add(outcome.labels().getOrDefault(label, "")));
        return sorted(values);
    }

    static List<String> sorted(Collection<String> values) {
        boolean numbers = values.stream().allMatch(value -> !Double.isNaN(number(value)));
        return numbers
                ? values.stream()
                        .sorted(Comparator.comparingDouble(Summary::number))
                        .toList()
                : List.copyOf(values);
    }

    private static int compare(String one, String other) {
        double first = number(one);
        double second = number(other);
        return Double.isNaN(first) || Double.isNaN(second) ? one.compareTo(other) : Double.compare(first, second);
    }

    /** "512" or "25%"; NaN for a word. */
    static double number(String text) {
        return text.matches("[0-9.]+%?") ? Double.parseDouble(text.replace("%", "")) : Double.NaN;
    }

    /** Policies in order of appearance. */
    List<String> policies() {
        return rows.stream().map(Row::policy).distinct().toList();
    }

    /** Whether any answer lay where its policy keeps everything. */
    boolean hasAnswersInWindows() {
        return rows.stream().anyMatch(row -> row.inWindow > 0);
    }

    /** All label names, in order of appearance. */
    List<String> labels() {
        return cells.stream()
                .flatMap(cell -> cell.labels().keySet().stream())
                .distinct()
                .toList();
    }
}
