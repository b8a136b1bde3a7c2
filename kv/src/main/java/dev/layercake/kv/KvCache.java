package dev.layercake.kv;

import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.kv.policy.Retention;
import dev.layercake.kv.policy.Rotary;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A sequence's keys and values: for each layer and KV head the entries that its policy kept, each with its token's true
 * position. {@link #tokensSeen} counts the text and is not the number of entries anywhere.
 *
 * <p>A turn is {@link #beginPrefill}, a {@link #beginReplay} per part of the text if the policy asks for it, and then one
 * {@link #beginStep} per decoded token. Only one of them runs at a time; not
 * thread-safe. A prefill or step that is closed before it is finished leaves layers of different states behind, so it
 * empties the sequence ({@link #clear}).
 */
public final class KvCache implements AutoCloseable {
    private final KvPolicy policy;
    private final KvLease lease;
    private final LayerEntries[] layers;
    private final Lookback lookback;
    private final StepJudge judge;
    private final @Nullable SlowCopy slow;
    private final @Nullable Prefetch prefetch;
    private final @Nullable PageChoice pages;
    private int guess = -1;
    private int tokensSeen;
    private int tokensRunning;
    private int nextRotation;
    private int limitTokens;
    private long policyNanos;
    private ModelParts parts = ModelParts.NONE;
    private final UnreplayedText unreplayed = new UnreplayedText();
    private @Nullable AutoCloseable running;

    /**
     * An empty cache that may use up to {@code reservedBytes} of the pool, {@link KvPlan#peakBytes} usually.
     *
     * @throws dev.layercake.kernels.LayercakeException over capacity if the pool has not that much left; bad input if the
     *     policy was made for a model of another shape
     */
    public KvCache(KvPool pool, KvPolicy policy, long reservedBytes) {
        requireShape(policy, pool.layout());
        this.policy = policy;
        TierLayout tiers = TierLayout.of(pool.layout(), pool.rowsPerPage(), policy);
        this.lease = pool.lease(reservedBytes);
        this.layers = new LayerEntries[pool.layout().layers()];
        this.lookback = pool.layout().lookback();
        for (int layer = 0; layer < layers.length; layer++) {
            layers[layer] = new LayerEntries(lease, tiers, lookback.of(layer));
            layers[layer].uncut(policy.allocator(), lookback, layer);
        }
        this.judge = new StepJudge(policy, lookback);
        if (policy.retention() instanceof Retention.Fetching fetching && fetching.fetch() > 0) {
            this.slow = new SlowCopy(pool, () -> fetching.inFile() ? new FileTier(temporaryFolder()) : new RamTier());
            this.prefetch = new Prefetch(lease, tiers, slow, fetching.fetch());
            for (int layer = 0; layer < layers.length; layer++) {
                for (int head = 0; head < pool.layout().kvHeads(); head++) {
                    layers[layer].head(head).copyTo(slow, layer, head);
                }
            }
        } else {
            this.slow = null;
            this.prefetch = null;
        }
        this.pages = policy.retention() instanceof Retention.ReadFew few ? new PageChoice(few) : null;
    }

    private static Path temporaryFolder() {
        return Path.of(System.getProperty("java.io.tmpdir"));
    }

    /** Refuses a policy whose profile is that of a model of another shape. */
    static void requireShape(KvPolicy policy, KvLayout layout) {
        HeadProfile profile = policy.allocator().profile();
        if (profile != null) {
            profile.requireShape(layout.layers(), layout.kvHeads());
        }
    }

    public KvPolicy policy() {
        return policy;
    }

    public KvLayout layout() {
        return lease.pool().layout();
    }

    /** How far the layers look back. */
    Lookback lookback() {
        return lookback;
    }

    /** The memory of this sequence: reservation, use and peak. */
    public KvLease lease() {
        return lease;
    }

    /** Tokens of the text so far: the position of the next one. */
    public int tokensSeen() {
        return tokensSeen;
    }

    /**
     * Says how long the text may ever become, which models ask whose rotary frequencies depend on it (LongRoPE): they then
     * use those of that length from the first token on, so that what was read early and what comes late turn alike. A cache that
     * was not told takes the length of the text so far, anew in every prefill and step, as transformers does.
     *
     * @param tokens at least 1
     * @throws IllegalStateException if something was read already
     */
    public void limit(int tokens) {
        if (tokensSeen > 0 || running != null) {
            throw new IllegalStateException("the text has begun");
        }
        limitTokens = tokens;
    }

    /** Which positions the rotary embeddings of the next tokens have. */
    public Rotations rotations(int newTokens) {
        long length = limitTokens > 0 ? limitTokens : (long) nextRotation + newTokens;
        boolean slots = policy.positions() == PositionRule.SLOT;
        if (slots) {
            length = Math.min(length, policy.allocator().budget() + 1L);
        }
        return new Rotations(nextRotation, newTokens, Math.toIntExact(length), slots);
    }

    /**
     * Time that the policy has taken since the cache was made, as the calling thread saw it: gathering what it judges by,
     * judging and cutting, in prompts, in replays with all that passes through the layers then, and in decode steps.
     */
    public long policyNanos() {
        return policyNanos;
    }

    /** Counts the time since {@code start}, a {@link System#nanoTime}, as the policy's. */
    void countPolicyTime(long start) {
        policyNanos += System.nanoTime() - start;
    }

    /** The position that the rotary embedding of the next token has. */
    int nextRotation() {
        return nextRotation;
    }

    /** Tokens of the running prompt that have been read token by token in the running layer. */
    int tokensRunning() {
        return tokensRunning;
    }

    void tokensRunning(int tokens) {
        tokensRunning = tokens;
    }

    Rotary rotary(int layer) {
        return parts.rotary(layer, rotations(1).length());
    }

    /** A layer's entries, one element per KV head, kept up to date; those kept in few bits are their lower run. */
    public KvRows[] rows(int layer) {
        return layers[layer].rows();
    }

    /** The positions that a head holds in full, in the order in which decode steps judge them. */
    public int[] positions(int layer, int kvHead) {
        return layers[layer].head(kvHead).positions();
    }

    /** Bytes of the pages that a layer holds. */
    public long bytesInUse(int layer) {
        long pages = 0;
        for (HeadEntries head : layers[layer].heads()) {
            pages += head.pageCount();
        }
        return pages * lease.pool().pageBytes();
    }

    /** What another turn will need at most, everything held now included; pass its peak to {@link KvLease#reserve}. */
    public KvPlan plan(int promptTokens, int newTokens) {
        KvPlan.Held[] held = new KvPlan.Held[layers.length];
        for (int layer = 0; layer < layers.length; layer++) {
            LayerEntries one = layers[layer];
            int oldest = one.oldest(KvPlan.tokens(tokensSeen, promptTokens));
            held[layer] = new KvPlan.Held(
                    one.longest(),
                    one.averageLength(),
                    one.longestLow(),
                    one.longestFrom(oldest),
                    one.averageFrom(oldest));
        }
        return KvPlan.of(layout(), lease.pool().rowsPerPage(), policy, held, tokensSeen, promptTokens, newTokens);
    }

    /**
     * Reserves what another turn will need at most, in the pool and in the slow tier if there is one. It never falls below
     * what is in use.
     *
     * @throws dev.layercake.kernels.LayercakeException over capacity, before anything is lost
     */
    public void reserve(int promptTokens, int newTokens) {
        lease.reserve(plan(promptTokens, newTokens).peakBytes());
        if (slow != null) {
            slow.reserve(slowTokens(policy, KvPlan.tokens(tokensSeen, KvPlan.tokens(promptTokens, newTokens))));
        }
    }

    /** Of so many tokens, how many may lie in a slow tier. */
    static int slowTokens(KvPolicy policy, int tokens) {
        return policy.retention() instanceof Retention.RecentExact recent ? tokens - recent.exact(tokens) : tokens;
    }

    /** Bytes taken in the slow tier; 0 if there is none. */
    public long slowBytes() {
        return slow == null ? 0 : slow.bytes();
    }

    /** Whether decode steps guess the next token, to fetch what it will look at: {@link #beginSpeculativeStep}. */
    public boolean speculates() {
        return prefetch != null;
    }

    /** The token that the last step expects after the next one; -1 if none does. */
    public int guess() {
        return guess;
    }

    /** Remembers what a step expects. */
    public void guess(int token) {
        guess = token;
    }

    /** The positions whose exact pairs a head will read in the next step, ascending. */
    int[] comingPositions(int layer, int kvHead) {
        return prefetch == null ? new int[0] : prefetch.positions(layer, kvHead);
    }

    /**
     * Brings what lies beside a layer's entries up to date with them: moves what is no longer recent to the low tier if the
     * policy holds old entries in another form, bounds new pages if it reads few.
     */
    void settle(int index, Workers workers) {
        HeadEntries[] heads = layers[index].heads();
        if (policy.retention() instanceof Retention.FewChannels few
                && heads[0].length() > few.residual()
                && ChannelChoice.pending(layers[index])) {
            // Nobody has chosen yet if there was no prompt.
            new ChannelChoice(few).choose(layers[index], null, workers);
        }
        switch (policy.retention()) {
            case Retention.Drop drop -> {}
            case Retention.LowBit lowBit -> {}
            case Retention.RecentExact recent ->
                workers.run((worker, count) -> {
                    for (int head = worker; head < heads.length; head += count) {
                        HeadEntries entries = heads[head];
                        entries.moveOldest(recent.exact(entries.length()));
                    }
                });
            case Retention.ReadFew few ->
                workers.run((worker, count) -> {
                    for (int head = worker; head < heads.length; head += count) {
                        heads[head].bounds().follow(heads[head].rows());
                    }
                });
        }
    }

    /** Which pages a token reads; null if all. */
    @Nullable
    PageChoice pages() {
        return pages;
    }

    /** How many of so many exact entries of a head {@link #settle} moves. */
    int leaving(int entries) {
        return policy.retention() instanceof Retention.RecentExact recent ? entries - recent.exact(entries) : 0;
    }

    /** What each layer has and claims, from the first layer to the last. */
    public List<Slice> slices() {
        List<Slice> slices = new ArrayList<>();
        int window = policy.scorer().window();
        for (int index = 0; index < layers.length; index++) {
            LayerEntries layer = layers[index];
            List<Integer> entries = new ArrayList<>();
            List<Integer> lowEntries = new ArrayList<>();
            long limits = 0;
            for (int head = 0; head < layer.counts.length; head++) {
                entries.add(layer.head(head).length());
                lowEntries.add(layer.head(head).lowLength());
                limits += judge.count(layer, head, tokensSeen) + window;
            }
            boolean limited = policy.schedule().eachStep();
            int limit = limited ? (int) (limits / layer.counts.length) : Integer.MAX_VALUE;
            float preference = Float.isNaN(layer.preference) ? 0 : layer.preference;
            slices.add(new Slice(index, entries, lowEntries, limit, layer.dispersion, layer.shift, preference));
        }
        return slices;
    }

    /**
     * Begins the pass of consecutive new tokens through all layers.
     *
     * @param newTokens at least 1
     */
    public KvPrefill beginPrefill(int newTokens, Kernels kernels, Workers workers) {
        return beginPrefill(newTokens, ModelParts.NONE, kernels, workers);
    }

    /**
     * Begins the pass of consecutive new tokens through all layers.
     *
     * @param newTokens at least 1
     * @param model what the policy may ask of the model
     */
    public KvPrefill beginPrefill(int newTokens, ModelParts model, Kernels kernels, Workers workers) {
        requireIdle();
        parts = model;
        if (prefetch != null) {
            prefetch.forget(layers);
            guess = -1;
        }
        KvPrefill prefill = new KvPrefill(this, newTokens, kernels, workers);
        running = prefill;
        return prefill;
    }

    /**
     * Notes which tokens have just been read, for a policy that has the model repeat them. To be called after each pass that
     * was finished.
     */
    public void noteText(int... tokens) {
        if (policy.replays()) {
            unreplayed.add(tokens);
        }
    }

    /** The tokens that have been read and not been repeated yet; empty unless the policy replays. */
    public int[] unreplayedText() {
        return unreplayed.tokens();
    }

    /** Whether more is held, after so many further tokens, than what the policy leaves after a replay of the text. */
    public boolean replayDue(int newTokens) {
        if (!policy.replays()) {
            return false;
        }
        long entries = 0;
        for (int layer = 0; layer < layers.length; layer++) {
            for (HeadEntries head : layers[layer].heads()) {
                entries += Math.min((long) head.length() + newTokens, lookback.of(layer));
            }
        }
        return entries > entriesKept(Math.addExact(tokensSeen, newTokens));
    }

    /** Entries that stay after a replay. */
    private long entriesKept(int tokens) {
        return (long) layers.length * layout().kvHeads() * policy.allocator().budget(tokens);
    }

    /**
     * Begins a pass in which the model repeats the next part of the text that it has not repeated yet.
     *
     * @param textTokens of the text
     * @param passTokens that pass through the layers: what asks for the repetition, and then those of the text
     */
    public ContextReplay beginReplay(int textTokens, int passTokens, Kernels kernels, Workers workers) {
        requireIdle();
        int from = tokensSeen - unreplayed.count();
        ContextReplay replay = new ContextReplay(this, from, textTokens, passTokens, kernels, workers);
        running = replay;
        return replay;
    }

    void replayed(int textTokens) {
        unreplayed.removeFirst(textTokens);
        running = null;
    }

    /**
     * Cuts all layers at once to what their entries are worth by the replays since they came; one that was never repeated is
     * worth nothing. Does nothing if all fits.
     */
    public void cutReplayed(Workers workers) {
        requireIdle();
        if (!replayDue(0)) {
            return;
        }
        long start = System.nanoTime();
        unreplayed.clear();
        new GlobalCut(layers, policy.scorer().sinks(), tokensSeen).cut(entriesKept(tokensSeen), workers);
        if (policy.positions() == PositionRule.REROTATED) {
            renumber(workers);
        }
        countPolicyTime(start);
    }

    /** Begins the pass of one new token through all layers. */
    public KvStep beginStep(Kernels kernels, Workers workers) {
        return beginStep(ModelParts.NONE, kernels, workers);
    }

    /** Begins the pass of one new token through all layers; {@code model} is what the policy may ask of it. */
    public KvStep beginStep(ModelParts model, Kernels kernels, Workers workers) {
        requireIdle();
        parts = model;
        KvStep step = new KvStep(this, kernels, workers);
        running = step;
        return step;
    }

    /**
     * Begins the pass of the newest token and of a guess of the next one. Only of a cache that {@link #speculates}.
     *
     * @param commits whether the newest token is read; otherwise the guess stands in its place, to look ahead only
     */
    public SpeculativeStep beginSpeculativeStep(boolean commits, Kernels kernels, Workers workers) {
        requireIdle();
        if (prefetch == null) {
            throw new IllegalStateException("policy " + policy.spec() + " does not speculate");
        }
        SpeculativeStep step = new SpeculativeStep(this, prefetch, commits, kernels, workers);
        running = step;
        return step;
    }

    private void requireIdle() {
        if (running != null) {
            throw new IllegalStateException("a prefill or step of this cache is still running");
        }
    }

    LayerEntries layer(int index) {
        return layers[index];
    }

    int layerCount() {
        return layers.length;
    }

    StepJudge judge() {
        return judge;
    }

    ModelParts parts() {
        return parts;
    }

    void finished(int newTokens) {
        tokensSeen += newTokens;
        nextRotation += newTokens;
        tokensRunning = 0;
        running = null;
    }

    /**
     * Rotates all keys to consecutive positions, in the order of the text, so that those of every head end at the same
     * position and the longest head begins at 0. What counts is that each head's last entry is one before the next token.
     */
    void renumber(Workers workers) {
        int longest = 0;
        for (LayerEntries layer : layers) {
            longest = Math.max(longest, layer.longest());
        }
        int next = longest;
        int before = rotations(0).length();
        workers.run((worker, count) -> {
            for (int index = worker; index < layers.length; index += count) {
                Rotary rotary = parts.rotary(index, before);
                for (HeadEntries head : layers[index].heads()) {
                    head.renumber(rotary, next - head.length());
                }
            }
        });
        nextRotation = next;
    }

    void aborted() {
        running = null;
        clear();
    }

    /**
     * A second cache that holds the same text and entries, on pages of its own: what was read once can be continued in
     * several ways. Reserves what this one has in use.
     *
     * @throws dev.layercake.kernels.LayercakeException over capacity if the pool, or the slow tier, has not that much left;
     *     nothing is taken then
     */
    public KvCache fork() {
        requireIdle();
        KvCache copy = new KvCache(lease.pool(), policy, lease.bytesInUse());
        try {
            copy.copyFrom(this);
            return copy;
        } catch (RuntimeException | Error e) {
            copy.close();
            throw e;
        }
    }

    /** Takes what another cache of the same policy holds; this one must be empty. */
    private void copyFrom(KvCache other) {
        for (int layer = 0; layer < layers.length; layer++) {
            layers[layer].copyFrom(other.layers[layer]);
        }
        if (slow != null && other.slow != null) {
            slow.copyFrom(other.slow);
        }
        tokensSeen = other.tokensSeen;
        nextRotation = other.nextRotation;
        limitTokens = other.limitTokens;
        unreplayed.add(other.unreplayed.tokens());
    }

    /** Forgets the whole text; pages go back, the reservation stays. */
    public void clear() {
        requireIdle();
        tokensSeen = 0;
        guess = -1;
        if (prefetch != null) {
            prefetch.forget(layers);
        }
        if (slow != null) {
            slow.clear();
        }
        tokensRunning = 0;
        nextRotation = 0;
        unreplayed.clear();
        for (int index = 0; index < layers.length; index++) {
            LayerEntries layer = layers[index];
            for (HeadEntries head : layer.heads()) {
                head.rows().showAll();
                head.rows().withhold(null);
                head.clear();
            }
            layer.countedAt = 0;
            layer.uncut(policy.allocator(), lookback, index);
            layer.windowInFront = -1;
            layer.dispersion = 0;
            layer.shift = 0;
            layer.preference = Float.NaN;
        }
    }

    /** Returns all pages and the reservation to the pool. */
    @Override
    public void close() {
        running = null;
        if (prefetch != null) {
            prefetch.close();
        }
        if (slow != null) {
            slow.close();
        }
        lease.close();
    }
}
