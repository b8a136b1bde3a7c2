package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Our policies against the presses of kvpress that mean the same; presses without a counterpart are reported as skipped. */
@EnabledIf(value = "available", disabledReason = "the folder given as layercake.golden has no folder kvpress")
class KvpressGoldenTest {
    private static final double TOLERANCE = 1e-4;

    static boolean available() {
        return Golden.has("kvpress");
    }

    static Stream<Arguments> presses() {
        Path folder = Golden.folder("kvpress");
        List<Arguments> presses = new ArrayList<>();
        for (JsonNode one : Golden.json(folder.resolve("cases.json")).get("cases")) {
            Map<String, GoldenArray> arrays =
                    Golden.arrays(folder.resolve(one.get("file").stringValue()));
            for (Map.Entry<String, JsonNode> press : one.get("methods").properties()) {
                presses.add(Arguments.of(one.get("name").stringValue(), press.getKey(), one, press.getValue(), arrays));
            }
        }
        return presses.stream();
    }

    /** Our spec, or nothing. */
    private static String spec(String press, int budget, JsonNode parameters) {
        return switch (press) {
            case "knorm", "keydiff" -> press + "(budget=" + budget + ")";
            case "tova" -> "tova(budget=" + budget + ",window=1)";
            case "streaming_llm" ->
                "streaming(budget=" + budget + ",sinks="
                        + parameters.get("n_sink").intValue() + ")";
            case "snapkv", "snapkv_attn" ->
                "snapkv(budget=" + budget + ",window="
                        + parameters.get("window_size").intValue() + ",kernel="
                        + parameters.get("kernel_size").intValue() + ")";
            default -> "";
        };
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("presses")
    void agrees(String name, String press, JsonNode one, JsonNode method, Map<String, GoldenArray> arrays) {
        int tokens = one.get("seq_len").intValue();
        int budget = (int) (tokens * (1 - one.get("compression_ratio").doubleValue()));
        String spec = spec(press, budget, method.get("params"));
        assumeTrue(!spec.isEmpty(), () -> "no policy means " + press);
        int heads = one.get("kv_heads").intValue();
        int queryHeads = one.get("num_heads").intValue();
        int headDim = one.get("head_dim").intValue();
        AttentionShape shape = new AttentionShape(queryHeads, heads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        KvLayout layout = new KvLayout(1, heads, headDim, DType.F32, DType.F32);
        Kernels kernels = new ScalarKernels();
        float[][][] scores = new float[1][][];
        try (Arena arena = Arena.ofConfined();
                Workers workers = new Workers(1);
                KvPool pool = new KvPool(layout, 1 << 24, 8);
                KvCache cache = new KvCache(pool, Policies.parse(spec), 1 << 24)) {
            try (KvPrefill prefill = cache.beginPrefill(tokens, kernels, workers)) {
                prefill.observe((layer, judged) -> {
                    float[][] copy = new float[judged.length][];
                    Arrays.setAll(copy, head -> judged[head].clone());
                    scores[0] = copy;
                });
                prefill.beginLayer(0);
                prefill.store(
                        0,
                        rows(array(arrays, "k"), 0, tokens, headDim, arena),
                        rows(array(arrays, "v"), 0, tokens, headDim, arena));
                GoldenArray window = array(arrays, "q_rope_window");
                int queries = prefill.windowQueries();
                prefill.endLayer(shape, rows(window, window.size(1) - queries, queries, headDim, arena));
                prefill.finish();
            }
            GoldenArray kept = array(arrays, press + ".kept");
            for (int head = 0; head < heads; head++) {
                checkScores(press, head, array(arrays, press + ".score"), scores[0][head]);
                int[] expected = kept.ints(head);
                int[] actual = cache.positions(0, head);
                Arrays.sort(expected);
                Arrays.sort(actual);
                if (method.get("stable_under_1e6_input_noise").booleanValue()) {
                    assertThat(actual).as("head " + head).containsExactly(expected);
                } else {
                    assertThat(actual).as("head " + head).hasSameSizeAs(expected);
                }
            }
        }
    }

    private static void checkScores(String press, int head, GoldenArray expected, float[] scores) {
        if (press.equals("streaming_llm")) {
            // Ones and zeros there, positions here.
            return;
        }
        double most = 0;
        for (float score : scores) {
            most = Math.max(most, Math.abs(score));
        }
        for (int i = 0; i < scores.length; i++) {
            assertThat((double) scores[i])
                    .as("score %d of head %d", i, head)
                    .isCloseTo(expected.at(head, i), within(TOLERANCE * most));
        }
    }

    private static GoldenArray array(Map<String, GoldenArray> arrays, String name) {
        return Objects.requireNonNull(arrays.get(name), name);
    }

    /** [heads, tokens, headDim] as [tokens x heads * headDim]. */
    private static Tensor rows(GoldenArray array, int first, int count, int headDim, Arena arena) {
        int heads = array.size(0);
        Tensor tensor = Tensor.allocate(arena, DType.F32, count, (long) heads * headDim);
        for (int token = 0; token < count; token++) {
            for (int column = 0; column < heads * headDim; column++) {
                tensor.set(token, column, (float) array.at(column / headDim, first + token, column % headDim));
            }
        }
        return tensor;
    }
}
