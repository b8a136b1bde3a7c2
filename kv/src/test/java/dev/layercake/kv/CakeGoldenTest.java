package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** CAKE against what its published code computes: the whole way through pool, cache and policy, prompt and decode steps. */
@EnabledIf(value = "available", disabledReason = "the folder given as layercake.golden has no folder cake")
class CakeGoldenTest {
    private static final double TOLERANCE = 1e-5;
    private static final int CHUNK = 53;

    private final Kernels kernels = new ScalarKernels();

    static boolean available() {
        return Golden.has("cake");
    }

    static Stream<Arguments> cases() {
        Path folder = Golden.folder("cake");
        List<Arguments> cases = new ArrayList<>();
        for (JsonNode one : Golden.json(folder.resolve("cases.json")).get("cases")) {
            cases.add(Arguments.of(
                    one.get("name").stringValue(),
                    one,
                    folder.resolve(one.get("file").stringValue())));
        }
        return cases.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    @DisplayName("prompt and decode steps agree with the published code")
    void agrees(String name, JsonNode one, Path file) {
        Map<String, GoldenArray> golden = Golden.arrays(file);
        Run run = new Run(one, golden);
        KvLayout layout = new KvLayout(run.layers, run.kvHeads, run.headDim, DType.F32, DType.F32);
        var policy = Policies.parse(run.spec());
        KvPlan plan = KvPlan.of(layout, 16, policy, run.promptTokens, run.steps);
        try (Arena arena = Arena.ofConfined();
                Workers workers = new Workers(1);
                KvPool pool = new KvPool(layout, plan.peakBytes(), 16)) {
            try (KvCache cache = new KvCache(pool, policy, plan.peakBytes())) {
                run.prompt(cache, arena, workers);
                run.checkKept(cache);
                for (int step = 0; step < run.steps; step++) {
                    run.step(cache, step, arena, workers);
                }
                assertThat(cache.lease().peakEntries()).isLessThanOrEqualTo(plan.peakEntries());
            }
            assertThat(pool.bytesInUse()).isZero();
            assertThat(pool.entriesInUse()).isZero();
        }
    }

    /** One case on its way through the cache. */
    private final class Run {
        private final JsonNode one;
        private final Map<String, GoldenArray> golden;
        private final int layers;
        private final int kvHeads;
        private final int group;
        private final int headDim;
        private final int promptTokens;
        private final int window;
        private final int steps;
        private final AttentionShape shape;
        private final Map<Integer, Map<Integer, Double>> stepScores = new HashMap<>();
        private final Set<Integer> diverged = new HashSet<>();

        Run(JsonNode one, Map<String, GoldenArray> golden) {
            this.one = one;
            this.golden = golden;
            layers = one.get("layers").intValue();
            kvHeads = one.get("kv_heads").intValue();
            group = one.get("gqa_groups").intValue();
            headDim = one.get("head_dim").intValue();
            promptTokens = one.get("seq_len").intValue();
            window = one.get("window").intValue();
            steps = one.get("decode_steps").intValue();
            shape = new AttentionShape(kvHeads * group, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        }

        String spec() {
            return "cake(budget=" + one.get("cache_size").intValue() + ",window=" + window + ",gamma="
                    + one.get("gamma").doubleValue() + ",tau1="
                    + one.get("tau1").doubleValue() + ",tau2="
                    + one.get("tau2").doubleValue() + ",cascading="
                    + one.get("cascading").booleanValue() + ",allocation=official,order=official)";
        }

        private GoldenArray array(String key) {
            return Objects.requireNonNull(golden.get(key), key);
        }

        void prompt(KvCache cache, Arena arena, Workers workers) {
            try (KvPrefill prefill = cache.beginPrefill(promptTokens, kernels, workers)) {
                prefill.observe(this::checkScores);
                for (int layer = 0; layer < layers; layer++) {
                    prefill.beginLayer(layer);
                    for (int first = 0; first < promptTokens; first += CHUNK) {
                        int count = Math.min(CHUNK, promptTokens - first);
                        Tensor keys = byToken(array("k"), layer, first, count, kvHeads, arena);
                        Tensor values = Tensor.allocate(arena, DType.F32, count, keys.columns());
                        for (int token = 0; token < count; token++) {
                            carryPosition(values, token, first + token);
                        }
                        prefill.store(first, keys, values);
                    }
                    prefill.endLayer(shape, byToken(array("q_window"), layer, 0, window, kvHeads * group, arena));
                }
                checkBudgets(prefill.stages());
                prefill.finish();
            }
            List<Slice> slices = cache.slices();
            for (int layer = 0; layer < layers; layer++) {
                close(slices.get(layer).dispersion(), array("entropy").at(layer), "entropy of layer " + layer);
                close(slices.get(layer).shift(), array("var_sum").at(layer), "variance sum of layer " + layer);
                close(slices.get(layer).preference(), array("pref_score").at(layer), "preference of layer " + layer);
            }
        }

        private void checkScores(int layer, float[][] scores) {
            GoldenArray expected = array("evict_score");
            for (int head = 0; head < kvHeads; head++) {
                assertThat(scores[head]).hasSize(promptTokens - window);
                for (int i = 0; i < scores[head].length; i++) {
                    close(scores[head][i], expected.at(layer, head, i), "score " + i + " of layer " + layer);
                }
            }
        }

        private void checkBudgets(int[][] stages) {
            for (int stage = 0; stage < layers; stage++) {
                int[] expected = Arrays.copyOf(array("stage_budget").ints(stage), stage + 1);
                assertThat(stages[stage]).as("budgets after layer " + stage).containsExactly(expected);
            }
            assertThat(stages[layers - 1]).containsExactly(array("layer_budget").ints());
        }

        void checkKept(KvCache cache) {
            cache.judge().observe((layer, head, positions, scores, count) -> {
                Map<Integer, Double> byPosition = new HashMap<>();
                for (int place = 0; place < count; place++) {
                    byPosition.put(positions[place], (double) scores[place]);
                }
                stepScores.put(layer * kvHeads + head, byPosition);
            });
            for (int layer = 0; layer < layers; layer++) {
                for (int head = 0; head < kvHeads; head++) {
                    int[] expected = array("kept." + layer).ints(head);
                    Map<Integer, Double> scores = new HashMap<>();
                    for (int position = 0; position < promptTokens - window; position++) {
                        scores.put(position, array("evict_score").at(layer, head, position));
                    }
                    checkOrder(cache, layer, head, expected, scores, "prompt");
                    checkRows(cache, layer, head);
                }
            }
        }

        /**
         * The kept entries are the expected ones in the expected order. Where two entries have scores within the tolerance,
         * float32 may swap them; the trace then goes on from the golden order, as the golden set's README asks.
         */
        private void checkOrder(
                KvCache cache, int layer, int head, int[] expected, Map<Integer, Double> scores, String when) {
            int[] kept = cache.positions(layer, head);
            if (Arrays.equals(kept, expected)) {
                return;
            }
            String what = "layer " + layer + ", head " + head + ", " + when;
            assertThat(kept).as(what).hasSameSizeAs(expected);
            for (int place = 0; place < kept.length; place++) {
                if (kept[place] != expected[place]) {
                    assertThat(scores).as(what).containsKeys(kept[place], expected[place]);
                    close(
                            scores.getOrDefault(kept[place], Double.NaN),
                            scores.getOrDefault(expected[place], Double.NaN),
                            what + ", place " + place);
                }
            }
            Map<Integer, Integer> slots = new HashMap<>();
            KvRows rows = cache.rows(layer)[head];
            for (int slot = 0; slot < rows.length(); slot++) {
                slots.put(rows.position(slot), slot);
            }
            if (slots.keySet().containsAll(Arrays.stream(expected).boxed().toList())) {
                cache.layer(layer)
                        .head(head)
                        .order(Arrays.stream(expected).map(slots::get).toArray());
            } else {
                // An entry at the very edge was exchanged for one with the same score: from here on the traces differ.
                diverged.add(layer * kvHeads + head);
            }
        }

        /** What lies in the pages is what was stored at those positions. */
        private void checkRows(KvCache cache, int layer, int head) {
            KvRows rows = cache.rows(layer)[head];
            for (int slot = 0; slot < rows.length(); slot++) {
                int position = rows.position(slot);
                assertThat(Rows.floats(rows.valueAddress(slot), headDim)).containsOnly(position);
                if (position < promptTokens) {
                    assertThat(Rows.floats(rows.keyAddress(slot), headDim)[0])
                            .isEqualTo((float) array("k").at(layer, head, position, 0));
                }
            }
        }

        void step(KvCache cache, int step, Arena arena, Workers workers) {
            Tensor out = Tensor.allocate(arena, DType.F32, 1, (long) kvHeads * group * headDim);
            try (KvStep pass = cache.beginStep(kernels, workers)) {
                assertThat(pass.position()).isEqualTo(promptTokens + step);
                for (int layer = 0; layer < layers; layer++) {
                    Tensor keys = row(array("k_decode"), step, layer, kvHeads, arena);
                    Tensor query = row(array("q_decode"), step, layer, kvHeads * group, arena);
                    Tensor values = Tensor.allocate(arena, DType.F32, 1, keys.columns());
                    carryPosition(values, 0, promptTokens + step);
                    KvRows[] rows = pass.append(layer, keys, values);
                    Tensor probabilities = pass.probabilities(shape);
                    kernels.attendOne(shape, rows, query, pass.position(), out, probabilities, workers);
                    pass.endLayer(probabilities);
                }
                pass.finish();
            }
            for (int layer = 0; layer < layers; layer++) {
                int length = (int) array("decode_len").at(step, layer);
                int[] recorded = array("decode_kept_steps." + layer).ints();
                int row = Arrays.binarySearch(recorded, step);
                for (int head = 0; head < kvHeads; head++) {
                    assertThat(cache.rows(layer)[head].length())
                            .as("entries of layer " + layer + " after step " + step)
                            .isEqualTo(length);
                    if (row >= 0 && !diverged.contains(layer * kvHeads + head)) {
                        int[] expected = Arrays.stream(
                                        array("decode_kept." + layer).ints(row, head))
                                .filter(position -> position >= 0)
                                .toArray();
                        checkOrder(
                                cache,
                                layer,
                                head,
                                expected,
                                stepScores.getOrDefault(layer * kvHeads + head, Map.of()),
                                "step " + step);
                        checkRows(cache, layer, head);
                    }
                }
            }
        }

        /** [layer, heads, tokens, headDim] as [tokens x heads * headDim]. */
        private Tensor byToken(GoldenArray array, int layer, int first, int count, int heads, Arena arena) {
            Tensor tensor = Tensor.allocate(arena, DType.F32, count, (long) heads * headDim);
            for (int token = 0; token < count; token++) {
                for (int column = 0; column < heads * headDim; column++) {
                    tensor.set(
                            token, column, (float) array.at(layer, column / headDim, first + token, column % headDim));
                }
            }
            return tensor;
        }

        private Tensor row(GoldenArray array, int step, int layer, int heads, Arena arena) {
            Tensor tensor = Tensor.allocate(arena, DType.F32, 1, (long) heads * headDim);
            for (int column = 0; column < heads * headDim; column++) {
                tensor.set(0, column, (float) array.at(step, layer, column / headDim, column % headDim));
            }
            return tensor;
        }

        private void carryPosition(Tensor values, int token, int position) {
            for (int column = 0; column < values.columns(); column++) {
                values.set(token, column, position);
            }
        }
    }

    private static void close(double actual, double wanted, String what) {
        assertThat(actual).as(what).isCloseTo(wanted, within(Math.abs(wanted) * TOLERANCE));
    }
}
