package dev.layercake.engine;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.KvPlan;
import dev.layercake.kv.KvPrefill;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.model.ModelConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Measures how fast a model reads and writes when a text is already so and so long. The text before is not computed: its
 * keys and values are random numbers, seeded, that pass through the policy as real ones would, so that every layer holds
 * what the policy leaves it. There is no text that a model could repeat: a policy that judges by that keeps as many entries as
 * ever, the first ones.
 */
public final class SpeedTest {
    private static final int FILL_CHUNK_TOKENS = 512;

    /** Filling takes long at great depths; rounds follow each other there while they deepen the text by less than 1/32. */
    private static final int DEPTH_TOLERANCE = 32;

    /** Compiling the loops of a small model takes about so long. */
    private static final long WARM_UP_NANOS = 2_000_000_000;

    private final LanguageModel owner;
    private final long seed;

    /** @param seed of the random keys, values and tokens */
    public SpeedTest(LanguageModel owner, long seed) {
        this.owner = owner;
        this.seed = seed;
    }

    /**
     * One measurement, repeated.
     *
     * @param depth tokens of text before
     * @param tokens read as one prompt, or decoded one by one
     * @param prefill whether they were read as one prompt
     * @param speeds tokens per second of each repetition
     * @param policyShare of that time, what the policy took to gather what it judges by, to judge and to cut
     * @param bytesPerToken all weights and the keys and values left, what a decoded token reads at most; 0 for prefill
     * @param kvBytes KV memory at the end
     */
    public record Result(
            int depth,
            int tokens,
            boolean prefill,
            List<Double> speeds,
            double policyShare,
            long bytesPerToken,
            long kvBytes) {
        public Result {
            speeds = List.copyOf(speeds);
        }

        /** Mean of the speeds. */
        public double mean() {
            return speeds.stream().mapToDouble(Double::doubleValue).average().orElse(0);
        }

        /** Standard deviation of the speeds (of a sample); 0 for a single one. */
        public double deviation() {
            double mean = mean();
            double squares = speeds.stream()
                    .mapToDouble(speed -> (speed - mean) * (speed - mean))
                    .sum();
            return speeds.size() < 2 ? 0 : Math.sqrt(squares / (speeds.size() - 1));
        }

        /** Bytes per second that decoding reads. */
        public double bytesPerSecond() {
            return mean() * bytesPerToken;
        }
    }

    /** What a measurement at this depth needs. */
    public MemoryPlan plan(KvPolicy policy, int depth, int promptTokens, int newTokens) {
        MemoryPlan fill = owner.plan(policy, Math.max(1, depth), promptTokens + newTokens + 1);
        MemoryPlan prompt = owner.plan(policy, Math.max(1, promptTokens), newTokens + 1);
        return fill.workingBytes() >= prompt.workingBytes() ? fill : prompt.withKvOf(fill);
    }

    /**
     * Measures reading a prompt of {@code tokens}.
     *
     * @throws dev.layercake.kernels.LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Result prefill(KvPolicy policy, int depth, int tokens, int repetitions) {
        return measure(policy, depth, tokens, 0, repetitions);
    }

    /**
     * Measures decoding {@code tokens} one by one.
     *
     * @throws dev.layercake.kernels.LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Result decode(KvPolicy policy, int depth, int tokens, int repetitions) {
        return measure(policy, depth, 0, tokens, repetitions);
    }

    private Result measure(KvPolicy policy, int depth, int promptTokens, int newTokens, int repetitions) {
        int tokens = promptTokens + newTokens;
        int rounds = 1 + repetitions;
        boolean refills = (long) tokens * rounds * DEPTH_TOLERANCE > depth;
        int tokensPerFill = refills ? tokens : tokens * rounds;
        plan(policy, depth, promptTokens, refills ? newTokens : tokensPerFill).requireFits();
        List<Double> speeds = new ArrayList<>();
        long kvBytes = 0;
        long allNanos = 0;
        long policyNanos = 0;
        Session session = owner.session(policy);
        try {
            // The first round warms the code up and is not counted; where it is short, more of them do.
            long begun = System.nanoTime();
            boolean first = true;
            boolean warm = false;
            while (speeds.size() < repetitions) {
                if (first || refills) {
                    first = false;
                    session.close();
                    session = owner.session(policy);
                    fill(session.cache(), depth, tokensPerFill);
                }
                KvCache cache = session.cache();
                if (promptTokens == 0) {
                    // Before the clock starts: the first token touches memory that the others find warm.
                    timeDecode(cache, 1);
                }
                long policyBefore = cache.policyNanos();
                long nanos = promptTokens > 0 ? timePrefill(cache, promptTokens) : timeDecode(cache, newTokens);
                if (warm) {
                    speeds.add(tokens * 1e9 / nanos);
                    allNanos += nanos;
                    policyNanos += cache.policyNanos() - policyBefore;
                }
                warm = warm || !refills || System.nanoTime() - begun > WARM_UP_NANOS;
                kvBytes = cache.lease().bytesInUse();
            }
        } finally {
            session.close();
        }
        boolean prefill = promptTokens > 0;
        long bytesPerToken = prefill ? 0 : owner.model().weightBytes() + kvBytes;
        double policyShare = (double) policyNanos / allNanos;
        return new Result(depth, tokens, prefill, speeds, policyShare, bytesPerToken, kvBytes);
    }

    private long timePrefill(KvCache cache, int count) {
        int[] tokens = new int[count];
        SplittableRandom random = new SplittableRandom(seed);
        for (int index = 0; index < count; index++) {
            tokens[index] = random.nextInt(owner.model().config().vocabularySize());
        }
        float[] logits = new float[owner.model().config().vocabularySize()];
        long start = System.nanoTime();
        owner.prefill(cache, tokens, (done, total) -> true, () -> false, logits);
        return System.nanoTime() - start;
    }

    private long timeDecode(KvCache cache, int count) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] logits = new float[owner.model().config().vocabularySize()];
        long start = System.nanoTime();
        for (int index = 0; index < count; index++) {
            owner.decode(cache, random.nextInt(logits.length), () -> false, logits);
        }
        return System.nanoTime() - start;
    }

    /** Fills a cache with the entries of a text of {@code depth} tokens and reserves what {@code more} tokens will take. */
    private void fill(KvCache cache, int depth, int more) {
        KvPlan plan =
                KvPlan.of(cache.layout(), cache.lease().pool().rowsPerPage(), cache.policy(), Math.max(1, depth), more);
        cache.lease().reserve(plan.peakBytes());
        if (depth > 0) {
            owner.compute(() -> false, () -> fill(cache, depth));
        }
        cache.lease().reserve(cache.plan(more, 2 * more).peakBytes());
    }

    private void fill(KvCache cache, int depth) {
        ModelConfig config = owner.model().config();
        Kernels kernels = owner.kernels();
        Workers workers = owner.workers();
        int chunkTokens = Math.min(depth, FILL_CHUNK_TOKENS);
        long kvElements = (long) config.kvHeads() * config.headDim();
        long queryElements = (long) config.queryHeads() * config.headDim();
        try (Arena arena = Arena.ofShared();
                KvPrefill prefill = cache.beginPrefill(depth, owner.modelParts(), kernels, workers)) {
            Tensor keys = Tensor.allocate(arena, DType.F32, chunkTokens, kvElements);
            Tensor values = Tensor.allocate(arena, DType.F32, chunkTokens, kvElements);
            Tensor queries = Tensor.allocate(arena, DType.F32, prefill.windowQueries(), queryElements);
            long state = seed | 1;
            for (int layer = 0; layer < config.layerCount(); layer++) {
                prefill.beginLayer(layer);
                for (int first = 0; first < depth; first += chunkTokens) {
                    int count = Math.min(chunkTokens, depth - first);
                    state = randomize(keys, state);
                    state = randomize(values, state);
                    if (prefill.readsAsStream()) {
                        for (int token = 0; token < count; token++) {
                            prefill.append(keys.slice(token, 1), values.slice(token, 1));
                            prefill.evict();
                        }
                    } else {
                        prefill.store(first, keys.slice(0, count), values.slice(0, count));
                    }
                }
                state = randomize(queries, state);
                prefill.endLayer(config.attentionShape(layer), queries);
            }
            prefill.finish();
        }
        cache.cutReplayed(workers);
    }

    /** Uniform numbers in [-1, 1) (Marsaglia's xorshift64); a fill takes billions, so it must be cheap. */
    private static long randomize(Tensor tensor, long seed) {
        MemorySegment data = tensor.data();
        long state = seed;
        for (long offset = 0; offset < tensor.bytes(); offset += Float.BYTES) {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, offset, (int) (state >> 32) * 0x1p-31f);
        }
        return state;
    }
}
