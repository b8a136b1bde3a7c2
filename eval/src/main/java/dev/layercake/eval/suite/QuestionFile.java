package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.metric.LongBench;
import dev.layercake.eval.metric.LongBench.Metric;
import dev.layercake.eval.metric.Ruler;
import dev.layercake.eval.metric.Ruler.Match;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;

/**
 * The user's own questions: a file with a JSON object a line, each with {@code question}, {@code answers} (a text or several, also
 * called {@code answer}), and the text that they are about: {@code context}, or {@code context_file}, a path beside the file.
 * {@code metric} says how an answer is scored: {@code contains} (any answer occurs; usual), {@code all} (the share of answers that
 * occur), {@code exact}, {@code f1}, {@code rouge}; {@code task} groups questions, {@code id} names them, {@code max_tokens} bounds
 * the answer.
 */
public final class QuestionFile implements Suite {
    private static final int NEW_TOKENS = 64;

    private final SuiteOptions options;

    public QuestionFile(SuiteOptions options) {
        this.options = options;
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        Rows rows = Rows.of(options.data());
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "file");
        setup.put("file " + options.data().getFileName(), rows.digest());
        List<Sample> samples = new ArrayList<>();
        for (int row = 0; row < rows.list().size(); row++) {
            if (options.wants(task(rows, row))
                    && samples.size() < options.take(rows.list().size())) {
                samples.add(sample(rows, row));
            }
        }
        if (samples.isEmpty()) {
            throw LayercakeException.badInput(options.data() + " has no question of these --tasks.");
        }
        requireDistinct(samples);
        return new Evaluation("file", samples, setup, Evaluation.View.scores("task"));
    }

    private void requireDistinct(List<Sample> samples) {
        if (samples.stream().map(Sample::id).distinct().count() < samples.size()) {
            throw LayercakeException.badInput(
                    "Two rows of " + options.data() + " have the same \"id\"; give each its own, or leave ids out.");
        }
    }

    private static String task(Rows rows, int row) {
        return rows.optional(row, "task").orElse("questions");
    }

    private static Sample sample(Rows rows, int row) {
        List<String> answers = new ArrayList<>(rows.texts(row, "answers"));
        answers.addAll(rows.texts(row, "answer"));
        if (answers.isEmpty()) {
            throw LayercakeException.badInput("Row " + (row + 1) + " of " + rows.file()
                    + " has no \"answers\"; give a text, or several in a list.");
        }
        int newTokens = rows.list().get(row).path("max_tokens").asInt(NEW_TOKENS);
        if (newTokens < 1) {
            throw LayercakeException.badInput(
                    "Row " + (row + 1) + " of " + rows.file() + " has a \"max_tokens\" below 1.");
        }
        String metric = rows.optional(row, "metric").orElse("contains");
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("task", task(rows, row));
        return new Sample(
                rows.optional(row, "id").orElse("row-" + (row + 1)),
                new Prompt(
                        " " + context(rows, row).strip(),
                        " " + rows.text(row, "question").strip(),
                        false),
                answers.getFirst(),
                answers,
                List.of(),
                new SuiteScoring(metric, newTokens, rule(metric, answers, rows, row)),
                labels);
    }

    private static String context(Rows rows, int row) {
        Optional<String> named = rows.optional(row, "context_file");
        if (named.isEmpty()) {
            return rows.text(row, "context");
        }
        Path file = rows.file().toAbsolutePath().resolveSibling(named.get());
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The \"context_file\" " + file + " of row " + (row + 1) + " of " + rows.file()
                            + " cannot be read as UTF-8 text.",
                    e);
        }
    }

    private static ToDoubleFunction<String> rule(String metric, List<String> answers, Rows rows, int row) {
        return switch (metric) {
            case "contains" -> answer -> Ruler.score(Match.PART, answer, answers);
            case "all" -> answer -> Ruler.score(Match.ALL, answer, answers);
            case "exact" ->
                answer -> answers.stream().anyMatch(each -> each.strip().equals(answer.strip())) ? 1 : 0;
            case "f1" -> answer -> LongBench.OFFICIAL.best(Metric.QA_F1, answer, answers, List.of(), false);
            case "rouge" -> answer -> LongBench.OFFICIAL.best(Metric.ROUGE, answer, answers, List.of(), false);
            default ->
                throw LayercakeException.badInput("Row " + (row + 1) + " of " + rows.file() + " has the metric '"
                        + metric + "'; possible are contains, all, exact, f1 and rouge.");
        };
    }
}
