package dev.layercake.eval.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.layercake.eval.GoldenJson;
import dev.layercake.eval.metric.Ruler.Cleaning;
import dev.layercake.eval.metric.Ruler.Match;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The official scorers of RULER, LongBench v2, BABILong, NeedleBench and SCBench on the golden answers. */
final class SuiteMetricsTest {
    private static final double EXACT = 1e-9;

    @Test
    void rulerCleansAndMatches() {
        JsonNode metrics = GoldenJson.read("evaluation/ruler.json").path("metrics");
        for (JsonNode entry : GoldenJson.cases(metrics.path("postprocess"))) {
            String raw = entry.path("raw").asString();
            assertEquals(entry.path("official").asString(), Ruler.cleaned(raw, Cleaning.NEWLINES));
            assertEquals(entry.path("kvpress").asString(), Ruler.cleaned(raw, Cleaning.DELETED));
        }
        for (JsonNode entry : GoldenJson.cases(metrics.path("scores"))) {
            List<Double> all = new ArrayList<>();
            List<Double> part = new ArrayList<>();
            for (int i = 0; i < entry.path("predictions").size(); i++) {
                String answer = entry.path("predictions").path(i).asString();
                List<String> references =
                        GoldenJson.strings(entry.path("references").path(i));
                all.add(Ruler.score(Match.ALL, answer, references));
                part.add(Ruler.score(Match.PART, answer, references));
                assertEquals(entry.path("per_sample_all").path(i).asDouble(), all.get(i), EXACT);
            }
            assertEquals(entry.path("string_match_all").asDouble(), Ruler.task(all), EXACT);
            assertEquals(entry.path("string_match_part").asDouble(), Ruler.task(part), EXACT);
        }
    }

    @Test
    void longBenchV2FindsTheLetter() {
        for (JsonNode entry :
                GoldenJson.cases(GoldenJson.read("evaluation/longbench_v2.json").path("extract"))) {
            String response = entry.path("response").asString();
            JsonNode extracted = entry.path("extracted");
            assertEquals(
                    extracted.isNull() ? "" : extracted.asString(),
                    LongBenchV2.choice(response).orElse(""),
                    response);
            for (String letter : List.of("A", "B", "C", "D")) {
                assertEquals(
                        entry.path("kvpress_score").path(letter).asBoolean(),
                        LongBenchV2.occurs(response, letter),
                        response);
            }
        }
    }

    @Test
    void babiLongCountsLabels() {
        JsonNode golden = GoldenJson.read("evaluation/babilong.json");
        for (JsonNode entry : GoldenJson.cases(golden.path("cases"))) {
            boolean correct = BabiLong.correct(
                    entry.path("output").asString(),
                    entry.path("question").asString(),
                    entry.path("target").asString(),
                    GoldenJson.strings(
                            golden.path("task_labels").path(entry.path("task").asString())));
            assertEquals(entry.path("correct").asBoolean(), correct, entry::toString);
        }
    }

    @Test
    void needleBenchMeasuresDistance() {
        JsonNode golden = GoldenJson.read("evaluation/needlebench.json");
        for (JsonNode entry : GoldenJson.cases(golden.path("levenshtein"))) {
            assertEquals(
                    entry.path("distance").asInt(),
                    EditDistance.levenshtein(
                            entry.path("a").asString(), entry.path("b").asString()));
        }
        for (JsonNode entry : GoldenJson.cases(golden.path("single_retrieval"))) {
            String answer = entry.path("prediction").asString();
            String needle = entry.path("needle").asString();
            String keyword = entry.path("keyword").asString();
            assertEquals(
                    entry.path("v1").asDouble(),
                    NeedleBench.single(answer, needle, keyword, false),
                    EXACT,
                    entry::toString);
            assertEquals(
                    entry.path("v1_use_trim").asDouble(),
                    NeedleBench.single(answer, needle, keyword, true),
                    EXACT,
                    entry::toString);
            assertEquals(entry.path("v2").asDouble(), NeedleBench.keyword(answer, keyword), EXACT);
        }
        for (JsonNode entry : GoldenJson.cases(golden.path("multi_reasoning_v1"))) {
            assertEquals(
                    entry.path("score").asDouble(),
                    NeedleBench.reasoning(
                            entry.path("prediction").asString(),
                            entry.path("answer").asString()),
                    EXACT,
                    entry::toString);
        }
    }

    @Test
    void needleBenchReadsBoxes() {
        for (JsonNode entry :
                GoldenJson.cases(GoldenJson.read("evaluation/needlebench.json").path("boxed_answer_v2"))) {
            String output = entry.path("output").asString();
            assertEquals(entry.path("extracted").asString(), NeedleBench.boxedAnswer(output), output);
            assertEquals(
                    entry.path("score").asDouble(),
                    NeedleBench.boxed(output, entry.path("reference").asString()),
                    output);
        }
    }

    @Test
    void scBenchScoresEachTask() {
        JsonNode golden = GoldenJson.read("evaluation/scbench.json");
        each(golden, "scbench_kv / scbench_prefix_suffix", entry -> ScBench.contains(answer(entry), label(entry)));
        each(
                golden,
                "scbench_passkey (needles of summary_with_needles)",
                entry -> ScBench.firstDigits(answer(entry), label(entry)));
        each(golden, "scbench_mf", entry -> {
            JsonNode number = first(entry.path("label"));
            return ScBench.firstNumber(answer(entry), number.asDouble(), number.isInt());
        });
        each(golden, "scbench_qa_eng / scbench_many_shot", entry -> ScBench.containsAny(answer(entry), labels(entry)));
        each(golden, "scbench_choice_eng", entry -> ScBench.choice(answer(entry), labels(entry)));
        each(golden, "scbench_vt", entry -> ScBench.share(answer(entry), labels(entry)));
        each(golden, "scbench_qa_chn", entry -> ScBench.characterF1(answer(entry), labels(entry)));
        for (JsonNode entry : GoldenJson.cases(golden.path("rougeLsum (scbench_summary)"))) {
            assertEquals(entry.path("rougeLsum").asDouble(), ScBench.summary(answer(entry), label(entry)), EXACT);
        }
    }

    @Test
    void scBenchFindsFunctions() {
        JsonNode golden = GoldenJson.read("evaluation/scbench.json");
        for (JsonNode entry : GoldenJson.cases(golden.path("repoqa_similarity"))) {
            assertEquals(
                    entry.path("bleu_method4").asDouble(),
                    ScBench.codeSimilarity(
                            entry.path("candidate").asString(),
                            entry.path("reference").asString()),
                    EXACT,
                    entry::toString);
        }
        JsonNode pick = golden.path("repoqa_pick_of_needles (outputs without a fenced block)");
        SequencedMap<String, String> functions = new LinkedHashMap<>();
        for (JsonNode needle : GoldenJson.cases(pick.path("needles"))) {
            functions.put(needle.path("name").asString(), needle.path("needle").asString());
        }
        for (JsonNode entry : GoldenJson.cases(pick.path("cases"))) {
            String output = entry.path("output").asString();
            assertEquals(entry.path("best").asString(), ScBench.mostAlike(output, functions), output);
            assertEquals(
                    entry.path("pass_at_0.8").asBoolean() ? 1 : 0,
                    ScBench.function(output, entry.path("expected").asString(), functions),
                    output);
        }
    }

    private static void each(JsonNode golden, String name, ToDoubleFunction<JsonNode> score) {
        for (JsonNode entry : GoldenJson.cases(golden.path(name))) {
            assertEquals(entry.path("score").asDouble(), score.applyAsDouble(entry), EXACT, () -> name + " " + entry);
        }
    }

    private static String answer(JsonNode entry) {
        return entry.path("prediction").asString();
    }

    private static JsonNode first(JsonNode label) {
        return label.isArray() ? label.path(0) : label;
    }

    private static String label(JsonNode entry) {
        return first(entry.path("label")).asString();
    }

    private static List<String> labels(JsonNode entry) {
        return GoldenJson.strings(entry.path("label"));
    }
}
