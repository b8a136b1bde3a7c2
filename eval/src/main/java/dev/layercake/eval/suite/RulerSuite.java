package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.metric.Ruler;
import dev.layercake.eval.metric.Ruler.Cleaning;
import dev.layercake.eval.metric.Ruler.Match;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * RULER (Hsieh et al., 2024) from its official files: {@code DIR/{task}/validation.jsonl} as {@code prepare.py} writes them, any
 * {@code {task}*.jsonl}, or kvpress' rows ({@code context}, {@code question}, {@code answer_prefix}, {@code answer}).
 */
public final class RulerSuite implements Suite {
    /** Most tokens of an answer, by the beginning of a task's name. */
    private static final Map<String, Integer> NEW_TOKENS =
            Map.of("niah", 128, "vt", 30, "cwe", 120, "fwe", 50, "qa", 32);

    /** Where the question of an official prompt begins; the last match counts. */
    private static final Pattern QUESTION = Pattern.compile(
            "What (?:is|are all) the special magic|Question: Find all variables|Question: What are the 10|"
                    + "Question: Do not provide|Answer the question based");

    private final SuiteOptions options;

    public RulerSuite(SuiteOptions options) {
        this.options = options;
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        List<Sample> samples = new ArrayList<>();
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "ruler");
        for (Path file : files()) {
            String name = file.getFileName().toString().equals("validation.jsonl")
                    ? String.valueOf(file.toAbsolutePath().resolveSibling("").getFileName())
                    : Rows.name(file);
            Rows rows = Rows.of(file);
            int taken = 0;
            for (int row = 0; row < rows.list().size(); row++) {
                String task = task(rows.optional(row, "task").orElse(name));
                if (!task.isEmpty()
                        && options.wants(task)
                        && taken < options.take(rows.list().size())) {
                    samples.add(sample(rows, row, task, name));
                    taken++;
                }
            }
            if (taken > 0) {
                setup.put("file " + name, rows.digest());
            }
        }
        if (samples.isEmpty()) {
            throw LayercakeException.badInput("There is no RULER data in " + options.data()
                    + ": put {task}/validation.jsonl there, as scripts/data/prepare.py of github.com/NVIDIA/RULER writes it,"
                    + " or leave --data out to have the tasks made here.");
        }
        return new Evaluation("ruler", samples, setup, Evaluation.View.scores("task"));
    }

    private List<Path> files() {
        return Files.isDirectory(options.data()) ? Rows.tree(options.data(), ".jsonl") : Rows.files(options.data());
    }

    /** The task in a name such as "niah_multikey_3_4096"; empty if it names none. */
    private static String task(String name) {
        Matcher matcher = Pattern.compile(
                        "niah_(?:single_[123]|multikey_[123]|multivalue|multiquery)|vt|cwe|fwe|qa_[12]")
                .matcher(name);
        return matcher.lookingAt() ? matcher.group() : "";
    }

    static int newTokens(String task) {
        return NEW_TOKENS.getOrDefault(task.replaceAll("_.*", ""), 128);
    }

    /** How a task's answers are scored. */
    static SuiteScoring scoring(String task, List<String> answers) {
        Match match = task.startsWith("qa") ? Match.PART : Match.ALL;
        return new SuiteScoring(
                "ruler",
                newTokens(task),
                answer -> Ruler.score(match, Ruler.cleaned(answer, Cleaning.NEWLINES), answers));
    }

    private static Sample sample(Rows rows, int row, String task, String name) {
        List<String> answers = rows.texts(row, rows.list().get(row).has("outputs") ? "outputs" : "answer");
        if (answers.isEmpty()) {
            throw LayercakeException.badInput(
                    "Row " + (row + 1) + " of " + rows.file() + " has neither \"outputs\" nor \"answer\".");
        }
        String begins = rows.optional(row, "answer_prefix").orElse("");
        String text;
        String question;
        if (rows.optional(row, "question").isPresent()) {
            text = rows.text(row, "context");
            question = rows.text(row, "question");
        } else {
            String input = rows.text(row, "input");
            int cut = lastQuestion(input);
            text = input.substring(0, cut);
            question = input.substring(cut);
        }
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("task", task);
        return new Sample(
                name + "-" + row,
                new Prompt(text, question, false, Prompt.Form.VERBATIM.answering(begins)),
                answers.getFirst(),
                answers,
                List.of(),
                scoring(task, answers),
                labels);
    }

    private static int lastQuestion(String input) {
        Matcher matcher = QUESTION.matcher(input);
        int last = input.length();
        while (matcher.find()) {
            last = matcher.start();
        }
        return last;
    }
}
