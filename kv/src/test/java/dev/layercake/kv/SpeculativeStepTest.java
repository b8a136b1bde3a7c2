package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** SpeCache on random keys, values and queries, against a computation in plain arithmetic of what each step must read and fetch. */
class SpeculativeStepTest {
    private static final int LAYERS = 2;
    private static final int HEADS = 2;
    private static final int GROUP = 2;
    private static final int CHANNELS = 32;
    private static final int STEPS = 13;
    private static final KvLayout LAYOUT = new KvLayout(LAYERS, HEADS, CHANNELS, DType.F32, DType.F32);
    private static final AttentionShape SHAPE =
            new AttentionShape(HEADS * GROUP, HEADS, CHANNELS, (float) (1 / Math.sqrt(CHANNELS)), 0, 0);

    /** What a run read and fetched, step after step. */
    private record Trace(List<float[]> outputs, List<int[]> fetched) {}

    @ParameterizedTest
    @CsvSource({
        "1, 5, 10, 8, 60",
        "2, 5, 10, 8, 60",
        "2, 40, 16, 4, 41",
        "2, 3, 0, 8, 40",
        "1, 4, 7, 16, 3",
        "2, 1000, 9, 8, 33"
    })
    void readsAndFetchesWhatTheDefinitionSays(int bits, int fetch, int residual, int group, int prompt) {
        String settings = "bits=" + bits + ",fetch=" + fetch + ",residual=" + residual + ",group=" + group;
        Trace inFile = trace(Policies.parse("specache(" + settings + ",slow=file)"), prompt);
        Trace inRam = trace(Policies.parse("specache(" + settings + ",slow=ram)"), prompt);
        for (int i = 0; i < inFile.outputs.size(); i++) {
            assertThat(inRam.outputs.get(i)).isEqualTo(inFile.outputs.get(i));
        }
        assertThat(inRam.fetched.toArray(int[][]::new)).isDeepEqualTo(inFile.fetched.toArray(int[][]::new));
        Reference reference = new Reference(bits, fetch, residual, group);
        for (int layer = 0; layer < LAYERS; layer++) {
            for (int head = 0; head < HEADS; head++) {
                int[] fetched = {};
                for (int step = 0; step < STEPS; step++) {
                    // What is exact was settled after the step before.
                    int held = prompt + step;
                    int low = held - exact(held, residual, group);
                    if (step == 0) {
                        fetched = reference.fetched(layer, head, low, low, fetched, prompt, false);
                    }
                    double[] expected = reference.attend(layer, head, prompt + step, low, fetched);
                    float[] actual = inFile.outputs.get((step * LAYERS + layer) * HEADS + head);
                    for (int i = 0; i < expected.length; i++) {
                        assertThat((double) actual[i]).isCloseTo(expected[i], within(2e-4));
                    }
                    int next = held + 1 - exact(held + 1, residual, group);
                    fetched = reference.fetched(layer, head, low, next, fetched, prompt + step, true);
                    assertThat(inFile.fetched.get((step * LAYERS + layer) * HEADS + head))
                            .as("step %d, layer %d, head %d", step, layer, head)
                            .containsExactly(fetched);
                }
            }
        }
    }

    private static int exact(int held, int residual, int group) {
        int kept = held;
        while (kept - group >= residual) {
            kept -= group;
        }
        return kept;
    }

    /** Runs a prompt and some steps; checks the plan on the way. */
    private static Trace trace(KvPolicy policy, int prompt) {
        List<float[]> outputs = new ArrayList<>();
        List<int[]> fetched = new ArrayList<>();
        KvPlan plan = KvPlan.of(LAYOUT, 8, policy, prompt, STEPS);
        Kernels kernels = new ScalarKernels();
        try (Arena arena = Arena.ofConfined();
                Workers workers = new Workers(2);
                KvPool pool = new KvPool(LAYOUT, plan.peakBytes(), 8);
                KvCache cache = new KvCache(pool, policy, plan.peakBytes())) {
            try (KvPrefill prefill = cache.beginPrefill(prompt, kernels, workers)) {
                for (int layer = 0; layer < LAYERS; layer++) {
                    prefill.beginLayer(layer);
                    prefill.store(
                            0, vectors(1, layer, 0, prompt, HEADS, arena), vectors(2, layer, 0, prompt, HEADS, arena));
                    prefill.showQueries(SHAPE, vectors(3, layer, 0, prompt, HEADS * GROUP, arena));
                    prefill.endLayer(SHAPE, null);
                }
                prefill.finish();
            }
            assertThat(pool.bytesInUse()).isLessThanOrEqualTo(plan.keptBytes());
            assertThat(cache.lease().entriesInUse()).isEqualTo(plan.keptEntries());
            step(cache, false, kernels, workers, outputs);
            assertThat(cache.tokensSeen()).isEqualTo(prompt);
            for (int i = 0; i < STEPS; i++) {
                step(cache, true, kernels, workers, outputs);
                // The next step's fetches have been asked for; wait for them as it will.
                for (int layer = 0; layer < LAYERS; layer++) {
                    for (int head = 0; head < HEADS; head++) {
                        fetched.add(cache.comingPositions(layer, head));
                    }
                }
            }
            assertThat(cache.tokensSeen()).isEqualTo(prompt + STEPS);
            assertThat(pool.peakBytes()).isLessThanOrEqualTo(plan.peakBytes());
            assertThat(pool.peakEntries()).isLessThanOrEqualTo(plan.peakEntries());
            assertThat(cache.slowBytes()).isLessThanOrEqualTo(plan.slowBytes());
            return new Trace(outputs, fetched);
        }
    }

    private static void step(KvCache cache, boolean commits, Kernels kernels, Workers workers, List<float[]> outputs) {
        try (Arena arena = Arena.ofConfined();
                SpeculativeStep step = cache.beginSpeculativeStep(commits, kernels, workers)) {
            int position = step.position();
            Tensor out = Tensor.allocate(arena, DType.F32, 1, HEADS * GROUP * CHANNELS);
            for (int layer = 0; layer < LAYERS; layer++) {
                if (commits) {
                    KvRows[] rows = step.append(
                            layer,
                            vectors(1, layer, position, 1, HEADS, arena),
                            vectors(2, layer, position, 1, HEADS, arena));
                    Tensor query = vectors(3, layer, position, 1, HEADS * GROUP, arena);
                    kernels.attendOne(SHAPE, rows, query, position, out, null, workers);
                    float[] all = out.toArray();
                    for (int head = 0; head < HEADS; head++) {
                        int width = GROUP * CHANNELS;
                        outputs.add(Arrays.copyOfRange(all, head * width, (head + 1) * width));
                    }
                }
                int guess = step.guessPosition();
                KvRows[] rows = step.appendGuess(
                        layer, vectors(4, layer, guess, 1, HEADS, arena), vectors(5, layer, guess, 1, HEADS, arena));
                Tensor probabilities = step.probabilities(SHAPE);
                Tensor query = vectors(6, layer, guess, 1, HEADS * GROUP, arena);
                kernels.attendOne(SHAPE, rows, query, guess, out, probabilities, workers);
                step.endLayer(probabilities, null);
            }
            step.finish();
        }
    }

    /** Kinds: 1 to 3 are keys, values, queries of the text; 4 to 6 of guesses. */
    private static Tensor vectors(int kind, int layer, int first, int count, int heads, Arena arena) {
        Tensor tensor = Tensor.allocate(arena, DType.F32, count, (long) heads * CHANNELS);
        for (int token = 0; token < count; token++) {
            float[] row = vector(kind, layer, first + token, heads);
            for (int i = 0; i < row.length; i++) {
                tensor.set(token, i, row[i]);
            }
        }
        return tensor;
    }

    private static float[] vector(int kind, int layer, int position, int heads) {
        Random random = new Random((kind * 31L + layer) * 100_003 + position);
        float[] row = new float[heads * CHANNELS];
        for (int i = 0; i < row.length; i++) {
            row[i] = (float) (random.nextGaussian() * (kind % 3 == 0 ? 2 : 1));
        }
        return row;
    }

    /** METHODS, section 6, in double precision: everything is computed anew from the text for each question. */
    private record Reference(int bits, int fetch, int residual, int group) {
        double[] attend(int layer, int head, int position, int low, int[] fetched) {
            double[] out = new double[GROUP * CHANNELS];
            for (int member = 0; member < GROUP; member++) {
                float[] query = part(vector(3, layer, position, HEADS * GROUP), head * GROUP + member);
                double[] weights = weights(layer, head, query, position + 1, low, fetched, null);
                for (int token = 0; token <= position; token++) {
                    double[] value = row(2, layer, head, token, low, fetched);
                    for (int i = 0; i < CHANNELS; i++) {
                        out[member * CHANNELS + i] += weights[token] * value[i];
                    }
                }
            }
            return out;
        }

        /** The next fetch list: the guess stands behind the token at a position, or in its place. */
        int[] fetched(int layer, int head, int low, int next, int[] before, int position, boolean behind) {
            int guess = behind ? position + 1 : position;
            double[] mean = new double[next];
            for (int member = 0; member < GROUP; member++) {
                float[] query = part(vector(6, layer, guess, HEADS * GROUP), head * GROUP + member);
                float[] own = part(vector(4, layer, guess, HEADS), head);
                double[] weights = weights(layer, head, query, guess, low, before, own);
                for (int token = 0; token < next; token++) {
                    mean[token] += weights[token] / GROUP;
                }
            }
            Integer[] order = new Integer[next];
            Arrays.setAll(order, token -> token);
            Arrays.sort(order, (a, b) -> Double.compare(mean[b], mean[a]));
            return Arrays.stream(order)
                    .limit(fetch)
                    .mapToInt(token -> token)
                    .sorted()
                    .toArray();
        }

        /** Attention on the first tokens, and on a guess's own key if one is given. */
        private double[] weights(
                int layer, int head, float[] query, int tokens, int low, int[] fetched, float @Nullable [] own) {
            double[] weights = new double[tokens + (own == null ? 0 : 1)];
            double largest = Double.NEGATIVE_INFINITY;
            for (int token = 0; token < weights.length; token++) {
                double dot = 0;
                double[] key = token < tokens ? row(1, layer, head, token, low, fetched) : widened(own);
                for (int i = 0; i < CHANNELS; i++) {
                    dot += query[i] * key[i];
                }
                weights[token] = dot / Math.sqrt(CHANNELS);
                largest = Math.max(largest, weights[token]);
            }
            double sum = 0;
            for (int token = 0; token < weights.length; token++) {
                weights[token] = Math.exp(weights[token] - largest);
                sum += weights[token];
            }
            for (int token = 0; token < weights.length; token++) {
                weights[token] /= sum;
            }
            return weights;
        }

        private static double[] widened(float @Nullable [] exact) {
            double[] row = new double[CHANNELS];
            Arrays.setAll(row, i -> Objects.requireNonNull(exact)[i]);
            return row;
        }

        private double[] row(int kind, int layer, int head, int token, int low, int[] fetched) {
            float[] exact = part(vector(kind, layer, token, HEADS), head);
            double[] row = new double[CHANNELS];
            if (token >= low || Arrays.binarySearch(fetched, token) >= 0) {
                return widened(exact);
            }
            for (int i = 0; i < CHANNELS; i++) {
                float[] together = kind == 1
                        ? channel(layer, head, token / group * group, i)
                        : Arrays.copyOfRange(exact, i / group * group, Math.min(CHANNELS, (i / group + 1) * group));
                row[i] = rounded(exact[i], together);
            }
            return row;
        }

        private float[] channel(int layer, int head, int first, int channel) {
            float[] keys = new float[group];
            for (int i = 0; i < group; i++) {
                keys[i] = part(vector(1, layer, first + i, HEADS), head)[channel];
            }
            return keys;
        }

        private double rounded(float x, float[] together) {
            float least = Float.POSITIVE_INFINITY;
            float most = Float.NEGATIVE_INFINITY;
            for (float other : together) {
                least = Math.min(least, other);
                most = Math.max(most, other);
            }
            double scale = half(bits == 1 ? (most - least) / 2 : (most - least) / 3);
            double offset = half(bits == 1 ? least * 0.75f + most * 0.25f : least);
            long code = scale == 0 ? 0 : Math.clamp(Math.round((x - offset) / scale), 0, bits == 1 ? 1 : 3);
            return offset + scale * code;
        }

        private static double half(float value) {
            return Float.float16ToFloat(Float.floatToFloat16(value));
        }

        private static float[] part(float[] row, int head) {
            return Arrays.copyOfRange(row, head * CHANNELS, (head + 1) * CHANNELS);
        }
    }

    /** 2 bits, groups of 32, 128 channels, 16-bit cache: 3 bits of 16, and 2 of 16 with 1 bit. */
    @ParameterizedTest
    @CsvSource({"2, 3", "1, 2"})
    void takesTheMemoryThatItsBitsSay(int bits, int bitsPerElement) {
        KvLayout layout = new KvLayout(1, 1, 128, DType.BF16, DType.BF16);
        KvPolicy policy = Policies.parse("specache(bits=" + bits + ",slow=ram)");
        long bytes = KvPlan.of(layout, policy, 64 + 32 * 256, 0).peakBytes();
        try (ToySequence sequence = new ToySequence(layout, 1, policy, bytes, KvPool.DEFAULT_ROWS_PER_PAGE, 4)) {
            sequence.prompt(64 + 32 * 256);
            KvRows low = Objects.requireNonNull(sequence.cache.rows(0)[0].lower());
            assertThat(low.length()).isEqualTo(32 * 256);
            assertThat(8.0 * (low.keyRowBytes() + low.valueRowBytes()) / 256).isEqualTo(bitsPerElement);
            double fast = (double) sequence.pool.bytesInUse() - 64 * layout.entryBytes();
            assertThat(fast / (32 * 256 * layout.entryBytes())).isCloseTo(bitsPerElement / 16.0, within(0.02));
            assertThat(sequence.cache.slowBytes()).isEqualTo(32 * 256 * layout.entryBytes());
        }
    }

    @Test
    void withoutFetchingThereIsNoSlowTier() {
        try (ToySequence sequence =
                ToySequence.planned(LAYOUT, 2, Policies.parse("specache(fetch=0,residual=8,group=8)"), 40, 3, 4)) {
            sequence.prompt(40);
            sequence.steps(3);
            assertThat(sequence.cache.speculates()).isFalse();
            assertThat(sequence.cache.slowBytes()).isZero();
            assertThat(sequence.cache.slices().getFirst().lowEntries()).containsOnly(32);
        }
    }

    /** What an evicting policy drops lies in few bits and in the slow tier: if all of it is fetched, nothing is lost. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "cake(budget=16,window=6)+lowbit(fetch=1000,slow=ram)",
                "cake(budget=16,window=6)+ada+lowbit(fetch=1000,slow=file)",
                "snapkv(budget=16,window=6)+lowbit(bits=3,fetch=1000,slow=ram)",
                "h2o(budget=16)+lowbit(bits=4,fetch=1000,slow=ram)",
                "streaming(budget=16)+lowbit(fetch=1000,slow=ram)",
                "cake(budget=16,window=6)+lowbit(fetch=1000,slow=ram)+every(steps=4)"
            })
    void whatWasEvictedIsReadExactlyWhenFetched(String spec) {
        try (ToySequence sequence =
                new ToySequence(LAYOUT, GROUP, Policies.parse(spec), KvPool.pageBytes(LAYOUT, 8) * 500, 8, 31)) {
            sequence.cache.reserve(50, STEPS);
            sequence.prompt(50);
            toyStep(sequence, false);
            for (int i = 0; i < STEPS; i++) {
                float[][] read = toyStep(sequence, true);
                for (int layer = 0; layer < LAYERS; layer++) {
                    for (int head = 0; head < HEADS * GROUP; head++) {
                        double[] expected = full(sequence, layer, head, 50 + i);
                        for (int channel = 0; channel < CHANNELS; channel++) {
                            assertThat((double) read[layer][head * CHANNELS + channel])
                                    .as("step %d, layer %d, query head %d", i, layer, head)
                                    .isCloseTo(expected[channel], within(2e-4));
                        }
                    }
                }
            }
            // A prompt forgets what was fetched, and nothing else.
            sequence.cache.reserve(3, 0);
            sequence.prompt(3);
            sequence.checkRows();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cake(budget=16,window=6)", "h2o(budget=16)", "snapkv(budget=16,window=6)+ada"})
    void onlySoManyAreFetched(String spec) {
        KvPolicy policy = Policies.parse(spec + "+lowbit(fetch=5)");
        KvPlan plan = KvPlan.of(LAYOUT, 8, policy, 50, STEPS);
        try (ToySequence sequence = ToySequence.planned(LAYOUT, GROUP, policy, 50, STEPS, 31)) {
            sequence.cache.reserve(50, STEPS);
            sequence.prompt(50);
            toyStep(sequence, false);
            for (int i = 0; i < STEPS; i++) {
                toyStep(sequence, true);
                for (int layer = 0; layer < LAYERS; layer++) {
                    for (int head = 0; head < HEADS; head++) {
                        KvRows low = sequence.cache.layer(layer).head(head).lowRows();
                        int[] held = Arrays.copyOf(low.positions(), low.length());
                        int[] coming = sequence.cache.comingPositions(layer, head);
                        assertThat(coming).hasSize(5).doesNotHaveDuplicates();
                        assertThat(held).contains(coming);
                    }
                }
            }
            assertThat(sequence.pool.peakBytes()).isLessThanOrEqualTo(plan.peakBytes());
            assertThat(sequence.pool.peakEntries()).isLessThanOrEqualTo(plan.peakEntries());
            assertThat(sequence.cache.slowBytes()).isPositive().isLessThanOrEqualTo(plan.slowBytes());
            sequence.cache.clear();
            assertThat(sequence.pool.bytesInUse()).isZero();
            assertThat(sequence.cache.slowBytes()).isZero();
        }
    }

    /** A step of a toy sequence, with the next token's vectors as the guess; returns what the newest token read in each layer. */
    private static float[][] toyStep(ToySequence sequence, boolean commits) {
        float[][] read = new float[LAYERS][];
        try (Arena arena = Arena.ofConfined();
                SpeculativeStep step =
                        sequence.cache.beginSpeculativeStep(commits, sequence.kernels, sequence.workers)) {
            int position = step.position();
            Tensor out = Tensor.allocate(arena, DType.F32, 1, HEADS * GROUP * CHANNELS);
            for (int layer = 0; layer < LAYERS; layer++) {
                Tensor probabilities = null;
                if (commits) {
                    KvRows[] rows = step.append(
                            layer,
                            sequence.keys(layer, position, 1, arena),
                            sequence.values(layer, position, 1, arena));
                    probabilities = step.tokenProbabilities(sequence.shape);
                    Tensor query = sequence.queries(layer, position, 1, arena);
                    sequence.kernels.attendOne(
                            sequence.shape, rows, query, position, out, probabilities, sequence.workers);
                    read[layer] = out.toArray();
                }
                int guess = step.guessPosition();
                KvRows[] rows = step.appendGuess(
                        layer, sequence.keys(layer, guess, 1, arena), sequence.values(layer, guess, 1, arena));
                Tensor guessed = step.probabilities(sequence.shape);
                Tensor query = sequence.queries(layer, guess, 1, arena);
                sequence.kernels.attendOne(sequence.shape, rows, query, guess, out, guessed, sequence.workers);
                step.endLayer(guessed, probabilities);
            }
            step.finish();
        }
        return read;
    }

    /** Attention over the whole text in double precision. */
    private static double[] full(ToySequence sequence, int layer, int head, int position) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor keys = sequence.keys(layer, 0, position + 1, arena);
            Tensor values = sequence.values(layer, 0, position + 1, arena);
            Tensor query = sequence.queries(layer, position, 1, arena);
            int first = head / GROUP * CHANNELS;
            double[] weights = new double[position + 1];
            double sum = 0;
            for (int token = 0; token <= position; token++) {
                double logit = 0;
                for (int channel = 0; channel < CHANNELS; channel++) {
                    logit += (double) query.get(0, (long) head * CHANNELS + channel) * keys.get(token, first + channel);
                }
                weights[token] = Math.exp(logit * sequence.shape.scale());
                sum += weights[token];
            }
            double[] out = new double[CHANNELS];
            for (int token = 0; token <= position; token++) {
                for (int channel = 0; channel < CHANNELS; channel++) {
                    out[channel] += weights[token] / sum * values.get(token, first + channel);
                }
            }
            return out;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"file", "ram"})
    void laterTurnsForgetWhatWasFetched(String slow) {
        KvPolicy policy = Policies.parse("specache(fetch=6,residual=5,group=4,slow=" + slow + ")");
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, policy, KvPool.pageBytes(LAYOUT, 8) * 500, 8, 9)) {
            for (int turn = 0; turn < 3; turn++) {
                KvPlan plan = sequence.cache.plan(20 + turn, 4);
                sequence.cache.reserve(20 + turn, 4);
                sequence.pool.resetPeaks();
                sequence.prompt(20 + turn);
                sequence.checkRows();
                step(sequence.cache, false, sequence.kernels, sequence.workers, new ArrayList<>());
                for (int i = 0; i < 4; i++) {
                    step(sequence.cache, true, sequence.kernels, sequence.workers, new ArrayList<>());
                }
                assertThat(sequence.cache.comingPositions(1, 0)).hasSize(6);
                assertThat(sequence.pool.peakBytes()).isLessThanOrEqualTo(plan.peakBytes());
                assertThat(sequence.cache.slowBytes()).isEqualTo(plan.slowBytes());
            }
            assertThat(sequence.cache.tokensSeen()).isEqualTo(20 + 21 + 22 + 12);
            sequence.cache.clear();
            assertThat(sequence.pool.bytesInUse()).isZero();
            assertThat(sequence.cache.slowBytes()).isZero();
            sequence.prompt(11);
            sequence.checkRows();
        }
    }

    @Test
    void aForkHasASlowTierOfItsOwn() {
        KvPolicy policy = Policies.parse("specache(fetch=6,residual=5,group=4,slow=ram)");
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, policy, KvPool.pageBytes(LAYOUT, 8) * 500, 8, 9)) {
            sequence.prompt(30);
            sequence.cache.reserve(0, 5);
            List<float[]> expected = new ArrayList<>();
            List<float[]> actual = new ArrayList<>();
            try (KvCache fork = sequence.cache.fork()) {
                assertThat(fork.slowBytes()).isPositive();
                fork.reserve(0, 5);
                step(sequence.cache, false, sequence.kernels, sequence.workers, expected);
                step(sequence.cache, true, sequence.kernels, sequence.workers, expected);
                sequence.cache.clear();
                step(fork, false, sequence.kernels, sequence.workers, actual);
                step(fork, true, sequence.kernels, sequence.workers, actual);
                assertThat(actual.toArray(float[][]::new)).isDeepEqualTo(expected.toArray(float[][]::new));
                assertThat(fork.tokensSeen()).isEqualTo(31);
            }
        }
    }

    @Test
    void aStepThatIsGivenUpEmptiesTheSequence() {
        KvPolicy policy = Policies.parse("specache(fetch=6,residual=5,group=4,slow=ram)");
        try (Arena arena = Arena.ofConfined();
                ToySequence sequence = ToySequence.planned(LAYOUT, GROUP, policy, 30, 5, 9)) {
            sequence.prompt(30);
            step(sequence.cache, false, sequence.kernels, sequence.workers, new ArrayList<>());
            try (SpeculativeStep step = sequence.cache.beginSpeculativeStep(true, sequence.kernels, sequence.workers)) {
                step.append(0, vectors(1, 0, 30, 1, HEADS, arena), vectors(2, 0, 30, 1, HEADS, arena));
                assertThatThrownBy(() ->
                                step.append(1, vectors(1, 1, 30, 1, HEADS, arena), vectors(2, 1, 30, 1, HEADS, arena)))
                        .isInstanceOf(IllegalStateException.class);
            }
            assertThat(sequence.cache.tokensSeen()).isZero();
            assertThat(sequence.pool.bytesInUse()).isZero();
            try (KvCache full = new KvCache(sequence.pool, Policies.full(), 0)) {
                assertThatThrownBy(() -> full.beginSpeculativeStep(true, sequence.kernels, sequence.workers))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("does not speculate");
            }
        }
    }
}
