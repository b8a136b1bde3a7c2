package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.KvCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A text and what a model says to its continuation, token by token: log-probabilities of the token that really follows, and
 * of the five likeliest ones.
 */
final class ForcedLogits {
    private final String name;
    private final JsonNode json;

    private ForcedLogits(Path file) {
        this.name = file.getFileName().toString();
        this.json = JsonMapper.shared().readTree(file.toFile());
    }

    /** Name of the case. */
    String name() {
        return name;
    }

    /** File name of the model. */
    String model() {
        return json.path("model").asString();
    }

    /** Digest of the model's file. */
    String sha256() {
        return json.path("sha256").asString();
    }

    String prompt() {
        return json.path("prompt").asString();
    }

    int[] promptTokens() {
        return integers(json.path("prompt_ids"));
    }

    /**
     * How far log-probabilities may be off.
     *
     * @param mean over the forced tokens
     * @param most of any forced token
     * @param top of any of the five likeliest tokens: the less likely ones move most
     */
    record Bound(double mean, double most, double top) {}

    /** The cases of a folder, in the order of their names. */
    static List<ForcedLogits> all(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(path -> path.toString().endsWith(".json"))
                    .sorted()
                    .map(ForcedLogits::new)
                    .toList();
        }
    }

    private static int[] integers(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::asInt).toArray();
    }

    private static double[] numbers(JsonNode array) {
        return array.valueStream().mapToDouble(JsonNode::asDouble).toArray();
    }

    /** Natural logarithms of a softmax. */
    static double[] logProbabilities(Tensor logits) {
        float[] row = Forward.row(logits, 0);
        double most = row[TestModels.argmax(row)];
        double sum = 0;
        for (float logit : row) {
            sum += Math.exp(logit - most);
        }
        double shift = most + Math.log(sum);
        double[] logarithms = new double[row.length];
        for (int token = 0; token < row.length; token++) {
            logarithms[token] = row[token] - shift;
        }
        return logarithms;
    }

    /** The log-probabilities of every token before each of the forced ones, everything kept. */
    static List<double[]> run(Model model, Forward forward, int[] prompt, int[] forced, DType kvType) {
        List<double[]> steps = new ArrayList<>();
        try (KvCache cache = TestModels.cache(model, "full", prompt.length + forced.length, kvType)) {
            Tensor logits = forward.prefill(cache, prompt, Forward.Progress.NONE);
            for (int step = 0; step < forced.length; step++) {
                steps.add(logProbabilities(logits));
                if (step + 1 < forced.length) {
                    logits = forward.decode(cache, forced[step]);
                }
            }
        }
        return steps;
    }

    /** Compares with what a model says whose keys and values are of one type. */
    void check(Model model, Forward forward, DType kvType, Bound bound) {
        int[] forced = integers(json.path("forced_ids"));
        double[] expected = numbers(json.path("forced_logprobs"));
        List<double[]> steps = run(model, forward, promptTokens(), forced, kvType);
        double sum = 0;
        double most = 0;
        double mostOfTop = 0;
        for (int step = 0; step < forced.length; step++) {
            double[] actual = steps.get(step);
            double error = Math.abs(actual[forced[step]] - expected[step]);
            sum += error;
            most = Math.max(most, error);
            int[] topTokens = integers(json.path("top5_ids").path(step));
            double[] top = numbers(json.path("top5_logprobs").path(step));
            double[] best = Arrays.stream(actual)
                    .sorted()
                    .skip(actual.length - top.length)
                    .toArray();
            for (int rank = 0; rank < top.length; rank++) {
                mostOfTop = Math.max(mostOfTop, Math.abs(actual[topTokens[rank]] - top[rank]));
                // The same tokens are the best ones, but for pairs that are closer than the bound.
                mostOfTop = Math.max(mostOfTop, Math.abs(best[top.length - 1 - rank] - top[rank]));
            }
        }
        assertThat(most).as("%s %s: most difference", name, kvType).isLessThan(bound.most);
        assertThat(mostOfTop)
                .as("%s %s: most difference of a top token", name, kvType)
                .isLessThan(bound.top);
        assertThat(sum / steps.size())
                .as("%s %s: mean difference", name, kvType)
                .isLessThan(bound.mean);
    }
}
