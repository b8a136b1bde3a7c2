package dev.layercake.model;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.KvPrefill;
import dev.layercake.kv.KvStep;
import dev.layercake.kv.ModelParts;
import dev.layercake.kv.SpeculativeStep;
import dev.layercake.kv.policy.Gating;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Rotary;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The forward pass: a prompt layer by layer ({@link #prefill}), then token by token ({@link #decode}).
 *
 * <p>A prompt passes layer l entirely before layer l + 1 begins, so that only one layer's full keys and values exist at
 * a time and the cache's policy can cut each layer as soon as it is judged. Inside a layer tokens go in chunks, so that
 * activations stay bounded; what grows with the prompt is one row of hidden state per token.
 *
 * <p>Holds working memory and a thread team; serves one caller at a time.
 */
public final class Forward implements AutoCloseable {
    /** Tokens that pass a layer together; enough for the matrix kernels, little memory. */
    static final int CHUNK_TOKENS = 512;

    /** Told how far a prefill is; may end it. */
    @FunctionalInterface
    public interface Progress {
        /** Never ends the prefill, tells nobody. */
        Progress NONE = (done, total) -> true;

        /**
         * Called after each chunk of each layer.
         *
         * @param done token-layers done, of {@code total}
         * @return whether to go on; otherwise the prefill ends with {@link CancellationException}
         */
        boolean advance(long done, long total);
    }

    /** Sees hidden states as they come out of the layers; for tests and tools. */
    @FunctionalInterface
    public interface Observer {
        /**
         * Called for the embeddings (index 0) and after each layer (index layer + 1; the last one after the final norm).
         *
         * @param hidden [tokens x hidden], valid during the call
         */
        void hidden(int index, Tensor hidden);

        /**
         * Called for each chunk of tokens in each layer, before the rotary embedding.
         *
         * @param firstToken index of the chunk's first token in the prompt
         * @param queries [tokens x queryHeads * headDim]
         * @param keys [tokens x kvHeads * headDim]
         */
        default void projected(int layer, int firstToken, Tensor queries, Tensor keys) {}

        /**
         * Called for each chunk of tokens in each layer, after the attention was added to the hidden states.
         *
         * @param values [tokens x kvHeads * headDim]
         * @param attended [tokens x queryHeads * headDim], what each query head read
         * @param added [tokens x hidden], what came of it
         * @param states [tokens x hidden], the hidden states with that
         */
        default void attended(int layer, int firstToken, Tensor values, Tensor attended, Tensor added, Tensor states) {}
    }

    /** What the cache's policy may ask of the model. */
    private final class Parts implements ModelParts {
        @Override
        public Rotary rotary(int layer, int length) {
            RopeConfig rope = config.layers().get(layer).rope();
            return new Rotary(rope.inverseFrequencies(length), rope.attentionFactor(), config.interleavedRope());
        }

        @Override
        public int outputSize() {
            return config.hiddenSize();
        }

        @Override
        public void outputRows(int layer, int firstRow, Tensor target) {
            Tensor matrix = weights.layers().get(layer).attention().output().matrix();
            for (int row = 0; row < target.rows(); row++) {
                kernels.dequantize(matrix, (long) firstRow + row, target.slice(row, 1));
            }
        }
    }

    private final Model model;
    private final ModelConfig config;
    private final Weights weights;
    private final Kernels kernels;
    private final Workers workers;
    private final Arena arena = Arena.ofShared();
    private final Activations token;
    private final RopeTables tokenRope;
    private final Tensor tokenHidden;
    private final Tensor logits;
    private final Activations pair;
    private final RopeTables pairRope;
    private final Tensor pairHidden;
    private final Tensor pairLogits;
    private final LayerBlocks blocks;
    private final TextReplay replay;
    private final Map<Path, AttentionGates> gates = new ConcurrentHashMap<>();
    private final ModelParts parts = new Parts();

    /**
     * Working memory for one caller.
     *
     * @param workers the team that computes; closed by its owner, not here
     */
    public Forward(Model model, Kernels kernels, Workers workers) {
        this(model, kernels, workers, model.config().contextLength());
    }

    /**
     * Working memory for one caller.
     *
     * @param workers the team that computes; closed by its owner, not here
     * @param contextTokens positions that a text and its repetition should stay below, for a policy that has texts repeated
     */
    public Forward(Model model, Kernels kernels, Workers workers, int contextTokens) {
        this.model = model;
        this.config = model.config();
        this.weights = model.weights();
        this.kernels = kernels;
        this.workers = workers;
        this.token = Activations.allocate(config, model.feedForwardSize(), 1, arena);
        this.tokenRope = new RopeTables(config, 1, arena);
        this.tokenHidden = Tensor.allocate(arena, DType.F32, 1, config.hiddenSize());
        this.logits = Tensor.allocate(arena, DType.F32, 1, config.vocabularySize());
        this.pair = Activations.allocate(config, model.feedForwardSize(), 2, arena);
        this.pairRope = new RopeTables(config, 2, arena);
        this.pairHidden = Tensor.allocate(arena, DType.F32, 2, config.hiddenSize());
        this.pairLogits = Tensor.allocate(arena, DType.F32, 2, config.vocabularySize());
        this.blocks = new LayerBlocks(model, kernels, workers);
        this.replay = new TextReplay(model, blocks, kernels, workers, contextTokens);
    }

    /**
     * Loads what a policy needs beside the model, its gates for example; so that what is wrong with it is known early.
     *
     * @throws LayercakeException (bad model) if it is missing, damaged, or was made for another model
     */
    public void prepare(KvPolicy policy) {
        gates(policy);
    }

    private @Nullable AttentionGates gates(KvPolicy policy) {
        Gating gating = policy.gating();
        return gating == null
                ? null
                : gates.computeIfAbsent(
                        gating.weights().toAbsolutePath(), path -> AttentionGates.load(path, config, arena));
    }

    /** Bytes that the gates of a policy take beside {@link #prefillBytes}. */
    public long gateBytes(KvPolicy policy, int tokens) {
        AttentionGates found = gates(policy);
        return found == null ? 0 : found.bytes(tokens, config.kvHeads());
    }

    /** What a cache's policy may ask of the model. */
    public ModelParts modelParts() {
        return parts;
    }

    /** Bytes that a prefill of {@code tokens} needs beside weights and cache. */
    public static long prefillBytes(Model model, int tokens) {
        ModelConfig config = model.config();
        return (long) tokens * config.hiddenSize() * Float.BYTES
                + RopeTables.bytes(config, tokens)
                + Activations.bytes(config, model.feedForwardSize(), Math.min(tokens, CHUNK_TOKENS));
    }

    /** Bytes that repeating a text of {@code tokens} needs beside weights and cache, if the policy asks for it. */
    public static long replayBytes(Model model, KvPolicy policy, int tokens) {
        return policy.replays() ? TextReplay.bytes(model, policy, tokens) : 0;
    }

    /** Positions that must be free behind a cache's text and so many further tokens for the policy to have it repeated. */
    public int replayTokens(KvCache cache, int newTokens) {
        return replay.leastTokens(cache, newTokens);
    }

    /**
     * Reads tokens into the cache and returns the logits after the last one: [1 x vocabulary], valid until the next call.
     *
     * @throws CancellationException if {@code progress} says so; the cache is then empty
     */
    public Tensor prefill(KvCache cache, int[] tokens, Progress progress) {
        return thenReplay(cache, tokens, progress, reading -> {
            try (Arena promptArena = Arena.ofShared()) {
                Tensor hidden = prefill(cache, tokens, reading, null, promptArena);
                Tensor last = hidden.slice(hidden.rows() - 1, 1);
                kernels.rmsNorm(last, weights.outputNorm(), config.normEpsilon(), last, workers);
                return output(last, logits);
            }
        });
    }

    /**
     * Reads tokens, and then has the model repeat them if the policy wants to judge by that.
     *
     * @param read reads them, told whom to report its progress to
     */
    private Tensor thenReplay(KvCache cache, int[] tokens, Progress progress, Function<Progress, Tensor> read) {
        List<TextReplay.Part> parts = replay.parts(cache, tokens);
        long toRead = (long) tokens.length * config.layerCount();
        long total = toRead + replay.tokenLayers(parts);
        Tensor result = read.apply((done, all) -> progress.advance(done, total));
        cache.noteText(tokens);
        replay.run(cache, parts, (done, all) -> progress.advance(toRead + done, total));
        return result;
    }

    /**
     * As {@link #prefill}, but shows all hidden states and returns the logits after every token: [tokens x vocabulary],
     * in {@code target}.
     */
    public Tensor prefillObserved(KvCache cache, int[] tokens, Observer observer, Arena target) {
        return thenReplay(cache, tokens, Progress.NONE, reading -> {
            try (Arena promptArena = Arena.ofShared()) {
                Tensor hidden = prefill(cache, tokens, reading, observer, promptArena);
                kernels.rmsNorm(hidden, weights.outputNorm(), config.normEpsilon(), hidden, workers);
                observer.hidden(config.layerCount(), hidden);
                return output(hidden, Tensor.allocate(target, DType.F32, tokens.length, config.vocabularySize()));
            }
        });
    }

    /**
     * Reads tokens into the cache and shows an observer what happens in all layers; computes no logits.
     *
     * @throws CancellationException if {@code progress} says so; the cache is then empty
     */
    public void observe(KvCache cache, int[] tokens, Progress progress, Observer observer) {
        try (Arena promptArena = Arena.ofShared()) {
            prefill(cache, tokens, progress, observer, promptArena);
            cache.noteText(tokens);
        }
    }

    /** Reads one token into the cache and returns the logits after it: [1 x vocabulary], valid until the next call. */
    public Tensor decode(KvCache cache, int tokenId) {
        if (cache.speculates()) {
            return decodeWithGuess(cache, tokenId);
        }
        blocks.embed(tokenId, tokenHidden);
        try (KvStep step = cache.beginStep(parts, kernels, workers)) {
            tokenRope.fill(cache.rotations(1), workers);
            for (int layer = 0; layer < config.layerCount(); layer++) {
                Weights.Layer layerWeights = weights.layers().get(layer);
                AttentionShape shape = config.attentionShape(layer);
                blocks.project(layerWeights, tokenHidden, token);
                blocks.rotate(layer, token, tokenRope, 0);
                KvRows[] rows = step.append(layer, token.keys(), token.values());
                step.look(shape, token.queries());
                Tensor probabilities = step.probabilities(shape);
                kernels.attendOne(
                        shape, rows, token.queries(), step.position(), token.attended(), probabilities, workers);
                step.endLayer(probabilities);
                blocks.addAttention(layerWeights, token, tokenHidden);
                blocks.addFeedForward(layerWeights, token, tokenHidden);
            }
            step.finish();
        }
        cache.noteText(tokenId);
        kernels.rmsNorm(tokenHidden, weights.outputNorm(), config.normEpsilon(), tokenHidden, workers);
        return output(tokenHidden, logits);
    }

    /**
     * Reads a token together with a guess of the next one, whose attention tells the cache what the next step will need. The
     * first step after a prompt has no guess yet, and looks ahead for one.
     */
    private Tensor decodeWithGuess(KvCache cache, int tokenId) {
        if (cache.guess() < 0) {
            cache.guess(likeliest(speculate(cache, tokenId), 0));
        }
        Tensor both = speculate(cache, tokenId, cache.guess());
        cache.guess(likeliest(both, 1));
        return both.slice(0, 1);
    }

    /**
     * Logits after each token: the newest one, which is read into the cache, and a guess of the next one, which is not. A
     * single token is a guess.
     */
    private Tensor speculate(KvCache cache, int... tokens) {
        int guess = tokens.length - 1;
        Tensor states = pairHidden.slice(0, tokens.length);
        Activations rows = pair.first(tokens.length);
        for (int row = 0; row < tokens.length; row++) {
            blocks.embed(tokens[row], states.slice(row, 1));
        }
        try (SpeculativeStep step = cache.beginSpeculativeStep(guess == 1, kernels, workers)) {
            pairRope.fill(cache.rotations(tokens.length), workers);
            for (int layer = 0; layer < config.layerCount(); layer++) {
                Weights.Layer layerWeights = weights.layers().get(layer);
                AttentionShape shape = config.attentionShape(layer);
                blocks.project(layerWeights, states, rows);
                blocks.rotate(layer, rows, pairRope, 0);
                Tensor tokenProbabilities = null;
                if (guess == 1) {
                    KvRows[] entries = step.append(
                            layer, rows.keys().slice(0, 1), rows.values().slice(0, 1));
                    tokenProbabilities = step.tokenProbabilities(shape);
                    attendRow(shape, entries, rows, 0, step.position(), tokenProbabilities);
                }
                KvRows[] entries = step.appendGuess(
                        layer, rows.keys().slice(guess, 1), rows.values().slice(guess, 1));
                Tensor probabilities = step.probabilities(shape);
                attendRow(shape, entries, rows, guess, step.guessPosition(), probabilities);
                step.endLayer(probabilities, tokenProbabilities);
                blocks.addAttention(layerWeights, rows, states);
                blocks.addFeedForward(layerWeights, rows, states);
            }
            step.finish();
        }
        kernels.rmsNorm(states, weights.outputNorm(), config.normEpsilon(), states, workers);
        return output(states, pairLogits.slice(0, tokens.length));
    }

    private void attendRow(
            AttentionShape shape,
            KvRows[] entries,
            Activations rows,
            int row,
            int position,
            @Nullable Tensor probabilities) {
        Tensor query = rows.queries().slice(row, 1);
        Tensor out = rows.attended().slice(row, 1);
        kernels.attendOne(shape, entries, query, position, out, probabilities, workers);
    }

    private static int likeliest(Tensor logits, long row) {
        int best = 0;
        for (int token = 1; token < logits.columns(); token++) {
            if (logits.get(row, token) > logits.get(row, best)) {
                best = token;
            }
        }
        return best;
    }

    /** Hidden states after the last layer, before the final norm; without an observer only the last row is complete. */
    private Tensor prefill(
            KvCache cache, int[] tokens, Progress progress, @Nullable Observer observer, Arena promptArena) {
        if (tokens.length == 0) {
            throw LayercakeException.badInput("there is nothing to read: the prompt has no tokens");
        }
        int firstPosition = cache.tokensSeen();
        Tensor hidden = Tensor.allocate(promptArena, DType.F32, tokens.length, config.hiddenSize());
        for (int index = 0; index < tokens.length; index++) {
            blocks.embed(tokens[index], hidden.slice(index, 1));
        }
        if (observer != null) {
            observer.hidden(0, hidden);
        }
        int chunkTokens = Math.min(tokens.length, CHUNK_TOKENS);
        Activations activations = Activations.allocate(config, model.feedForwardSize(), chunkTokens, promptArena);
        RopeTables rope = new RopeTables(config, tokens.length, promptArena);
        rope.fill(cache.rotations(tokens.length), workers);
        try (KvPrefill prefill = cache.beginPrefill(tokens.length, parts, kernels, workers)) {
            GatePass gatePass = gatePass(cache.policy(), tokens.length, promptArena);
            int windowTokens = prefill.windowQueries();
            Tensor windowQueries = Tensor.allocate(
                    promptArena, DType.F32, windowTokens, (long) config.queryHeads() * config.headDim());
            Tensor softmax = prefill.usesAllQueries()
                    ? Tensor.allocate(promptArena, DType.F32, chunkTokens, 2L * config.queryHeads())
                    : null;
            for (int layer = 0; layer < config.layerCount(); layer++) {
                boolean onlyLast = observer == null && softmax == null && layer == config.layerCount() - 1;
                AttentionShape shape = config.attentionShape(layer);
                KvRows[] rows = prefill.beginLayer(layer);
                if (gatePass != null) {
                    prefill.gate(gatePass.passed(layer, normed(layer, hidden, activations), threshold(cache.policy())));
                }
                for (int first = 0; first < tokens.length; first += chunkTokens) {
                    int count = Math.min(chunkTokens, tokens.length - first);
                    Activations chunk = activations.first(count);
                    Tensor states = hidden.slice(first, count);
                    blocks.project(weights.layers().get(layer), states, chunk);
                    if (observer != null) {
                        observer.projected(layer, first, chunk.queries(), chunk.keys());
                    }
                    if (prefill.usesPlainQueries()) {
                        prefill.addPlainQueries(shape, first, chunk.queries());
                    }
                    blocks.rotate(layer, chunk, rope, first);
                    if (prefill.readsAsStream()) {
                        attendAsStream(prefill, shape, rows, chunk, firstPosition + first);
                        addBlocks(layer, chunk, first, states, observer);
                        reportProgress(progress, layer, first + count, tokens.length);
                        continue;
                    }
                    prefill.store(first, chunk.keys(), chunk.values());
                    prefill.showQueries(shape, chunk.queries());
                    keepWindow(chunk.queries(), first, tokens.length, windowQueries);
                    Tensor chunkSoftmax = softmax == null ? null : softmax.slice(0, count);
                    if (!onlyLast) {
                        attendAndAdd(layer, shape, rows, chunk, firstPosition, first, chunkSoftmax, states, observer);
                        if (chunkSoftmax != null) {
                            prefill.addAttention(shape, first, chunk.queries(), chunkSoftmax);
                        }
                    } else if (first + count == tokens.length) {
                        // Nobody reads the last layer's output but the output matrix, and it reads one row.
                        Activations last = lastRow(chunk);
                        attendAndAdd(
                                layer,
                                shape,
                                rows,
                                last,
                                firstPosition,
                                tokens.length - 1,
                                null,
                                hidden.slice(tokens.length - 1, 1),
                                null);
                    }
                    reportProgress(progress, layer, first + count, tokens.length);
                }
                prefill.endLayer(shape, windowQueries);
                if (observer != null && layer + 1 < config.layerCount()) {
                    observer.hidden(layer + 1, hidden);
                }
            }
            prefill.finish();
        }
        return hidden;
    }

    private @Nullable GatePass gatePass(KvPolicy policy, int tokens, Arena promptArena) {
        AttentionGates found = gates(policy);
        return found == null ? null : new GatePass(found, config, tokens, kernels, workers, promptArena);
    }

    private double threshold(KvPolicy policy) {
        Gating gating = Objects.requireNonNull(policy.gating());
        return gating.threshold()
                .orElseGet(() -> Objects.requireNonNull(gates(policy)).threshold());
    }

    /** A layer's input, chunk by chunk, in the room where {@link LayerBlocks#project} will put it again. */
    private GatePass.Norm normed(int layer, Tensor hidden, Activations activations) {
        return (first, count) -> {
            Tensor normed = activations.first(count).normed();
            Tensor norm = weights.layers().get(layer).attentionNorm();
            kernels.rmsNorm(hidden.slice(first, count), norm, config.normEpsilon(), normed, workers);
            return normed;
        };
    }

    /** Each token looks at what the layer holds when it comes, and then the layer drops what is too much. */
    private void attendAsStream(
            KvPrefill prefill, AttentionShape shape, KvRows[] rows, Activations chunk, int firstPosition) {
        for (int row = 0; row < chunk.queries().rows(); row++) {
            prefill.append(chunk.keys().slice(row, 1), chunk.values().slice(row, 1));
            kernels.attendOne(
                    shape,
                    rows,
                    chunk.queries().slice(row, 1),
                    firstPosition + row,
                    chunk.attended().slice(row, 1),
                    null,
                    workers);
            prefill.evict();
        }
    }

    private void attendAndAdd(
            int layer,
            AttentionShape shape,
            KvRows[] rows,
            Activations chunk,
            int firstPosition,
            int firstToken,
            @Nullable Tensor softmax,
            Tensor states,
            @Nullable Observer observer) {
        kernels.attend(shape, rows, chunk.queries(), firstPosition + firstToken, chunk.attended(), softmax, workers);
        addBlocks(layer, chunk, firstToken, states, observer);
    }

    private void addBlocks(int layer, Activations chunk, int firstToken, Tensor states, @Nullable Observer observer) {
        blocks.addAttention(weights.layers().get(layer), chunk, states);
        if (observer != null) {
            observer.attended(layer, firstToken, chunk.values(), chunk.attended(), chunk.projected(), states);
        }
        blocks.addFeedForward(weights.layers().get(layer), chunk, states);
    }

    private void reportProgress(Progress progress, int layer, int tokensDone, int tokens) {
        if (!progress.advance((long) layer * tokens + tokensDone, (long) config.layerCount() * tokens)) {
            throw new CancellationException("the prefill was cancelled");
        }
    }

    private static Activations lastRow(Activations chunk) {
        Activations one = chunk.first(1);
        Tensor lastQuery = chunk.queries().slice(chunk.queries().rows() - 1, 1);
        return new Activations(
                one.normed(),
                lastQuery,
                one.keys(),
                one.values(),
                one.attended(),
                one.projected(),
                one.gate(),
                one.up());
    }

    /** Copies those rows of a chunk's queries that belong to the window, the last tokens of the prompt. */
    private static void keepWindow(Tensor queries, int first, int promptTokens, Tensor windowQueries) {
        int windowStart = promptTokens - (int) windowQueries.rows();
        for (int row = Math.max(0, windowStart - first); row < queries.rows(); row++) {
            LayerBlocks.copyRow(queries, row, windowQueries, first + row - windowStart);
        }
    }

    private Tensor output(Tensor hidden, Tensor target) {
        kernels.matmul(weights.output(), hidden, target, workers);
        if (config.logitSoftcap() > 0) {
            kernels.softcap(target, config.logitSoftcap(), workers);
        }
        return target;
    }

    /** A copy of one row of logits. */
    public static float[] row(Tensor logits, long row) {
        return logits.slice(row, 1).toArray();
    }

    @Override
    public void close() {
        arena.close();
    }
}
