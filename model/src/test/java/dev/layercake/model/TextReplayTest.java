package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.model.format.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** A model that repeats a text, in every architecture: what that makes of the cache, against one pass over text and repetition. */
class TextReplayTest {
    private static final int SINKS = 4;
    private static final int BUDGET = 20;

    private final Kernels kernels = KernelSelection.choose().kernels();

    @FunctionalInterface
    private interface Check {
        void run(Model model, Workers workers, int[] text);
    }

    private Stream<DynamicTest> onEveryModel(Check check) {
        GoldenFolder golden = GoldenFolder.named("model");
        return golden.cases().stream()
                .map(entry -> DynamicTest.dynamicTest(entry.path("name").asString(), () -> {
                    Path folder = golden.path().resolve(entry.path("dir").asString());
                    try (Workers workers = new Workers(2);
                            Model model = Model.load(folder, null, kernels, workers);
                            SafetensorsFile expected = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
                        check.run(model, workers, TestModels.integers(expected, "input_ids"));
                    }
                }));
    }

    /** Queries and keys of all tokens as the layers' projections make them, before their rotary embedding. */
    private static final class Projections implements Forward.Observer {
        private final List<List<float[]>> queries = new ArrayList<>();
        private final List<List<float[]>> keys = new ArrayList<>();

        @Override
        public void hidden(int index, Tensor hidden) {}

        @Override
        public void projected(int layer, int firstToken, Tensor layerQueries, Tensor layerKeys) {
            if (layer == queries.size()) {
                queries.add(new ArrayList<>());
                keys.add(new ArrayList<>());
            }
            for (int row = 0; row < layerKeys.rows(); row++) {
                queries.get(layer).add(layerQueries.slice(row, 1).toArray());
                keys.get(layer).add(layerKeys.slice(row, 1).toArray());
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> theBestByTheDefinitionStay() {
        return onEveryModel((model, workers, text) -> {
            int[] asking = ReplayPrompt.of(model).asking(text, 0, true);
            int[] all = ReplayPrompt.concat(text, ReplayPrompt.concat(asking, text));
            Projections projections = new Projections();
            try (Forward forward = new Forward(model, kernels, workers, 4096);
                    Arena arena = Arena.ofConfined();
                    KvCache full = TestModels.cache(model, "full", all.length, DType.F32);
                    KvCache cut = TestModels.cache(model, spec(2048), text.length, DType.F32)) {
                forward.prefillObserved(full, all, projections, arena);
                float[] logits = Forward.row(forward.prefill(cut, text, Forward.Progress.NONE), 0);
                double[][][] worth = worth(model, forward, projections, text.length, all.length);
                long budget = kept(model, text.length, BUDGET);
                double least = leastKept(worth, budget);
                long kept = 0;
                for (int layer = 0; layer < worth.length; layer++) {
                    for (int head = 0; head < worth[layer].length; head++) {
                        int[] positions = cut.positions(layer, head);
                        kept += positions.length;
                        for (int position = 0; position < text.length; position++) {
                            boolean stays = Arrays.binarySearch(positions, position) >= 0;
                            double value = worth[layer][head][position];
                            assertThat(value)
                                    .as("layer %d, head %d, position %d", layer, head, position)
                                    .matches(stays ? it -> it >= least * 0.98 : it -> it <= least * 1.02);
                        }
                    }
                }
                assertThat(kept).isEqualTo(budget).isEqualTo(cut.lease().entriesInUse());
                assertThat(cut.tokensSeen()).isEqualTo(text.length);
                try (KvCache whole = TestModels.cache(model, "full", text.length, DType.F32)) {
                    assertThat(Forward.row(forward.prefill(whole, text, Forward.Progress.NONE), 0))
                            .as("the prompt itself sees everything")
                            .containsExactly(logits);
                }
            }
        });
    }

    private static String spec(int chunk) {
        return "kvzip(budget=" + BUDGET + ",chunk=" + chunk + ",sinks=" + SINKS + ")";
    }

    /** The budget of all heads, unless the layers see less when the text has so many tokens. */
    private static long kept(Model model, int tokens, int budget) {
        Lookback lookback = model.config().kvLayout(DType.F32, DType.F32).lookback();
        long seen = 0;
        for (int layer = 0; layer < lookback.layers(); layer++) {
            seen += lookback.of(layer, (long) tokens);
        }
        return model.config().kvHeads() * Math.min(seen, (long) budget * lookback.layers());
    }

    private static double leastKept(double[][][] worth, long kept) {
        double[] sorted = Arrays.stream(worth)
                .flatMap(Arrays::stream)
                .flatMapToDouble(Arrays::stream)
                .sorted()
                .toArray();
        return sorted[sorted.length - (int) kept];
    }

    /**
     * The most that any query behind the text pays to each of its entries; sinks are beyond price, and what no token after the
     * text sees is worth less than nothing.
     */
    private static double[][][] worth(Model model, Forward forward, Projections projections, int text, int all) {
        ModelConfig config = model.config();
        double[][][] worth = new double[config.layerCount()][config.kvHeads()][text];
        for (int layer = 0; layer < worth.length; layer++) {
            AttentionShape shape = config.attentionShape(layer);
            for (int queryHead = 0; queryHead < shape.queryHeads(); queryHead++) {
                int head = queryHead / shape.group();
                float[][] queries = rotated(forward, layer, projections.queries.get(layer), queryHead, shape, all);
                float[][] keys = rotated(forward, layer, projections.keys.get(layer), head, shape, all);
                for (int query = text; query < all; query++) {
                    double[] weights = new double[query + 1];
                    int from = shape.slidingWindow() == 0 ? 0 : Math.max(0, query - shape.slidingWindow() + 1);
                    for (int position = from; position <= query; position++) {
                        weights[position] = weight(shape, queries[query], keys[position]);
                    }
                    double sum = Arrays.stream(weights).sum();
                    for (int position = 0; position < text; position++) {
                        double[] values = worth[layer][head];
                        boolean seen = shape.slidingWindow() == 0 || position > text - shape.slidingWindow();
                        double most = position < SINKS
                                ? Double.POSITIVE_INFINITY
                                : Math.max(values[position], weights[position] / sum);
                        values[position] = seen ? most : -1;
                    }
                }
            }
        }
        return worth;
    }

    private static double weight(AttentionShape shape, float[] query, float[] key) {
        double score = 0;
        for (int i = 0; i < query.length; i++) {
            score += (double) query[i] * key[i];
        }
        score *= shape.scale();
        return Math.exp(shape.softcap() == 0 ? score : shape.softcap() * Math.tanh(score / shape.softcap()));
    }

    private static float[][] rotated(
            Forward forward, int layer, List<float[]> rows, int head, AttentionShape shape, int length) {
        float[][] vectors = new float[rows.size()][];
        for (int position = 0; position < vectors.length; position++) {
            int column = head * shape.headDim();
            vectors[position] = Arrays.copyOfRange(rows.get(position), column, column + shape.headDim());
            forward.modelParts().rotary(layer, length).mean(position, 1).apply(vectors[position]);
        }
        return vectors;
    }

    /** Turns, parts and steps: memory stays under the plan, what is left is the budget, and progress ends where it said. */
    @TestFactory
    Stream<DynamicTest> turnsInPartsKeepToThePlan() {
        return onEveryModel((model, workers, text) -> {
            try (Forward forward = new Forward(model, kernels, workers);
                    KvCache cache = TestModels.cache(model, spec(16), text.length, DType.BF16)) {
                for (int turn = 0; turn < 3; turn++) {
                    int[] prompt = Arrays.copyOf(text, 40 - turn);
                    cache.lease().reserve(cache.plan(prompt.length, 5).peakBytes());
                    List<Long> done = new ArrayList<>();
                    List<Long> totals = new ArrayList<>();
                    Tensor logits = forward.prefill(cache, prompt, (now, total) -> {
                        done.add(now);
                        totals.add(total);
                        return true;
                    });
                    assertThat(done).isSorted().endsWith(totals.getFirst());
                    assertThat(totals.stream().distinct()).hasSize(1);
                    assertThat(cache.lease().entriesInUse()).isEqualTo(kept(model, cache.tokensSeen(), BUDGET));
                    for (int step = 0; step < 5; step++) {
                        logits = forward.decode(cache, TestModels.argmax(Forward.row(logits, 0)));
                    }
                    assertThat(cache.unreplayedText()).hasSize(5);
                    assertThat(cache.lease().entriesInUse())
                            .isBetween(
                                    kept(model, cache.tokensSeen(), BUDGET),
                                    kept(model, cache.tokensSeen(), BUDGET + 5));
                }
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> aReplayThatIsCancelledLeavesAnEmptyCache() {
        return onEveryModel((model, workers, text) -> {
            try (Forward forward = new Forward(model, kernels, workers);
                    KvCache cache = TestModels.cache(model, spec(16), text.length, DType.BF16)) {
                assertThatThrownBy(() -> forward.prefill(cache, text, (done, total) -> done < total * 2 / 3))
                        .isInstanceOf(CancellationException.class);
                assertThat(cache.tokensSeen()).isZero();
                assertThat(cache.lease().entriesInUse()).isZero();
                assertThat(cache.lease().bytesInUse()).isZero();
                assertThat(cache.unreplayedText()).isEmpty();
                forward.prefill(cache, text, Forward.Progress.NONE);
                assertThat(cache.tokensSeen()).isEqualTo(text.length);
            }
        });
    }

    /** Near the end of the context parts become shorter, so that no repetition goes beyond it. */
    @TestFactory
    Stream<DynamicTest> partsAreAsLongAsTheContextLeavesRoom() {
        return onEveryModel((model, workers, text) -> {
            int[] longText =
                    IntStream.range(0, 300).map(i -> text[i % text.length]).toArray();
            int most = ReplayPrompt.of(model).most();
            try (KvCache cache = TestModels.cache(model, spec(2048), longText.length, DType.BF16)) {
                LayerBlocks blocks = new LayerBlocks(model, kernels, workers);
                for (int room : new int[] {100, 64, 10}) {
                    TextReplay replay = new TextReplay(model, blocks, kernels, workers, 300 + most + room);
                    List<Integer> lengths = replay.parts(cache, longText).stream()
                            .map(TextReplay.Part::textTokens)
                            .toList();
                    assertThat(lengths.stream().mapToInt(length -> length).sum())
                            .isEqualTo(300);
                    assertThat(lengths.getFirst()).isEqualTo(Math.max(64, room));
                    assertThat(replay.leastTokens(cache, 300)).isEqualTo(most + 64);
                    assertThat(replay.leastTokens(cache, BUDGET)).as("all fits").isZero();
                }
            }
        });
    }
}
