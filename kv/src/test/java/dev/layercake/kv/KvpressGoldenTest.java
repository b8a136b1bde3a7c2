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
import dev.layercake.kv.policy.Rotary;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Our policies against the presses of kvpress, all of them. Ratios of the presses are counts here. */
@EnabledIf(value = "available", disabledReason = "the folder given as layercake.golden has no folder kvpress")
class KvpressGoldenTest {
    private static final double TOLERANCE = 1e-4;
    /** Tokens that are shown together; does not divide any case's length. */
    private static final int CHUNK = 37;

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
                Case golden = new Case(one, press.getKey(), press.getValue(), arrays);
                presses.add(Arguments.of(one.get("name").stringValue(), press.getKey(), golden));
            }
        }
        return presses.stream();
    }

    /** One press on one input. */
    record Case(JsonNode one, String press, JsonNode method, Map<String, GoldenArray> arrays) {
        int whole(String name) {
            return one.get(name).intValue();
        }

        String parameter(String name) {
            return method.get("params").get(name).asString();
        }

        double ratio() {
            return one.get("compression_ratio").doubleValue();
        }

        GoldenArray array(String name) {
            return Objects.requireNonNull(arrays.get(name), name);
        }

        boolean has(String name) {
            return arrays.containsKey(name);
        }

        boolean stable() {
            return method.get("stable_under_1e6_input_noise").booleanValue();
        }

        /** What the press keeps of so many tokens. */
        int kept(int tokens) {
            return (int) (tokens * (1 - ratio()));
        }
    }

    /** Our spec. */
    private static String spec(Case golden) {
        int tokens = golden.whole("seq_len");
        int budget = golden.kept(tokens);
        String press = golden.press();
        return switch (press) {
            case "knorm", "keydiff", "rerotation.knorm" ->
                press.replaceFirst(".*\\.", "") + "(budget=" + budget + ")"
                        + (press.startsWith("rerotation") ? "+rerotate" : "");
            case "tova" -> "tova(budget=" + budget + ",window=1)";
            case "streaming_llm" -> streaming(golden, budget);
            case "rerotation.streaming_llm" -> streaming(golden, budget) + "+rerotate";
            case "snapkv", "snapkv_attn" -> snapkv(golden, budget);
            case "lagkv", "lagkv_cross" -> lagkv(golden, budget, golden.parameter("n_sink"));
            case "adakv.lagkv_cross" -> lagkv(golden, budget, "4") + ada(golden);
            case "observed_attention" -> "observed(budget=" + budget + ")";
            case "cur" ->
                "cur(budget=" + budget + ",sinks=" + golden.parameter("num_sinks") + ",local="
                        + golden.parameter("local_window_size") + ")";
            case "non_causal_attn" ->
                "noncausal(budget=" + budget + ",chunk=" + golden.parameter("chunk_size") + ",padding=official)";
            case "criticalkv.snapkv" -> snapkv(golden, budget) + critical(golden);
            case "criticalkv.expected" ->
                "expected(budget=" + budget + ",valuenorm=false,future=" + golden.parameter("n_future_positions") + ")"
                        + critical(golden);
            case "adakv.snapkv" -> snapkv(golden, budget) + ada(golden);
            case "adakv.expected" ->
                "expected(budget=" + budget + ",future=" + golden.parameter("n_future_positions") + ")" + ada(golden);
            case "criticaladakv.snapkv" -> snapkv(golden, budget) + ada(golden) + critical(golden);
            case "chunkkv.snapkv" -> passages(golden, tokens);
            case "chunk.knorm" -> {
                int length = Integer.parseInt(golden.parameter("chunk_length"));
                int sum = IntStream.iterate(0, first -> first < tokens, first -> first + length)
                        .map(first -> Math.max(1, golden.kept(Math.min(length, tokens - first))))
                        .sum();
                yield "knorm(budget=" + sum + ")+chunkwise(length=" + length + ")";
            }
            case "block.keydiff" ->
                "keydiff(budget=" + budget + ")+blockwise(length=" + golden.parameter("block_size") + ")";
            default -> {
                if (!press.startsWith("expected_attention.")) {
                    throw new IllegalArgumentException("no policy means " + press);
                }
                yield "expected(budget=" + budget + ",sinks=" + golden.parameter("n_sink") + ",future="
                        + golden.parameter("n_future_positions") + ",epsilon=" + golden.parameter("epsilon")
                        + ",covariance=" + golden.parameter("use_covariance") + ",valuenorm="
                        + golden.parameter("use_vnorm") + ")";
            }
        };
    }

    private static String streaming(Case golden, int budget) {
        return "streaming(budget=" + budget + ",sinks=" + golden.parameter("n_sink") + ")";
    }

    private static String snapkv(Case golden, int budget) {
        return "snapkv(budget=" + budget + window(golden) + ")";
    }

    private static String window(Case golden) {
        return ",window=" + golden.parameter("window_size") + ",kernel=" + golden.parameter("kernel_size");
    }

    private static String lagkv(Case golden, int budget, String sinks) {
        return "lagkv(budget=" + budget + ",sinks=" + sinks + ",lag=" + golden.parameter("lag_size") + ",cross="
                + golden.press().endsWith("cross") + ")";
    }

    private static String ada(Case golden) {
        return "+ada(rounding=floor,alpha=" + golden.parameter("alpha_safeguard") + ")";
    }

    private static String critical(Case golden) {
        return "+critical(epsilon=" + golden.parameter("epsilon") + ",first=" + golden.parameter("first_stage_ratio")
                + ")";
    }

    /** The press keeps a share of the passages, however many entries they have. */
    private static String passages(Case golden, int tokens) {
        int length = Integer.parseInt(golden.parameter("chunk_length"));
        int passages = Math.max(1, golden.kept((tokens + length - 1) / length));
        int window = Integer.parseInt(golden.parameter("window_size"));
        return snapkv(golden, Math.max(window, passages * length)) + "+chunks(length=" + length + ")";
    }

    /** What a run of one of our policies left. */
    private static final class Run {
        private final float[][] scores;
        private final int[][] positions;
        private final float[][][] keys;

        Run(float[][] scores, int[][] positions, float[][][] keys) {
            this.scores = scores;
            this.positions = positions;
            this.keys = keys;
        }
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("presses")
    void agrees(String name, String press, Case golden) {
        Run run = press.equals("pyramidkv") ? pyramid(golden) : run(golden, spec(golden), 1, 0);
        checkScores(golden, run.scores);
        for (int head = 0; head < run.positions.length; head++) {
            switch (press) {
                case "lagkv", "lagkv_cross" -> checkKeptScores(golden, head, run);
                case "adakv.lagkv_cross" -> checkLengths(golden, run.positions);
                case "chunk.knorm" -> checkChunks(golden, head, run.positions[head]);
                case "pyramidkv" ->
                    checkNested(golden.array(press + ".kept").ints(head), run.positions[head], pyramidOff(golden));
                case "rerotation.knorm", "rerotation.streaming_llm" ->
                    checkKeys(golden.array(press + ".keys_out"), head, run.keys[head]);
                case "chunkkv.snapkv" -> checkPassages(golden, head, run.positions[head]);
                default -> checkKept(golden, head, run.positions[head]);
            }
        }
    }

    /** The share of a ratio lies between two whole budgets; that of the two whose layer is nearer. */
    private static Run pyramid(Case golden) {
        int kept = golden.array("pyramidkv.kept").size(1);
        double budget = golden.whole("seq_len") * (1 - golden.ratio());
        Run below = pyramid(golden, (int) budget);
        Run above = pyramid(golden, (int) Math.ceil(budget));
        boolean nearer = Math.abs(below.positions[0].length - kept) < Math.abs(above.positions[0].length - kept);
        return nearer ? below : above;
    }

    /** A share that is no whole budget may end an entry off. */
    private static int pyramidOff(Case golden) {
        double budget = golden.whole("seq_len") * (1 - golden.ratio());
        return budget == Math.rint(budget) ? 0 : 1;
    }

    private static Run pyramid(Case golden, int budget) {
        String spec = "pyramidkv(budget=" + budget + window(golden) + ",beta=" + golden.parameter("beta")
                + ",rounding=kvpress)";
        return run(golden, spec, golden.whole("layers"), golden.whole("layer_idx"));
    }

    /** Recent entries tie there, and only if all of them are kept is it known how many each head has. */
    private static void checkLengths(Case golden, int[][] positions) {
        GoldenArray scores = golden.array("lagkv_cross.score");
        int[] expected = golden.array(golden.press() + ".head_len").ints();
        int[] actual = Arrays.stream(positions).mapToInt(head -> head.length).toArray();
        int all = Arrays.stream(expected).sum();
        assertThat(Arrays.stream(actual).sum()).isEqualTo(all);
        long tied = IntStream.range(0, expected.length)
                .mapToLong(head -> IntStream.range(0, scores.size(1))
                        .filter(i -> scores.at(head, i) == 1)
                        .count())
                .sum();
        if (tied <= all) {
            assertThat(actual).containsExactly(expected);
        }
    }

    /** The window stays even if the press keeps fewer entries than it has. */
    private static void checkPassages(Case golden, int head, int[] actual) {
        int[] expected = golden.array(golden.press() + ".kept").ints(head);
        int window = Integer.parseInt(golden.parameter("window_size"));
        if (expected.length < window) {
            assertThat(actual).contains(expected).hasSize(window);
        } else {
            checkKept(golden, head, actual);
        }
    }

    private static void checkKept(Case golden, int head, int[] actual) {
        int[] expected;
        if (golden.has(golden.press() + ".keep_mask")) {
            int[] mask = golden.array(golden.press() + ".keep_mask").ints(head);
            expected = IntStream.range(0, mask.length).filter(i -> mask[i] != 0).toArray();
        } else {
            expected = golden.array(golden.press() + ".kept").ints(head);
            Arrays.sort(expected);
        }
        if (golden.stable()) {
            assertThat(actual).as("head " + head).containsExactly(expected);
        } else {
            assertThat(actual).as("head " + head).hasSameSizeAs(expected);
        }
    }

    /** Recent entries tie there; ours prefer the newest of them. */
    private static void checkKeptScores(Case golden, int head, Run run) {
        GoldenArray scores = golden.array(golden.press() + ".score");
        double[] actual = Arrays.stream(run.positions[head])
                .mapToDouble(position -> scores.at(head, position))
                .sorted()
                .toArray();
        double[] expected = Arrays.stream(golden.array(golden.press() + ".kept").ints(head))
                .mapToDouble(position -> scores.at(head, position))
                .sorted()
                .toArray();
        assertThat(actual).as("head " + head).containsExactly(expected, within(1e-12));
    }

    /** A ratio and a budget may round the share of a chunk differently, by one. */
    private static void checkChunks(Case golden, int head, int[] actual) {
        int length = Integer.parseInt(golden.parameter("chunk_length"));
        int[] expected = golden.array(golden.press() + ".kept").ints(head);
        assertThat(actual).hasSameSizeAs(expected);
        for (int first = 0; first < golden.whole("seq_len"); first += length) {
            int from = first;
            int to = first + length;
            checkNested(
                    Arrays.stream(expected).filter(i -> i >= from && i < to).toArray(),
                    Arrays.stream(actual).filter(i -> i >= from && i < to).toArray(),
                    1);
        }
    }

    /** The same but for so many entries that one side has and the other has not. */
    private static void checkNested(int[] expected, int[] actual, int difference) {
        assertThat(Math.abs(expected.length - actual.length)).isLessThanOrEqualTo(difference);
        if (expected.length <= actual.length) {
            assertThat(actual).contains(expected);
        } else {
            assertThat(expected).contains(actual);
        }
    }

    private static void checkKeys(GoldenArray expected, int head, float[][] actual) {
        assertThat(actual.length).isEqualTo(expected.size(1));
        for (int i = 0; i < actual.length; i++) {
            for (int d = 0; d < actual[i].length; d++) {
                assertThat((double) actual[i][d])
                        .as("element %d of key %d", d, i)
                        .isCloseTo(expected.at(head, i, d), within(TOLERANCE));
            }
        }
    }

    /** Scores agree but for what must stay, which is infinite here, and a constant and a factor that choose nothing. */
    private static void checkScores(Case golden, float[][] scores) {
        String press = golden.press();
        // Ones and zeros there, positions here; and what was chosen first has the largest float there.
        if (press.equals("streaming_llm") || press.startsWith("criticalkv") || !golden.has(press + ".score")) {
            return;
        }
        double[][] ours = new double[scores.length][];
        Arrays.setAll(
                ours,
                head -> IntStream.range(0, scores[head].length)
                        .mapToDouble(i -> scores[head][i])
                        .toArray());
        if (press.equals("non_causal_attn")) {
            standardize(ours);
        }
        double most = Arrays.stream(ours)
                .flatMapToDouble(Arrays::stream)
                .filter(Double::isFinite)
                .map(Math::abs)
                .max()
                .orElseThrow();
        for (int head = 0; head < ours.length; head++) {
            for (int i = 0; i < ours[head].length; i++) {
                double expected = golden.array(press + ".score").at(head, i);
                if (ours[head][i] == Double.POSITIVE_INFINITY) {
                    assertThat(expected).isGreaterThanOrEqualTo(most * (1 - TOLERANCE));
                } else {
                    assertThat(ours[head][i])
                            .as("score %d of head %d", i, head)
                            .isCloseTo(expected, within(TOLERANCE * most));
                }
            }
        }
    }

    /** Mean 0 and unbiased deviation 1 over the layer. */
    private static void standardize(double[][] rows) {
        double[] all = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
        double mean = Arrays.stream(all).average().orElseThrow();
        double squares = Arrays.stream(all).map(x -> (x - mean) * (x - mean)).sum();
        double deviation = Math.sqrt(squares / (all.length - 1));
        for (double[] row : rows) {
            Arrays.setAll(row, i -> (row[i] - mean) / deviation);
        }
    }

    /** The case's layer as a model. */
    private record Parts(Case golden, Arena arena) implements ModelParts {
        Rotary rotary() {
            return new Rotary(golden.array("inv_freq").floats(), 1, false);
        }

        @Override
        public Rotary rotary(int layer, int length) {
            return rotary();
        }

        @Override
        public int outputSize() {
            return golden.array("o_proj").size(0);
        }

        @Override
        public void outputRows(int layer, int firstRow, Tensor target) {
            for (int row = 0; row < target.rows(); row++) {
                for (int column = 0; column < target.columns(); column++) {
                    target.set(row, column, (float) golden.array("o_proj").at(firstRow + row, column));
                }
            }
        }

        /** Queries with their rotary embedding, [tokens x heads * headDim]. */
        Tensor rotated(Tensor plain, int headDim, int firstPosition) {
            Tensor rotated = Tensor.allocate(arena, DType.F32, plain.rows(), plain.columns());
            float[] query = new float[headDim];
            for (int token = 0; token < plain.rows(); token++) {
                for (int first = 0; first < plain.columns(); first += headDim) {
                    for (int d = 0; d < headDim; d++) {
                        query[d] = plain.get(token, first + d);
                    }
                    rotary().turn(firstPosition + token).apply(query);
                    for (int d = 0; d < headDim; d++) {
                        rotated.set(token, first + d, query[d]);
                    }
                }
            }
            return rotated;
        }
    }

    /** Runs the prompt through so many equal layers and looks at one of them. */
    private static Run run(Case golden, String spec, int layers, int wanted) {
        int tokens = golden.whole("seq_len");
        int heads = golden.whole("kv_heads");
        int headDim = golden.whole("head_dim");
        AttentionShape shape =
                new AttentionShape(golden.whole("num_heads"), heads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        KvLayout layout = new KvLayout(layers, heads, headDim, DType.F32, DType.F32);
        Kernels kernels = new ScalarKernels();
        float[][] scores = new float[heads][];
        try (Arena arena = Arena.ofConfined();
                Workers workers = new Workers(1);
                KvPool pool = new KvPool(layout, 1 << 26, 8);
                KvCache cache = new KvCache(pool, Policies.parse(spec), 1 << 26)) {
            Parts parts = new Parts(golden, arena);
            try (KvPrefill prefill = cache.beginPrefill(tokens, parts, kernels, workers)) {
                prefill.observe((layer, judged) -> {
                    if (layer == wanted) {
                        Arrays.setAll(scores, head -> judged[head].clone());
                    }
                });
                for (int layer = 0; layer < layers; layer++) {
                    prefill.beginLayer(layer);
                    for (int first = 0; first < tokens; first += CHUNK) {
                        int count = Math.min(CHUNK, tokens - first);
                        Tensor queries = rows(golden.array("q_prerope"), first, count, headDim, arena);
                        prefill.store(
                                first,
                                rows(golden.array("k"), first, count, headDim, arena),
                                rows(golden.array("v"), first, count, headDim, arena));
                        prefill.addPlainQueries(shape, first, queries);
                        Tensor rotated = parts.rotated(queries, headDim, first);
                        prefill.showQueries(shape, rotated);
                        if (prefill.usesAllQueries()) {
                            Tensor out = Tensor.allocate(arena, DType.F32, count, rotated.columns());
                            Tensor softmax = Tensor.allocate(arena, DType.F32, count, 2L * shape.queryHeads());
                            kernels.attend(shape, cache.rows(layer), rotated, first, out, softmax, workers);
                            prefill.addAttention(shape, first, rotated, softmax);
                        }
                    }
                    GoldenArray window = golden.array("q_rope_window");
                    int queries = prefill.windowQueries();
                    prefill.endLayer(shape, rows(window, window.size(1) - queries, queries, headDim, arena));
                }
                prefill.finish();
            }
            return left(cache, wanted, scores);
        }
    }

    private static Run left(KvCache cache, int layer, float[][] scores) {
        int[][] positions = new int[scores.length][];
        float[][][] keys = new float[scores.length][][];
        for (int head = 0; head < scores.length; head++) {
            KvRows rows = cache.rows(layer)[head];
            int[] slots = IntStream.range(0, rows.length())
                    .boxed()
                    .sorted((a, b) -> Integer.compare(rows.position(a), rows.position(b)))
                    .mapToInt(slot -> slot)
                    .toArray();
            positions[head] = Arrays.stream(slots).map(rows::position).toArray();
            keys[head] = new float[slots.length][rows.headDim()];
            for (int i = 0; i < slots.length; i++) {
                rows.readKey(slots[i], keys[head][i]);
            }
        }
        return new Run(scores, positions, keys);
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
