package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.metric.BabiLong;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * BABILong (Kuratov et al., 2024): questions about facts that are strewn into novels. It reads {@code {qaN}/{length}.json} or {@code
 * {length}/{qaN}.json(l)} with {@code input}, {@code question} and {@code target}. The instruction and the worked examples of the
 * official prompts are not part of the data and are left out; the text stands between {@code <context>} marks as there, so that
 * scores are not comparable to published ones unless the rows bring their prompts along ({@code instruction}).
 */
public final class BabiLongSuite implements Suite {
    private static final int NEW_TOKENS = 20;
    private static final Pattern TASK = Pattern.compile("qa([0-9]{1,2})");
    private static final List<String> PLACES = List.of("bathroom", "bedroom", "garden", "hallway", "kitchen", "office");
    private static final List<String> YES_NO = List.of("no", "yes");

    /** What can be an answer, task by task. */
    private static final Map<Integer, List<String>> LABELS = Map.ofEntries(
            Map.entry(1, PLACES),
            Map.entry(2, PLACES),
            Map.entry(3, PLACES),
            Map.entry(4, PLACES),
            Map.entry(5, List.of("Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk")),
            Map.entry(6, YES_NO),
            Map.entry(7, List.of("none", "one", "three", "two")),
            Map.entry(8, List.of("apple", "football", "milk", "nothing")),
            Map.entry(9, YES_NO),
            Map.entry(10, List.of("maybe", "no", "yes")),
            Map.entry(11, PLACES),
            Map.entry(12, PLACES),
            Map.entry(13, PLACES),
            Map.entry(14, List.of("bedroom", "cinema", "kitchen", "office", "park", "school")),
            Map.entry(15, List.of("cat", "mouse", "sheep", "wolf")),
            Map.entry(16, List.of("gray", "green", "white", "yellow")),
            Map.entry(17, YES_NO),
            Map.entry(18, YES_NO),
            Map.entry(19, List.of("e,e", "e,n", "e,s", "n,e", "n,n", "n,w", "s,e", "s,s", "s,w", "w,n", "w,s", "w,w")),
            Map.entry(20, List.of("bedroom", "bored", "garden", "hungry", "kitchen", "thirsty", "tired")));

    private final SuiteOptions options;

    public BabiLongSuite(SuiteOptions options) {
        this.options = options;
    }

    /** All possible answers of a task, "qa1" to "qa20"; empty for another name. */
    public static List<String> labels(String task) {
        Matcher matcher = TASK.matcher(task);
        return matcher.matches() ? LABELS.getOrDefault(Integer.parseInt(matcher.group(1)), List.of()) : List.of();
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        List<Sample> samples = new ArrayList<>();
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "babilong");
        for (Path file : Rows.tree(options.data(), ".json", ".jsonl")) {
            String own = Rows.name(file);
            String above =
                    String.valueOf(file.toAbsolutePath().resolveSibling("").getFileName());
            String task = TASK.matcher(own).matches() ? own : above;
            String length = task.equals(own) ? above : own;
            List<String> labels = labels(task);
            if (labels.isEmpty() || !options.wants(task)) {
                continue;
            }
            Rows rows = Rows.of(file);
            setup.put("file " + task + " " + length, rows.digest());
            for (int row = 0; row < options.take(rows.list().size()); row++) {
                samples.add(sample(rows, row, task, length, labels));
            }
        }
        if (samples.isEmpty()) {
            throw LayercakeException.badInput("There is no BABILong data in " + options.data()
                    + ": put {qaN}/{length}.json there, from huggingface.co/datasets/RMT-team/babilong.");
        }
        return new Evaluation("babilong", samples, setup, Evaluation.View.table("length"));
    }

    private static Sample sample(Rows rows, int row, String task, String length, List<String> labels) {
        String instruction = rows.optional(row, "instruction")
                .map(text -> text.strip() + "\n\n")
                .orElse("");
        String question = rows.text(row, "question").strip();
        String target = rows.text(row, "target");
        SequencedMap<String, String> own = new LinkedHashMap<>();
        own.put("length", length);
        own.put("task", task);
        return new Sample(
                task + "-" + length + "-" + row,
                new Prompt(
                        instruction + "<context>\n" + rows.text(row, "input").strip() + "\n</context>",
                        "\n\nQuestion: " + question,
                        false,
                        Prompt.Form.VERBATIM),
                target,
                List.of(target),
                List.of(),
                new SuiteScoring(
                        "babilong",
                        NEW_TOKENS,
                        answer -> BabiLong.correct(answer.strip(), question, target, labels) ? 1 : 0),
                own);
    }
}
