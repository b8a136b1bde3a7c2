package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.HeadProfile.Measure;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The measures of heads against their definitions, written out here. */
final class HeadCalibrationTest {
    private static final int TOKENS = 11;
    private static final ModelShape SHAPE = new ModelShape("small", 2, 24, 4, 2, 8, 32, 50, 64, 10_000, true);

    private static float[][] random(Random random, int rows, int columns) {
        float[][] values = new float[rows][columns];
        for (float[] row : values) {
            for (int i = 0; i < columns; i++) {
                row[i] = (float) random.nextGaussian();
            }
        }
        return values;
    }

    private static Tensor tensor(Arena arena, float[][] rows, int first, int count) {
        Tensor tensor = Tensor.allocate(arena, DType.F32, count, rows[0].length);
        for (int row = 0; row < count; row++) {
            for (int column = 0; column < rows[0].length; column++) {
                tensor.set(row, column, rows[first + row][column]);
            }
        }
        return tensor;
    }

    private static double cosine(float[] a, int firstA, float[] b, int firstB, int count) {
        double product = 0;
        double lengthA = 0;
        double lengthB = 0;
        for (int i = 0; i < count; i++) {
            product += (double) a[firstA + i] * b[firstB + i];
            lengthA += (double) a[firstA + i] * a[firstA + i];
            lengthB += (double) b[firstB + i] * b[firstB + i];
        }
        return product / Math.sqrt(lengthA) / Math.sqrt(lengthB);
    }

    @Test
    void valuesAgainstWhatIsRead() {
        Random random = new Random(3);
        float[][] values = random(random, TOKENS, 16);
        float[][] attended = random(random, TOKENS, 32);
        float[][] added = random(random, TOKENS, 24);
        float[][] states = random(random, TOKENS, 24);
        HeadCalibration calibration = HeadCalibration.of(Measure.VALUE, SHAPE.config(), TOKENS, TOKENS);
        try (Arena arena = Arena.ofConfined()) {
            for (int[] chunk : new int[][] {{0, 4}, {4, 7}}) {
                calibration.attended(
                        1,
                        chunk[0],
                        tensor(arena, values, chunk[0], chunk[1]),
                        tensor(arena, attended, chunk[0], chunk[1]),
                        tensor(arena, added, chunk[0], chunk[1]),
                        tensor(arena, states, chunk[0], chunk[1]));
            }
        }
        for (int kvHead = 0; kvHead < 2; kvHead++) {
            double sum = 0;
            for (int token = 1; token < TOKENS; token++) {
                for (int member = 0; member < 2; member++) {
                    sum += cosine(values[token], kvHead * 8, attended[token], (kvHead * 2 + member) * 8, 8);
                }
            }
            assertThat(calibration.heads()[1][kvHead]).isCloseTo(1 - sum / 20, within(1e-9));
            assertThat(calibration.heads()[0][kvHead]).isZero();
        }
        double sum = 0;
        for (int token = 0; token < TOKENS; token++) {
            float[] before = states[token].clone();
            for (int i = 0; i < before.length; i++) {
                before[i] -= added[token][i];
            }
            sum += cosine(before, 0, states[token], 0, 24);
        }
        assertThat(calibration.blocks()[1]).isCloseTo(1 - sum / TOKENS, within(1e-9));
    }

    @Test
    void howFarBackAHeadLooks() {
        Random random = new Random(4);
        float[][] queries = random(random, TOKENS, 32);
        float[][] keys = random(random, TOKENS, 16);
        HeadCalibration calibration = HeadCalibration.of(Measure.DUO, SHAPE.config(), TOKENS, TOKENS);
        try (Arena arena = Arena.ofConfined()) {
            calibration.projected(0, 0, tensor(arena, queries, 0, 5), tensor(arena, keys, 0, 5));
            calibration.projected(0, 5, tensor(arena, queries, 5, 6), tensor(arena, keys, 5, 6));
        }
        for (int kvHead = 0; kvHead < 2; kvHead++) {
            double mean =
                    (retrieval(queries, keys, kvHead * 2, kvHead) + retrieval(queries, keys, kvHead * 2 + 1, kvHead))
                            / 2;
            assertThat(calibration.heads()[0][kvHead]).isCloseTo(mean, within(1e-6));
        }
        // Without queries and keys all positions get the same.
        assertThat(calibration.heads()[1][0]).isCloseTo((TOKENS + 1) / 2.0 / TOKENS, within(1e-12));
    }

    private static double retrieval(float[][] queries, float[][] keys, int queryHead, int kvHead) {
        double[] query = rotated(mean(queries, queryHead), TOKENS - 1);
        double[] weights = new double[TOKENS];
        double sum = 0;
        for (int position = 0; position < TOKENS; position++) {
            double[] key = rotated(mean(keys, kvHead), position);
            double logit = 0;
            for (int i = 0; i < 8; i++) {
                logit += query[i] * key[i] / Math.sqrt(8);
            }
            weights[position] = Math.exp(logit);
            sum += weights[position];
        }
        double soFar = 0;
        double mean = 0;
        for (double weight : weights) {
            soFar += weight / sum;
            mean += soFar / TOKENS;
        }
        return mean;
    }

    private static double[] mean(float[][] vectors, int head) {
        double[] mean = new double[8];
        for (float[] vector : vectors) {
            for (int i = 0; i < 8; i++) {
                mean[i] += vector[head * 8 + i] / (double) TOKENS;
            }
        }
        return mean;
    }

    private static double[] rotated(double[] vector, int position) {
        double[] rotated = new double[8];
        for (int pair = 0; pair < 4; pair++) {
            double angle = position * Math.pow(10_000, -pair / 4.0);
            rotated[pair] = vector[pair] * Math.cos(angle) - vector[pair + 4] * Math.sin(angle);
            rotated[pair + 4] = vector[pair + 4] * Math.cos(angle) + vector[pair] * Math.sin(angle);
        }
        return rotated;
    }

    @Test
    void theForwardPassShowsEveryTokenOfEveryLayer() {
        int tokens = Forward.CHUNK_TOKENS + 40;
        int[] text = new Random(5).ints(tokens, 0, 50).toArray();
        int[] seen = new int[2];
        try (Model model = Model.random(SHAPE, DType.F32, 1);
                Workers workers = new Workers(1);
                Forward forward = new Forward(model, new ScalarKernels(), workers);
                KvCache cache = TestModels.cache(model, "full", tokens, DType.F32)) {
            HeadCalibration calibration = HeadCalibration.of(Measure.VALUE, model.config(), tokens, tokens);
            forward.observe(cache, text, Forward.Progress.NONE, calibration);
            assertThat(cache.tokensSeen()).isEqualTo(tokens);
            for (double[] layer : calibration.heads()) {
                assertThat(layer).doesNotContain(0.0);
            }
            cache.clear();
            forward.observe(cache, text, Forward.Progress.NONE, new Forward.Observer() {
                @Override
                public void hidden(int index, Tensor hidden) {
                    assertThat(hidden.rows()).isEqualTo(tokens);
                }

                @Override
                public void attended(
                        int layer, int first, Tensor values, Tensor attended, Tensor added, Tensor states) {
                    assertThat(first).isEqualTo(seen[layer]);
                    seen[layer] += (int) states.rows();
                }
            });
        }
        assertThat(seen).containsExactly(tokens, tokens);
    }
}
