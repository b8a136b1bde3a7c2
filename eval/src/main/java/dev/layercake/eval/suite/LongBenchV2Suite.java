package dev.layercake.eval.suite;

import dev.layercake.eval.Evaluation;
import dev.layercake.eval.Prompt;
import dev.layercake.eval.PromptEncoder;
import dev.layercake.eval.Sample;
import dev.layercake.eval.metric.LongBenchV2;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * LongBench v2 (Bai et al., 2024): multiple choice about texts of 8,000 to 2 million words. It reads the published {@code data.json}
 * and the official prompt {@code 0shot.txt} beside it, or in {@code prompts} there. An answer without a choice counts as wrong;
 * the official script leaves empty ones out.
 */
public final class LongBenchV2Suite implements Suite {
    private static final String PROMPT = "0shot.txt";
    private static final int NEW_TOKENS = 128;

    private final SuiteOptions options;

    public LongBenchV2Suite(SuiteOptions options) {
        this.options = options;
    }

    @Override
    public Evaluation evaluation(PromptEncoder encoder, int contextTokens) {
        List<Sample> samples = new ArrayList<>();
        SequencedMap<String, String> setup = new LinkedHashMap<>();
        setup.put("evaluation", "longbench2");
        int limit = options.textLimit(contextTokens, encoder.templateTokens(), NEW_TOKENS);
        setup.put("prompt limit", Integer.toString(limit));
        for (Path file : Rows.files(options.data(), ".json", ".jsonl")) {
            Rows rows = Rows.of(file);
            String template = template(file);
            for (int row = 0; row < options.take(rows.list().size()); row++) {
                samples.add(sample(rows, row, template, encoder, limit));
            }
            setup.put("file " + file.getFileName(), rows.digest());
        }
        if (samples.isEmpty()) {
            throw LayercakeException.badInput("There is no data.json in " + options.data()
                    + ": it is published at huggingface.co/datasets/THUDM/LongBench-v2.");
        }
        return new Evaluation("longbench2", samples, setup, Evaluation.View.table("length"));
    }

    private static Sample sample(Rows rows, int row, String template, PromptEncoder encoder, int limit) {
        String document = rows.text(row, "context").strip();
        int place = template.indexOf("$DOC$");
        String before = template.substring(0, place);
        String behind = template.substring(place + "$DOC$".length())
                .replace("$Q$", rows.text(row, "question").strip());
        for (String letter : List.of("A", "B", "C", "D")) {
            behind = behind.replace(
                    "$C_" + letter + "$", rows.text(row, "choice_" + letter).strip());
        }
        String whole = encoder.withoutMiddle(before + document + behind, limit);
        boolean shortened = whole.length() != before.length() + document.length() + behind.length();
        String question = whole.endsWith(behind) ? behind : "";
        String right = rows.text(row, "answer");
        SequencedMap<String, String> labels = new LinkedHashMap<>();
        labels.put("length", rows.optional(row, "length").orElse("unknown"));
        labels.put("difficulty", rows.optional(row, "difficulty").orElse("unknown"));
        labels.put("shortened", shortened ? "yes" : "no");
        return new Sample(
                rows.optional(row, "_id").orElse("row-" + row),
                new Prompt(
                        whole.substring(0, whole.length() - question.length()), question, false, Prompt.Form.VERBATIM),
                right,
                List.of(right),
                List.of(),
                new SuiteScoring(
                        "choice",
                        NEW_TOKENS,
                        answer ->
                                LongBenchV2.choice(answer).filter(right::equals).isPresent() ? 1 : 0),
                labels);
    }

    private static String template(Path data) {
        Path file = Rows.beside(data, PROMPT, "", "prompts/", "../prompts/")
                .orElseThrow(() -> LayercakeException.badInput("The official prompt is missing: put " + PROMPT
                        + " from github.com/THUDM/LongBench (prompts) beside " + data + "."));
        try {
            String template = Files.readString(file);
            if (template.contains("$DOC$")) {
                return template;
            }
        } catch (IOException e) {
            throw LayercakeException.badInput("The prompt " + file + " cannot be read as UTF-8 text.", e);
        }
        throw LayercakeException.badInput("The prompt " + file + " has no place $DOC$ for the text.");
    }
}
