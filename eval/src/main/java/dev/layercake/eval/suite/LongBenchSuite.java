package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.metric.LongBench;
import dev.layercake.eval.metric.LongBench.Metric;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * LongBench v1 (Bai et al., 2023): sixteen English tasks, as CAKE runs them or as kvpress does. It reads {@code {task}.jsonl} of
 * the published {@code data.zip}, with the official {@code dataset2prompt.json} in the same folder or beside it; rows whose prompt
 * is ready ({@code prompt}, {@code tail_start}); and kvpress' rows ({@code context}, {@code question}, {@code answer_prefix}).
 */
public final class LongBenchSuite implements Suite {
    /** A task's official limits and rules. */
    private record Task(int newTokens, Metric metric, boolean firstLineOnly, boolean plain) {}

    private static final Map<String, Task> TASKS = new LinkedHashMap<>();

    static {
        for (String name : List.of("narrativeqa", "qasper")) {
            TASKS.put(name, new Task(128, Metric.QA_F1, false, false));
        }
        TASKS.put("multifieldqa_en", new Task(64, Metric.QA_F1, false, false));
        for (String name : List.of("hotpotqa", "2wikimqa", "musique")) {
            TASKS.put(name, new Task(32, Metric.QA_F1, false, false));
        }
        for (String name : List.of("gov_report", "qmsum", "multi_news")) {
            TASKS.put(name, new Task(512, Metric.ROUGE, false, false));
        }
        TASKS.put("trec", new Task(64, Metric.CLASSIFICATION, true, true));
        TASKS.put("triviaqa", new Task(32, Metric.QA_F1, true, true));
        TASKS.put("samsum", new Task(128, Metric.ROUGE, true, true));
        TASKS.put("passage_count", new Task(32, Metric.COUNT, false, false));
        TASKS.put("passage_retrieval_en", new Task(32, Metric.RETRIEVAL, false, false));
        TASKS.put("lcc", new Task(64, Metric.CODE_SIMILARITY, false, true));
        TASKS.put("repobench-p", new Task(64, Metric.CODE_SIMILARITY, false, true));
    }

    private static final String PROMPTS = "dataset2prompt.json";

    /** kvpress lets answers be so much longer. */
    private static final int KVPRESS_MORE_TOKENS = 20;

    /** Whose way of running the suite is followed. */
    public enum Protocol {
        /** Official prompts and limits; few-shot and code tasks without chat template, samsum ends at a newline. */
        CAKE,
        /** Answers may be 20 tokens longer, and white space before them does not count. */
        KVPRESS
    }

    private final SuiteOptions options;
    private final Protocol protocol;

    public LongBenchSuite(SuiteOptions options, Protocol protocol) {
        this.options = options;
        this.protocol = protocol;
        for (String task : options.tasks()) {
            if (!TASKS.containsKey(task)) {
                throw LayercakeException.badInput("LongBench has no English task '" + task + "'; it has "
                        + String.join(", ", TASKS.keySet()) + ".");
            }
        }
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        List<Sample> samples = new ArrayList<>();
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "longbench");
        setup.put("protocol", protocol == Protocol.CAKE ? "cake" : "kvpress");
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (Path file : Rows.files(options.data(), ".jsonl")) {
            Rows rows = Rows.of(file);
            String digest = "";
            for (int row = 0; row < rows.list().size(); row++) {
                String name = rows.optional(row, "dataset")
                        .or(ifTask(rows, row, "task"))
                        .orElse(Rows.name(file));
                Task task = TASKS.get(name);
                if (task == null || !options.wants(name)) {
                    continue;
                }
                int index = counts.merge(name, 1, Integer::sum) - 1;
                if (options.samples() == 0 || index < options.samples()) {
                    samples.add(sample(rows, row, name, task, index, encoder, contextTokens));
                    digest = rows.digest();
                }
            }
            if (!digest.isEmpty()) {
                setup.put("file " + file.getFileName(), digest);
            }
        }
        if (samples.isEmpty()) {
            throw LayercakeException.badInput("There is no LongBench data in " + options.data()
                    + ": put {task}.jsonl of data.zip from huggingface.co/datasets/THUDM/LongBench there, with "
                    + PROMPTS + " from github.com/THUDM/LongBench (LongBench/config) beside them.");
        }
        if (options.promptLimit() != null) {
            setup.put("prompt limit", options.promptLimit().toString());
        }
        return new Evaluation("longbench", samples, setup, Evaluation.View.scores("task"));
    }

    private static Supplier<Optional<String>> ifTask(Rows rows, int row, String field) {
        return () -> rows.optional(row, field).filter(TASKS::containsKey);
    }

    private Sample sample(
            Rows rows, int row, String name, Task task, int index, PromptEncoder encoder, int contextTokens) {
        int newTokens = rows.list().get(row).path("max_new_tokens").asInt(task.newTokens)
                + (protocol == Protocol.KVPRESS ? KVPRESS_MORE_TOKENS : 0);
        Text text = text(rows, row, name);
        int template = task.plain ? 1 : encoder.templateTokens();
        int limit = options.textLimit(contextTokens, template + encoder.count(text.answerBegins), newTokens);
        String whole = encoder.withoutMiddle(text.context + text.question, limit);
        boolean shortened = whole.length() != text.context.length() + text.question.length();
        String question = whole.endsWith(text.question) ? text.question : "";
        Prompt.Form form = (task.plain ? Prompt.Form.PLAIN : Prompt.Form.VERBATIM).answering(text.answerBegins);
        List<String> answers = rows.texts(row, "answers");
        if (answers.isEmpty()) {
            throw LayercakeException.badInput("Row " + (row + 1) + " of " + rows.file() + " has no \"answers\".");
        }
        List<String> classes = rows.texts(row, "all_classes");
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("task", name);
        labels.put("shortened", shortened ? "yes" : "no");
        boolean untilNewline = protocol == Protocol.CAKE && name.equals("samsum");
        return new Sample(
                name + "-" + index,
                new Prompt(whole.substring(0, whole.length() - question.length()), question, false, form),
                answers.getFirst().isBlank() ? "?" : answers.getFirst(),
                answers,
                List.of(),
                new SuiteScoring(
                        task.metric.name().toLowerCase(Locale.ROOT),
                        newTokens,
                        untilNewline ? List.of("\n") : List.of(),
                        answer -> LongBench.OFFICIAL.best(
                                task.metric,
                                protocol == Protocol.KVPRESS ? answer.stripLeading() : answer,
                                answers,
                                classes,
                                task.firstLineOnly)),
                labels);
    }

    /** A prompt in its parts. */
    private record Text(String context, String question, String answerBegins) {}

    private Text text(Rows rows, int row, String name) {
        Optional<String> ready = rows.optional(row, "prompt");
        if (ready.isPresent()) {
            int tail = Math.clamp(
                    rows.list().get(row).path("tail_start").asInt(ready.get().length()),
                    0,
                    ready.get().length());
            return new Text(ready.get().substring(0, tail), ready.get().substring(tail), "");
        }
        if (rows.optional(row, "question").isPresent()) {
            return new Text(
                    rows.text(row, "context"),
                    rows.text(row, "question"),
                    rows.optional(row, "answer_prefix").orElse(""));
        }
        String template = prompts(rows.file()).path(name).asString("");
        int context = template.indexOf("{context}");
        if (context < 0) {
            throw LayercakeException.badInput(
                    "The prompts in " + PROMPTS + " have none for " + name + " with {context}.");
        }
        String input = rows.optional(row, "input").orElse("");
        return new Text(
                template.substring(0, context).replace("{input}", input) + rows.text(row, "context"),
                template.substring(context + "{context}".length()).replace("{input}", input),
                "");
    }

    private @Nullable JsonNode prompts;

    private JsonNode prompts(Path data) {
        if (prompts == null) {
            Path file = Rows.beside(data, PROMPTS, "", "config/", "../", "../config/")
                    .orElseThrow(() -> LayercakeException.badInput("The official prompts are missing: put " + PROMPTS
                            + " from github.com/THUDM/LongBench (LongBench/config) beside " + data + "."));
            try {
                prompts = JsonMapper.shared().readTree(Files.readString(file));
            } catch (IOException | JacksonException e) {
                throw LayercakeException.badInput("The prompts " + file + " cannot be read as JSON.", e);
            }
        }
        return prompts;
    }
}
