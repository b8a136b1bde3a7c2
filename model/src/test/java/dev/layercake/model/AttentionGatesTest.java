package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.SafetensorsWriter;
import dev.layercake.model.format.TensorContent;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gates with random weights against the definition in doubles, written out here; and files that do not fit. */
final class AttentionGatesTest {
    private static final ModelShape SHAPE = new ModelShape("small", 3, 40, 6, 2, 8, 56, 60, 256, 10_000, true);
    private static final int HEADS = 3;
    private static final int HEAD_DIM = 5;
    private static final double NEAR = 1e-4;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** Random gates that let about half through. */
    private Path file(boolean causal) {
        Random random = new Random(11);
        SafetensorsWriter writer = writer(Boolean.toString(causal));
        try (Arena arena = Arena.ofConfined()) {
            for (int layer = 0; layer < SHAPE.layers(); layer++) {
                String prefix = "layers." + layer + ".gate.";
                for (String name : List.of("wq", "wk", "wv")) {
                    writer.add(prefix + name, matrix(arena, random, HEADS * HEAD_DIM, SHAPE.hiddenSize(), 0.5));
                }
                writer.add(prefix + "wo", matrix(arena, random, SHAPE.kvHeads(), HEADS * HEAD_DIM, 1));
                Tensor bias = matrix(arena, random, 1, SHAPE.kvHeads(), 0.2);
                writer.add(prefix + "bias", DType.F32, TensorContent.of(bias), SHAPE.kvHeads());
            }
            Path file = folder.resolve("gates-" + causal + ".safetensors");
            writer.write(file);
            return file;
        }
    }

    private static SafetensorsWriter writer(String causal) {
        return new SafetensorsWriter()
                .metadata("nG", Integer.toString(HEADS))
                .metadata("dG", Integer.toString(HEAD_DIM))
                .metadata("tau", "0.5")
                .metadata("causal", causal)
                .metadata("perKvHead", "true");
    }

    private static Tensor matrix(Arena arena, Random random, int rows, int columns, double spread) {
        Tensor matrix = Tensor.allocate(arena, DType.F32, rows, columns);
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                matrix.set(row, column, (float) (random.nextGaussian() * spread));
            }
        }
        return matrix;
    }

    @ParameterizedTest
    @CsvSource({"false, 50", "true, 50", "false, 1", "true, 7"})
    void aLayerIsWhatTheDefinitionSays(boolean causal, int tokens) {
        Path file = file(causal);
        int[] text = new Random(tokens).ints(tokens, 0, 60).toArray();
        for (Kernels kernels : TestModels.kernels()) {
            try (Model model = Model.random(SHAPE, DType.F32, 3);
                    Workers workers = new Workers(2);
                    Forward forward = new Forward(model, kernels, workers);
                    Arena arena = Arena.ofConfined();
                    KvCache cache = TestModels.cache(model, "gate(weights=\"" + file + "\")", tokens, DType.F32)) {
                List<double[][]> states = new ArrayList<>();
                Tensor logits =
                        forward.prefillObserved(cache, text, (index, hidden) -> states.add(doubles(hidden)), arena);
                assertThat(logits.rows()).isEqualTo(tokens);
                AttentionGates gates = AttentionGates.load(file, model.config(), arena);
                for (int layer = 0; layer < SHAPE.layers(); layer++) {
                    checkLayer(model, gates, cache, layer, states);
                }
            }
        }
    }

    private static void checkLayer(
            Model model, AttentionGates gates, KvCache cache, int layer, List<double[][]> states) {
        double[][] x = states.get(layer);
        Weights.Layer weights = model.weights().layers().get(layer);
        double[][] normed = norm(x, weights.attentionNorm());
        double[][] scores = scores(normed, gates, layer);
        boolean[][] passed = new boolean[SHAPE.kvHeads()][x.length];
        for (int head = 0; head < SHAPE.kvHeads(); head++) {
            int[] held = cache.positions(layer, head);
            for (int token = 0; token < x.length; token++) {
                int position = token;
                passed[head][token] = Arrays.stream(held).anyMatch(one -> one == position);
                double score = scores[token][head];
                if (Math.abs(score - 0.5) > NEAR) {
                    assertThat(passed[head][token])
                            .as("layer %d, head %d, token %d with score %f", layer, head, token, score)
                            .isEqualTo(score > 0.5);
                }
            }
            if (x.length == 50) {
                assertThat(held.length).isBetween(5, 45);
            }
        }
        if (layer + 1 == SHAPE.layers()) {
            // The last states have been through the final norm.
            return;
        }
        double[][] expected = layer(x, normed, weights, passed);
        double[][] found = states.get(layer + 1);
        for (int token = 0; token < x.length; token++) {
            assertThat(found[token]).containsExactly(expected[token], within(2e-3));
        }
    }

    /** Sigmoid of what a small attention over all (or all earlier) tokens says, [tokens][kvHeads]. */
    private static double[][] scores(double[][] x, AttentionGates gates, int layer) {
        AttentionGates.Layer gate = gates.layers().get(layer);
        double[][] queries = times(x, gate.query());
        double[][] keys = times(x, gate.key());
        double[][] values = times(x, gate.value());
        double[][] mixed = new double[x.length][HEADS * HEAD_DIM];
        for (int token = 0; token < x.length; token++) {
            int visible = gates.causal() ? token + 1 : x.length;
            for (int head = 0; head < HEADS; head++) {
                boolean[] all = new boolean[visible];
                Arrays.fill(all, true);
                attend(queries[token], keys, values, head * HEAD_DIM, head * HEAD_DIM, HEAD_DIM, all, mixed[token]);
            }
        }
        double[][] scores = times(mixed, gate.output());
        for (double[] row : scores) {
            for (int head = 0; head < row.length; head++) {
                row[head] = 1 / (1 + Math.exp(-row[head] - gate.bias().get(0, head)));
            }
        }
        return scores;
    }

    /** The whole layer: attention in which a token sees itself and, before it, what passed; then the feed-forward. */
    private static double[][] layer(double[][] x, double[][] normed, Weights.Layer weights, boolean[][] passed) {
        int headDim = SHAPE.headDim();
        int group = SHAPE.queryHeads() / SHAPE.kvHeads();
        double[][] queries = times(normed, weights.attention().query().matrix());
        double[][] keys = times(normed, weights.attention().key().matrix());
        double[][] values = times(normed, weights.attention().value().matrix());
        double[][] mixed = new double[x.length][SHAPE.queryHeads() * headDim];
        for (int token = 0; token < x.length; token++) {
            rotate(queries[token], token);
            rotate(keys[token], token);
        }
        for (int token = 0; token < x.length; token++) {
            for (int head = 0; head < SHAPE.queryHeads(); head++) {
                int kvHead = head / group;
                boolean[] visible = Arrays.copyOf(passed[kvHead], token + 1);
                visible[token] = true;
                attend(queries[token], keys, values, head * headDim, kvHead * headDim, headDim, visible, mixed[token]);
            }
        }
        double[][] after = add(x, times(mixed, weights.attention().output().matrix()));
        Weights.Gated block = (Weights.Gated) weights.feedForward();
        double[][] inner = norm(after, weights.feedForwardNorm());
        double[][] gate = times(inner, block.gate().matrix());
        double[][] up = times(inner, block.up().matrix());
        for (int token = 0; token < x.length; token++) {
            for (int i = 0; i < gate[token].length; i++) {
                gate[token][i] = gate[token][i] / (1 + Math.exp(-gate[token][i])) * up[token][i];
            }
        }
        return add(after, times(gate, block.down().matrix()));
    }

    private static void attend(
            double[] query,
            double[][] keys,
            double[][] values,
            int queryAt,
            int keyAt,
            int headDim,
            boolean[] visible,
            double[] target) {
        double[] weights = new double[visible.length];
        double sum = 0;
        for (int j = 0; j < visible.length; j++) {
            double logit = 0;
            for (int i = 0; i < headDim; i++) {
                logit += query[queryAt + i] * keys[j][keyAt + i] / Math.sqrt(headDim);
            }
            weights[j] = visible[j] ? Math.exp(logit) : 0;
            sum += weights[j];
        }
        for (int j = 0; j < visible.length; j++) {
            for (int i = 0; i < headDim; i++) {
                target[queryAt + i] += weights[j] / sum * values[j][keyAt + i];
            }
        }
    }

    private static void rotate(double[] heads, int position) {
        int half = SHAPE.headDim() / 2;
        for (int first = 0; first < heads.length; first += SHAPE.headDim()) {
            for (int pair = 0; pair < half; pair++) {
                double angle = position * Math.pow(10_000, -(double) pair / half);
                double a = heads[first + pair];
                double b = heads[first + pair + half];
                heads[first + pair] = a * Math.cos(angle) - b * Math.sin(angle);
                heads[first + pair + half] = b * Math.cos(angle) + a * Math.sin(angle);
            }
        }
    }

    private static double[][] norm(double[][] x, Tensor weight) {
        double[][] normed = new double[x.length][];
        for (int token = 0; token < x.length; token++) {
            double squares = Arrays.stream(x[token]).map(value -> value * value).sum();
            double factor = 1 / Math.sqrt(squares / x[token].length + 1e-5);
            normed[token] = new double[x[token].length];
            for (int i = 0; i < x[token].length; i++) {
                normed[token][i] = x[token][i] * factor * weight.get(0, i);
            }
        }
        return normed;
    }

    private static double[][] times(double[][] x, Tensor matrix) {
        double[][] result = new double[x.length][(int) matrix.rows()];
        for (int token = 0; token < x.length; token++) {
            for (int row = 0; row < matrix.rows(); row++) {
                for (int column = 0; column < matrix.columns(); column++) {
                    result[token][row] += x[token][column] * matrix.get(row, column);
                }
            }
        }
        return result;
    }

    private static double[][] add(double[][] a, double[][] b) {
        for (int token = 0; token < a.length; token++) {
            for (int i = 0; i < a[token].length; i++) {
                b[token][i] += a[token][i];
            }
        }
        return b;
    }

    private static double[][] doubles(Tensor hidden) {
        double[][] rows = new double[(int) hidden.rows()][(int) hidden.columns()];
        for (int row = 0; row < rows.length; row++) {
            for (int column = 0; column < rows[row].length; column++) {
                rows[row][column] = hidden.get(row, column);
            }
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 40, Forward.CHUNK_TOKENS + 30})
    void openGatesAreFull(int tokens) {
        int[] text = new Random(2).ints(tokens, 0, 60).toArray();
        try (Model model = Model.random(SHAPE, DType.F32, 3)) {
            Path file = folder.resolve("open.safetensors");
            AttentionGates.writeOpen(file, model.config(), HEADS, HEAD_DIM);
            float[] full = logits(model, "full", text);
            assertThat(logits(model, "gate(weights=\"" + file + "\")", text)).containsExactly(full);
            float[] closed = logits(model, "gate(weights=\"" + file + "\",threshold=1)", text);
            if (tokens > 1) {
                assertThat(closed).isNotEqualTo(full);
            }
            float[] safe = logits(model, "gate(weights=\"" + file + "\",threshold=1,recent=4096)", text);
            assertThat(safe).containsExactly(full);
        }
    }

    private static float[] logits(Model model, String spec, int[] text) {
        try (Workers workers = new Workers(2);
                Forward forward = new Forward(model, TestModels.kernels().getLast(), workers);
                KvCache cache = TestModels.cache(model, spec, text.length, DType.F32)) {
            forward.prefill(cache, text, Forward.Progress.NONE);
            return Forward.row(forward.decode(cache, 5), 0);
        }
    }

    @Test
    void generatedTokensPass() {
        Path file = file(false);
        int[] text = new Random(2).ints(30, 0, 60).toArray();
        try (Model model = Model.random(SHAPE, DType.F32, 3);
                Workers workers = new Workers(1);
                Forward forward = new Forward(model, TestModels.kernels().getLast(), workers);
                KvCache cache =
                        TestModels.cache(model, "gate(weights=\"" + file + "\",threshold=1,sinks=2)", 80, DType.F16)) {
            forward.prefill(cache, text, Forward.Progress.NONE);
            for (int token = 0; token < 5; token++) {
                forward.decode(cache, token);
            }
            forward.prefill(cache, text, Forward.Progress.NONE);
            assertThat(cache.positions(1, 1))
                    .containsExactly(IntStream.concat(IntStream.range(0, 2), IntStream.range(30, 35))
                            .toArray());
        }
    }

    @Test
    void anotherModelsGatesAreRefused() throws IOException {
        Path file = file(false);
        ModelConfig config = SHAPE.config();
        refused(file, new ModelShape("n", 3, 48, 6, 2, 8, 56, 60, 64, 1e4, true).config(), "instead of [15, 48]");
        refused(file, new ModelShape("n", 3, 40, 6, 3, 8, 56, 60, 64, 1e4, true).config(), "instead of [3, 15]");
        refused(
                file,
                new ModelShape("n", 4, 40, 6, 2, 8, 56, 60, 64, 1e4, true).config(),
                "layers.3.gate.wq is missing");
        refused(
                file,
                new ModelShape("n", 2, 40, 6, 2, 8, 56, 60, 64, 1e4, true).config(),
                "more layers than the model's 2");
        Path bare = folder.resolve("bare.safetensors");
        new SafetensorsWriter().write(bare);
        refused(bare, config, "its metadata have no whole number from 1 to 4096 for nG");
        Path headless = folder.resolve("headless.safetensors");
        writer("perhaps").write(headless);
        refused(headless, config, "neither true nor false for causal");
        byte[] sound = Files.readAllBytes(file);
        Random random = new Random(4);
        for (int run = 0; run < 300; run++) {
            byte[] bytes = run % 2 == 0 ? Arrays.copyOf(sound, random.nextInt(sound.length)) : sound.clone();
            for (int i = 0; i < 4 && bytes.length > 0; i++) {
                bytes[random.nextInt(Math.min(bytes.length, 2000))] = (byte) random.nextInt(256);
            }
            Files.write(bare, bytes);
            try (Arena arena = Arena.ofConfined()) {
                assertThat(AttentionGates.load(bare, config, arena).layers()).hasSize(3);
            } catch (LayercakeException expected) {
                assertThat(expected).hasMessageContaining(bare.toString());
            }
        }
        refused(folder.resolve("none"), config, "none");
    }

    private static void refused(Path file, ModelConfig config, String why) {
        try (Arena arena = Arena.ofConfined()) {
            assertThatThrownBy(() -> AttentionGates.load(file, config, arena))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining(file.toString())
                    .hasMessageContaining(why);
        }
    }
}
