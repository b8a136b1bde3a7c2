package dev.layercake.eval;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

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
        String baseline,
        List<String> columns,
        List<Cell> cells) {
    public Summary {
        setup = new LinkedHashMap<>(setup);
        rows = List.copyOf(rows);
        columns = List.copyOf(columns);
        cells = List.copyOf(cells);
    }

    /**
     * How right some answers were.
     *
     * @param correct how many were wholly right
     * @param score mean score; the share of right answers unless there are half right ones
     * @param graded whether the mean score is what counts, otherwise the share of right answers
     * @param interval where the true share or mean lies, at 95 %
     */
    public record Tally(int samples, int correct, double score, boolean graded, ShareInterval interval) {
        static final Tally NONE = new Tally(0, 0, 0, false, ShareInterval.of(0, 0));

        static Tally of(Collection<Outcome> outcomes, boolean graded) {
            int correct = (int) outcomes.stream().filter(Outcome::correct).count();
            double[] scores = outcomes.stream().mapToDouble(Outcome::score).toArray();
            double mean = Arrays.stream(scores).average().orElse(0);
            return new Tally(scores.length, correct, mean, graded, interval(List.of(scores), correct, graded));
        }

        /** Of several columns, each counting the same if answers are graded. */
        static Tally of(Collection<Outcome> outcomes, Collection<List<Outcome>> columns, boolean graded) {
            Tally all = of(outcomes, graded);
            if (!graded) {
                return all;
            }
            List<double[]> scores = columns.stream()
                    .map(column -> column.stream().mapToDouble(Outcome::score).toArray())
                    .toList();
            return new Tally(all.samples, all.correct, meanOfMeans(scores), true, interval(scores, all.correct, true));
        }

        /** Right or wrong answers have the interval that is good for few of them, unless columns of different sizes count alike. */
        private static ShareInterval interval(List<double[]> groups, int correct, boolean graded) {
            boolean between = groups.stream().flatMapToDouble(Arrays::stream).anyMatch(score -> score > 0 && score < 1);
            boolean even =
                    groups.stream().mapToInt(group -> group.length).distinct().count() <= 1;
            boolean none = groups.stream().anyMatch(group -> group.length == 0);
            return graded && !none && (between || !even)
                    ? ShareInterval.bootstrap(groups)
                    : ShareInterval.of(
                            correct,
                            groups.stream().mapToInt(group -> group.length).sum());
        }

        /** What is shown: share of right answers, or the mean score of graded ones; 0 if there are none at all. */
        public double accuracy() {
            return graded ? score : samples == 0 ? 0 : (double) correct / samples;
        }
    }

    /**
     * How much better one contender was than the baseline, on the samples that both answered.
     *
     * @param mean of the differences of scores
     * @param interval where the true mean difference lies, at 95 %, by paired bootstrap
     * @param samples that both answered
     */
    public record Difference(double mean, ShareInterval interval, int samples) {
        /** Of fewer questions even a unanimous difference may be chance: one of five is seen once in sixteen times. */
        private static final int FEWEST = 6;

        /** Whether 0 lies outside of the interval, and the questions are enough to say so. */
        @JsonIgnore
        public boolean isSure() {
            return samples >= FEWEST && (interval.low() > 0 || interval.high() < 0);
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
     * @param difference to the baseline; null for the baseline, or without one
     */
    public record Row(
            String policy,
            String budget,
            double budgetShare,
            String window,
            double memoryShare,
            int inWindow,
            Tally all,
            Map<String, Tally> columns,
            @Nullable Difference difference) {
        public Row {
            columns = new LinkedHashMap<>(columns);
        }

        /** "cake at 3.2%". */
        public String label() {
            return Summary.label(policy, budget);
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
        Contestant baseline = baseline(byContender.keySet());
        List<Outcome> compared = baseline == null ? List.of() : byContender.getOrDefault(baseline, List.of());
        byContender.forEach((contestant, own) -> {
            rows.add(row(contestant, own, view, contestant.equals(baseline) ? List.of() : compared));
            SequencedMap<SequencedMap<String, String>, List<Outcome>> byLabels = new LinkedHashMap<>();
            own.forEach(outcome -> byLabels.computeIfAbsent(outcome.labels(), key -> new ArrayList<>())
                    .add(outcome));
            byLabels.forEach((labels, some) -> cells.add(
                    new Cell(contestant.policy(), contestant.budget(), labels, Tally.of(some, view.graded()))));
        });
        return new Summary(
                evaluation.name(),
                setup,
                view,
                rows,
                baseline == null ? "" : label(baseline.policy(), baseline.budget()),
                values(outcomes, view.columns()),
                cells);
    }

    private record Contestant(String policy, String budget) {}

    /** Below this share of right answers with the full cache, what policies lose says little. */
    private static final double DOUBTFUL = 0.5;

    /** A sentence that warns of conclusions, where the model fails with the full cache already. */
    public Optional<String> doubt() {
        return rows.stream()
                .filter(row -> row.policy().equals("full") && row.all().accuracy() < DOUBTFUL)
                .findFirst()
                .map(row -> "with the full cache the model reaches "
                        + Table.percent(row.all().accuracy())
                        + " only: what policies lose or win beside that means little");
    }

    private static @Nullable Contestant baseline(Collection<Contestant> contestants) {
        return contestants.stream()
                .filter(contestant -> contestant.policy().equals("full"))
                .findFirst()
                .or(() -> contestants.stream().findFirst())
                .orElse(null);
    }

    private static String label(String policy, String budget) {
        return budget.isEmpty() ? policy : policy + " at " + budget;
    }

    private static @Nullable Difference difference(
            List<Outcome> outcomes, List<Outcome> baseline, Evaluation.View view) {
        Map<String, Double> scores = new HashMap<>();
        baseline.forEach(outcome -> scores.put(outcome.sample(), scored(outcome, view)));
        Map<String, List<Double>> byColumn = new TreeMap<>();
        for (Outcome outcome : outcomes) {
            Double other = scores.get(outcome.sample());
            if (other != null) {
                String column = view.graded() ? outcome.labels().getOrDefault(view.columns(), "") : "";
                byColumn.computeIfAbsent(column, key -> new ArrayList<>()).add(scored(outcome, view) - other);
            }
        }
        if (byColumn.isEmpty()) {
            return null;
        }
        List<double[]> groups = byColumn.values().stream()
                .map(values -> values.stream().mapToDouble(Double::doubleValue).toArray())
                .toList();
        int samples = groups.stream().mapToInt(group -> group.length).sum();
        return new Difference(meanOfMeans(groups), ShareInterval.bootstrap(groups), samples);
    }

    /** Each group counts the same. */
    private static double meanOfMeans(List<double[]> groups) {
        return groups.stream()
                .mapToDouble(group -> Arrays.stream(group).average().orElse(0))
                .average()
                .orElse(0);
    }

    private static double scored(Outcome outcome, Evaluation.View view) {
        return view.graded() ? outcome.score() : outcome.correct() ? 1 : 0;
    }

    private static Row row(
            Contestant contestant, List<Outcome> outcomes, Evaluation.View view, List<Outcome> baseline) {
        Map<String, List<Outcome>> byColumn = new TreeMap<>(Summary::compare);
        outcomes.forEach(outcome -> byColumn.computeIfAbsent(
                        outcome.labels().getOrDefault(view.columns(), ""), key -> new ArrayList<>())
                .add(outcome));
        Map<String, Tally> columns = new LinkedHashMap<>();
        byColumn.forEach((column, some) -> columns.put(column, Tally.of(some, view.graded())));
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
                Tally.of(outcomes, byColumn.values(), view.graded()),
                columns,
                difference(outcomes, baseline, view));
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
