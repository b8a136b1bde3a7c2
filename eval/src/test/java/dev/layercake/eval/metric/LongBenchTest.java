package dev.layercake.eval.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.layercake.eval.GoldenJson;
import dev.layercake.eval.metric.LongBench.CodeLikeness;
import dev.layercake.eval.metric.LongBench.Metric;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The official metrics.py and eval.py of LongBench, pair by pair. */
final class LongBenchTest {
    private static final double EXACT = 1e-9;

    private static final Map<String, Metric> METRICS = Map.of(
            "qa_f1_score", Metric.QA_F1,
            "rouge_score", Metric.ROUGE,
            "classification_score", Metric.CLASSIFICATION,
            "count_score", Metric.COUNT,
            "retrieval_score", Metric.RETRIEVAL,
            "retrieval_zh_score", Metric.RETRIEVAL_ZH,
            "code_sim_score", Metric.CODE_SIMILARITY);

    private final JsonNode golden = GoldenJson.read("longbench/metrics.json");

    @Test
    void everyPairScoresAsOfficially() {
        METRICS.forEach((name, metric) -> {
            for (JsonNode pair : GoldenJson.cases(golden.path(name))) {
                double score = LongBench.OFFICIAL.score(
                        metric,
                        pair.path("prediction").asString(),
                        pair.path("ground_truth").asString(),
                        GoldenJson.strings(pair.path("all_classes")));
                assertEquals(pair.path("score").asDouble(), score, EXACT, () -> name + " of " + shortened(pair));
            }
        });
    }

    @Test
    void codeIsAlsoComparedAsWherePythonLevenshteinIsInstalled() {
        LongBench variant = new LongBench(CodeLikeness.LEVENSHTEIN, true);
        for (JsonNode pair : GoldenJson.cases(golden.path("code_sim_score"))) {
            double score = variant.score(
                    Metric.CODE_SIMILARITY,
                    pair.path("prediction").asString(),
                    pair.path("ground_truth").asString(),
                    List.of());
            assertEquals(pair.path("score_with_python_Levenshtein").asDouble(), score, EXACT, () -> shortened(pair));
        }
    }

    @Test
    void chineseTextsThatAreCutIntoWordsScoreAsOfficially() {
        for (JsonNode pair : GoldenJson.cases(golden.path("qa_f1_zh_score"))) {
            double score = LongBench.chineseF1(
                    GoldenJson.strings(pair.path("prediction_jieba")),
                    GoldenJson.strings(pair.path("ground_truth_jieba")));
            assertEquals(pair.path("score").asDouble(), score, EXACT, () -> shortened(pair));
        }
        for (JsonNode pair : GoldenJson.cases(golden.path("rouge_zh_score"))) {
            double score = LongBench.OFFICIAL.chineseRouge(
                    GoldenJson.strings(pair.path("prediction_jieba")),
                    GoldenJson.strings(pair.path("ground_truth_jieba")));
            assertEquals(pair.path("score").asDouble(), score, EXACT, () -> shortened(pair));
        }
    }

    @Test
    void tasksScoreAsOfficially() {
        Set<String> firstLineOnly = Set.of("trec", "triviaqa", "samsum", "lsht");
        for (JsonNode task : GoldenJson.cases(golden.path("_datasets"))) {
            Metric metric = METRICS.get(task.path("metric").asString());
            if (metric == null) {
                continue; // Chinese tasks whose answers a word segmenter cuts first
            }
            String name = task.path("dataset").asString();
            List<Double> scores = new ArrayList<>();
            List<Integer> lengths = new ArrayList<>();
            for (int i = 0; i < task.path("predictions").size(); i++) {
                scores.add(LongBench.OFFICIAL.best(
                        metric,
                        task.path("predictions").path(i).asString(),
                        GoldenJson.strings(task.path("answers").path(i)),
                        GoldenJson.strings(task.path("all_classes")),
                        firstLineOnly.contains(name)));
                lengths.add(task.path("lengths").path(i).asInt());
            }
            assertEquals(task.path("score").asDouble(), LongBench.task(scores), EXACT, name);
            LongBench.byLength(scores, lengths).forEach((bucket, score) -> {
                JsonNode expected = task.path("score_e").path(bucket);
                assertEquals(
                        expected.isNumber() ? expected.asDouble() : Double.NaN,
                        score,
                        EXACT,
                        () -> name + " " + bucket);
            });
        }
    }

    @Test
    void aLongSentenceScoresWhereTheOfficialRecursionOverflows() {
        String words = "word ".repeat(1200).strip();
        assertEquals(0, LongBench.OFFICIAL.score(Metric.ROUGE, words, words, List.of()));
        double score = new LongBench(CodeLikeness.DIFFLIB, false).score(Metric.ROUGE, words, words, List.of());
        assertEquals(1, score, 1e-7);
    }

    private static String shortened(JsonNode node) {
        String text = node.toString();
        return String.format(Locale.ROOT, "%.300s", text);
    }
}
