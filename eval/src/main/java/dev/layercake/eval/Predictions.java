package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The answers of each contender in files of their own, one a task, as published evaluations keep them: {@code
 * pred/{contender}/{task}.jsonl} with {@code pred} and {@code answers} a line, so that official scorers can be run on them.
 */
public final class Predictions {
    private Predictions() {}

    private record Line(String id, String pred, List<String> answers, double score) {}

    /**
     * Writes them, over those of an earlier run.
     *
     * @return the folder, if there are answers that name their task
     */
    public static List<Path> write(List<Outcome> outcomes, Path folder) {
        Path predictions = folder.resolve("pred");
        SequencedMap<Path, StringBuilder> files = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            String task = outcome.labels().get("task");
            if (task != null) {
                String contender =
                        outcome.budget().isEmpty() ? outcome.policy() : outcome.policy() + "-" + outcome.budget();
                Path file = predictions
                        .resolve(Report.fileName(contender))
                        .resolve(task.replaceAll("[^A-Za-z0-9_.-]+", "-") + ".jsonl");
                files.computeIfAbsent(file, any -> new StringBuilder())
                        .append(Json.MAPPER.writeValueAsString(new Line(
                                outcome.sample(), outcome.answer(), List.of(outcome.expected()), outcome.score())))
                        .append('\n');
            }
        }
        try {
            for (Map.Entry<Path, StringBuilder> file : files.entrySet()) {
                Files.createDirectories(file.getKey().resolveSibling(""));
                Files.write(file.getKey(), file.getValue().toString().getBytes(StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The predictions cannot be written to " + predictions + " (" + e.getMessage()
                            + "); give another --out.",
                    e);
        }
        return files.isEmpty() ? List.of() : new ArrayList<>(List.of(predictions));
    }
}
