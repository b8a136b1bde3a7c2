package dev.layercake.engine;

import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.KvPlan;
import dev.layercake.kv.KvPool;
import dev.layercake.kv.KvPrefill;
import dev.layercake.kv.ModelParts;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.kv.policy.Retention;
import dev.layercake.model.Forward;
import dev.layercake.model.Model;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A model ready to be talked to: weights, kernels, a team of threads and one pool of KV memory, shared by any number of
 * {@link Session}s. Thread-safe; sessions on different threads take turns, a whole prompt or one token at a time.
 */
public final class LanguageModel implements AutoCloseable {
    private final Model model;
    private final EngineOptions options;
    private final KernelSelection kernels;
    private final Workers workers;
    private final Forward forward;
    private final boolean weightsResident;
    private final ReentrantLock computing = new ReentrantLock(true);
    private final Set<Session> sessions = Collections.newSetFromMap(new IdentityHashMap<>());
    private final @Nullable Path path;
    private @Nullable String fingerprint;
    private @Nullable KvPool pool;
    private boolean closed;

    private LanguageModel(
            Model model,
            @Nullable Path path,
            EngineOptions options,
            KernelSelection kernels,
            Workers workers,
            boolean weightsResident) {
        this.model = model;
        this.path = path;
        this.options = options;
        this.kernels = kernels;
        this.workers = workers;
        this.weightsResident = weightsResident;
        this.forward = new Forward(model, kernels.kernels(), workers, contextTokens());
    }

    /** Loads a checkpoint with {@link EngineOptions#DEFAULT}. */
    public static LanguageModel load(Path path) {
        return load(path, EngineOptions.DEFAULT);
    }

    /**
     * Loads a checkpoint.
     *
     * @param path a Hugging Face folder (config.json and safetensors) or a GGUF file
     * @throws LayercakeException (bad model) if it is missing, damaged or of an unknown architecture
     */
    public static LanguageModel load(Path path, EngineOptions options) {
        return open(
                path,
                options,
                options.quantizeTo() != null,
                (kernels, workers) -> Model.load(path, options.quantizeTo(), kernels, workers));
    }

    /** A language model around a model that is in memory already, random weights for example; it is closed with this. */
    public static LanguageModel of(Model model, EngineOptions options) {
        return open(null, options, true, (kernels, workers) -> model);
    }

    /** Makes a model once there is something to compute with. */
    @FunctionalInterface
    private interface Opening {
        Model open(Kernels kernels, Workers workers);
    }

    private static LanguageModel open(
            @Nullable Path path, EngineOptions options, boolean weightsResident, Opening opening) {
        KernelSelection kernels = KernelSelection.choose();
        Workers workers = new Workers(options.threads());
        Model model = null;
        try {
            model = opening.open(kernels.kernels(), workers);
            // Fails here, not at the first session, if the model's heads do not fit the types of the cache.
            model.config().kvLayout(options.keyType(), options.valueType());
            requireContext(model, options);
            return new LanguageModel(model, path, options, kernels, workers, weightsResident);
        } catch (RuntimeException | Error e) {
            if (model != null) {
                model.close();
            }
            workers.close();
            throw e;
        }
    }

    private static void requireContext(Model model, EngineOptions options) {
        int made = model.config().contextLength();
        if (options.contextTokens() > made && !options.beyondContext()) {
            throw LayercakeException.badInput(String.format(
                    Locale.ROOT,
                    "%s was made for texts of up to %,d tokens, but the context asked for (-c) is %,d; ask for at most %,d, or"
                            + " accept what it makes of longer texts (--beyond-context).",
                    model.name(),
                    made,
                    options.contextTokens(),
                    made));
        }
    }

    /** The model's configuration, tensors, tokenizer and chat template. */
    public Model model() {
        return model;
    }

    public EngineOptions options() {
        return options;
    }

    /** Which kernels compute, and why, in one sentence. */
    public String kernelDescription() {
        return kernels.description();
    }

    /** Name of the kernels: "scalar", "simd". */
    public String kernelName() {
        return kernels.kernels().name();
    }

    /** {@link ModelFingerprint} of the files that this was loaded from; empty for a model made in memory. */
    public synchronized String fingerprint() {
        String known = fingerprint;
        if (known == null) {
            known = path == null ? "" : ModelFingerprint.of(path);
            fingerprint = known;
        }
        return known;
    }

    /**
     * Most tokens of a sequence, prompt and answers together: what the options say, or what the model was made for. A session
     * reads with the rotary frequencies for this length from its first token on, where they depend on it (LongRoPE).
     */
    public int contextTokens() {
        return options.contextTokens() > 0
                ? options.contextTokens()
                : model.config().contextLength();
    }

    /** What to do for so many tokens of context, as a message says it after an "or". */
    public String widerContext(long tokens) {
        return tokens <= model.config().contextLength()
                ? "set a context of " + tokens + " (-c)"
                : "set a context of " + tokens
                        + " (-c, with --beyond-context) if you accept what a model makes of a text longer than it was made for";
    }

    /**
     * Opens a conversation.
     *
     * @param kv which entries stay, for example {@code cake(budget=1024)} or {@code full}
     * @throws LayercakeException (bad input) if the spec is wrong
     */
    public Session session(String kv) {
        return session(Policies.parse(kv));
    }

    /**
     * Opens a conversation under a policy.
     *
     * @throws LayercakeException (bad input, bad model) if the policy was made for another model, or a file that it names
     *     cannot be used
     */
    public Session session(KvPolicy policy) {
        requireModel(policy);
        return exclusively(() -> {
            requireOpen();
            forward.prepare(policy);
            KvCache cache = new KvCache(pool(), policy, 0);
            cache.limit(contextTokens());
            return open(cache);
        });
    }

    /** A session of a cache that nobody else has; the caller holds {@link #exclusively}. */
    Session open(KvCache cache) {
        requireOpen();
        Session session = new Session(this, cache);
        synchronized (sessions) {
            sessions.add(session);
        }
        return session;
    }

    /** Refuses what was calibrated for other weights. A cache refuses another shape by itself. */
    private void requireModel(KvPolicy policy) {
        HeadProfile profile = policy.allocator().profile();
        if (profile != null) {
            profile.requireShape(model.config().layerCount(), model.config().kvHeads());
            if (path != null) {
                profile.requireFingerprint(fingerprint());
            }
        }
    }

    /**
     * Reads a text by itself, everything kept, and shows an observer what happens in all layers.
     *
     * @param tokens at least 1
     * @throws CancellationException if {@code progress} says so
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public void observe(int[] tokens, Forward.Progress progress, Forward.Observer observer) {
        KvPolicy full = Policies.full();
        plan(full, tokens.length, 0).requireFits();
        compute(() -> false, () -> {
            requireOpen();
            KvPlan plan = KvPlan.of(pool().layout(), full, tokens.length, 0);
            try (KvCache cache = new KvCache(pool(), full, plan.peakBytes())) {
                cache.limit(contextTokens());
                forward.observe(cache, tokens, progress, observer);
            }
        });
    }

    /** What a first turn would need. */
    public MemoryPlan plan(KvPolicy policy, int promptTokens, int newTokens) {
        return plan(
                KvPlan.of(
                        model.config().kvLayout(options.keyType(), options.valueType()),
                        policy,
                        promptTokens,
                        newTokens),
                policy,
                promptTokens,
                (long) promptTokens + newTokens,
                0);
    }

    /**
     * What a turn would need.
     *
     * @param textTokens of the text in the end
     * @param heldBytes KV memory that the session has already
     */
    MemoryPlan plan(KvPlan kv, KvPolicy policy, int promptTokens, long textTokens, long heldBytes) {
        KvPool existing = pool;
        // Pages that were used before and are free now still belong to this process.
        long idlePages = existing == null ? 0 : existing.peakBytes() - existing.bytesInUse();
        return new MemoryPlan(
                model.weightBytes(),
                weightsResident,
                kv.peakBytes(),
                kv.keptBytes(),
                kv.fullBytes(),
                Math.max(Forward.prefillBytes(model, promptTokens), Forward.replayBytes(model, policy, (int)
                                Math.min(Integer.MAX_VALUE / 2, textTokens)))
                        + judgingBytes(policy, promptTokens)
                        + forward.gateBytes(policy, promptTokens)
                        + slowInRam(kv, policy),
                JvmMemory.bytes(model.parameters(), textTokens),
                MachineMemory.here().availableBytes() + idlePages + heldBytes);
    }

    /** Positions that must be free behind a cache's text and so many further tokens for its policy to cut it. */
    int replayTokens(KvCache cache, int newTokens) {
        return forward.replayTokens(cache, newTokens);
    }

    /** Bytes of a slow tier that is no file. */
    private static long slowInRam(KvPlan kv, KvPolicy policy) {
        return policy.retention() instanceof Retention.Fetching fetching && !fetching.inFile() ? kv.slowBytes() : 0;
    }

    /** Bytes that a policy takes to judge a prompt: attention of its queries per thread, scores per layer and head. */
    private long judgingBytes(KvPolicy policy, int promptTokens) {
        if (!policy.evicts()) {
            return 0;
        }
        long perThread = (long) Float.BYTES * policy.queries();
        long perHead = 4L * 4 + Long.BYTES;
        long perQueryHead = policy.usesAllQueries() ? Double.BYTES + 2L * Float.BYTES : 0;
        perQueryHead += policy.scorer().chunkAttention() == null ? 0 : Double.BYTES;
        perQueryHead += policy.selection().usesOutput() ? Float.BYTES : 0;
        return KvPrefill.judgingBytes(policy, model.config().attentionShape(0))
                + promptTokens
                        * (perThread * options.threads()
                                + perHead * model.config().kvHeads()
                                + perQueryHead * model.config().queryHeads());
    }

    /** The memory of all sessions' keys and values, made when first asked for. */
    KvPool pool() {
        KvPool made = pool;
        if (made == null) {
            long bytes = options.kvMemoryBytes() > 0
                    ? options.kvMemoryBytes()
                    : MachineMemory.here().availableBytes();
            made = new KvPool(model.config().kvLayout(options.keyType(), options.valueType()), bytes);
            pool = made;
        }
        return made;
    }

    Kernels kernels() {
        return kernels.kernels();
    }

    ModelParts modelParts() {
        return forward.modelParts();
    }

    Workers workers() {
        return workers;
    }

    /** Reads tokens into a cache and copies the logits after the last one. */
    void prefill(KvCache cache, int[] tokens, Forward.Progress progress, BooleanSupplier cancelled, float[] logits) {
        compute(cancelled, () -> copy(forward.prefill(cache, tokens, progress), logits));
    }

    /** Reads one token into a cache and copies the logits after it. */
    void decode(KvCache cache, int token, BooleanSupplier cancelled, float[] logits) {
        compute(cancelled, () -> copy(forward.decode(cache, token), logits));
    }

    private static void copy(Tensor from, float[] to) {
        MemorySegment.copy(from.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, 0, to, 0, to.length);
    }

    /** Runs a piece of work when it is its turn; gives up waiting when it is cancelled. */
    void compute(BooleanSupplier cancelled, Runnable work) {
        try {
            while (!computing.tryLock(10, TimeUnit.MILLISECONDS)) {
                if (cancelled.getAsBoolean()) {
                    throw new CancellationException("cancelled while others computed");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted while others computed");
        }
        try {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("cancelled before its turn");
            }
            work.run();
        } finally {
            computing.unlock();
        }
    }

    /** Runs something that must not meet a computation. */
    <T> T exclusively(Supplier<T> work) {
        computing.lock();
        try {
            return work.get();
        } finally {
            computing.unlock();
        }
    }

    void closeSession(Session session, KvCache cache) {
        computing.lock();
        try {
            synchronized (sessions) {
                sessions.remove(session);
            }
            cache.close();
        } finally {
            computing.unlock();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the language model is closed");
        }
    }

    /** Ends what is being computed, closes all sessions and returns all memory. Closing twice is harmless. */
    @Override
    public void close() {
        snapshot().forEach(Session::close);
        computing.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            // Those that were opened before the lock was free.
            snapshot().forEach(Session::close);
            release();
        } finally {
            computing.unlock();
        }
    }

    private void release() {
        forward.close();
        workers.close();
        try {
            if (pool != null) {
                pool.close();
            }
        } finally {
            model.close();
        }
    }

    private List<Session> snapshot() {
        // Copied without waiting for a long prefill: closing a session cancels it.
        synchronized (sessions) {
            return new ArrayList<>(sessions);
        }
    }
}
