package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.WindowStatistics;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.BudgetAllocator;
import dev.layercake.kv.policy.ChunkAttention;
import dev.layercake.kv.policy.Gating;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.kv.policy.PromptHead;
import dev.layercake.kv.policy.QueryStatistics;
import dev.layercake.kv.policy.Retention;
import dev.layercake.kv.policy.Schedule.Cut;
import dev.layercake.kv.policy.Stage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The pass of new tokens through all layers, one layer after the other:
 *
 * <pre>
 * for each layer:  rows = beginLayer(layer)
 *                  for each chunk of tokens:  store(first, keys, values);  showQueries(shape, queries)
 *                                             kernels.attend(..., rows, ...)
 *                                             if (usesAllQueries()) addAttention(shape, first, queries, softmax)
 *                  endLayer(shape, windowQueries)
 * finish()
 * </pre>
 *
 * <p>The layer that is running holds all its entries, those kept from earlier turns and the new ones, in ascending order of
 * position; slots of tokens that are not stored yet have positions that no query sees. {@link #endLayer} lets the policy
 * judge the layer and cuts, so that "total budget + one layer" bounds the memory.
 *
 * <p>A cut layer's entries lie in their pages as the window first, then the others by descending score. Cutting the layer
 * again in the cascade is then only a shorter length: nothing moves, whole pages go back.
 *
 * <p>Later turns: the window is the last tokens of all that the layer holds, the queries that judge are those of the last
 * new tokens, and the entries kept from earlier turns are candidates like the others. The layers still to come hold their
 * old entries meanwhile, which {@link Stage#total} takes off what a stage may give away. A single new token tells no
 * variance; a preference from an earlier turn then stays.
 */
public final class KvPrefill extends LayerPass {
    /** Told each layer's scores before anything is cut; for tests and plots. */
    interface Observer {
        /** Receives the scores of each KV head, by ascending position. */
        void scored(int layer, float[][] scores);
    }

    private final KvPolicy policy;
    private final int newTokens;
    /** Tokens of the text when this is over. */
    private final int tokensAfter;

    private final Kernels kernels;
    private final Workers workers;
    private final int window;
    private final boolean cuts;
    private final int[] candidates;
    private final float[] preferences;
    /** What each layer was given when it was last cut; -1 before. */
    private final int[] granted;

    private final int[][] stages;
    private final List<float[][]> scores = new ArrayList<>();
    /** What each layer's scores were made of, for a selection that looks at it again; empty otherwise. */
    private final List<PromptHead[]> judgedHeads = new ArrayList<>();

    private final boolean stream;
    private LayerEvidence evidence;
    private ChannelMaxima largest;
    private @Nullable Observer observer;
    private long heldLater;

    KvPrefill(KvCache cache, int newTokens, Kernels kernels, Workers workers) {
        if (newTokens < 1) {
            throw new IllegalArgumentException("a prompt of " + newTokens + " tokens");
        }
        super(cache, "the prefill");
        this.policy = cache.policy();
        this.newTokens = newTokens;
        this.kernels = kernels;
        this.workers = workers;
        this.window = policy.scorer().window();
        this.stream = policy.readsAsStream((long) cache.tokensSeen() + newTokens);
        int layers = cache.layerCount();
        this.tokensAfter = Math.addExact(cache.tokensSeen(), newTokens);
        this.candidates = new int[layers];
        for (int i = 0; i < layers; i++) {
            int seen = cache.layer(i).averageFrom(cache.layer(i).oldest(tokensAfter));
            int after =
                    Math.min(Math.addExact(seen, newTokens), cache.lookback().of(i));
            candidates[i] = Math.max(0, after - window);
            heldLater += Math.max(0, cache.layer(i).averageLength() - window);
        }
        this.preferences = new float[layers];
        this.granted = new int[layers];
        Arrays.fill(granted, -1);
        this.stages = new int[layers][];
        this.largest = new ChannelMaxima(cache.layout());
        this.evidence = new LayerEvidence(cache, 0, newTokens, kernels, workers);
        Stage whole = new Stage(layers - 1, preferences, candidates, candidates, 0, tokensAfter, cache.lookback());
        this.cuts = !stream
                && policy.schedule().prompt() != Cut.NEVER
                && policy.schedule().prompt() != Cut.AFTER_REPLAY
                && !policy.allocator().keepsAll(whole);
    }

    /** Bytes that judging a prompt takes whatever its length, beside what grows with it. */
    public static long judgingBytes(KvPolicy policy, AttentionShape shape) {
        long bytes = 0;
        if (policy.plainQueriesFrom() >= 0) {
            bytes += QueryStatistics.bytes(shape.queryHeads(), shape.headDim());
        }
        ChunkAttention chunks = policy.scorer().chunkAttention();
        if (chunks != null) {
            bytes += (long) chunks.tokens() * (shape.queryHeads() + shape.kvHeads()) * shape.headDim() * Float.BYTES;
        }
        if (policy.selection().usesOutput()) {
            bytes += OutputNorms.bytes(shape.queryHeads(), shape.kvHeads(), shape.headDim());
        }
        return bytes;
    }

    void observe(Observer newObserver) {
        observer = newObserver;
    }

    /** Position of the first new token in the text. */
    public int firstPosition() {
        return cache.tokensSeen();
    }

    public int newTokens() {
        return newTokens;
    }

    /** How many of the last new tokens' queries {@link #endLayer} needs; 0 for none. */
    public int windowQueries() {
        return Math.min(policy.queries(), newTokens);
    }

    /**
     * Whether the tokens must go through each layer one by one ({@link #append}, attention of one token, {@link #evict})
     * instead of being stored and attended together, because the policy numbers entries by slot and drops some on the way.
     */
    public boolean readsAsStream() {
        return stream;
    }

    /** Whether {@link #addPlainQueries} looks at anything. */
    public boolean usesPlainQueries() {
        return policy.plainQueriesFrom() >= 0 && judges();
    }

    private boolean judges() {
        return cuts || observer != null;
    }

    /**
     * Makes room for the new tokens in the next layer.
     *
     * @param index the layer, one more than the last one
     * @return the layer's entries, one element per KV head, in ascending order of position; the new tokens are the last
     *     {@link #newTokens} slots, to be filled by {@link #store}, unless the prompt {@link #readsAsStream}
     */
    public KvRows[] beginLayer(int index) {
        begin(index);
        LayerEntries entries = cache.layer(layer());
        heldLater -= Math.max(0, entries.averageLength() - window);
        for (HeadEntries head : entries.heads()) {
            head.sortByPosition();
            if (stream) {
                head.orderBySlot();
            } else {
                head.append(firstPosition(), cache.nextRotation(), newTokens);
            }
        }
        cache.tokensRunning(0);
        evidence = new LayerEvidence(cache, layer(), newTokens, kernels, workers);
        entries.windowInFront = -1;
        return entries.rows();
    }

    /**
     * Adds the next token of a stream to the running layer.
     *
     * @param keys [1 x kvHeads * headDim] float32, rotary embedding applied; {@code values} likewise
     */
    public void append(Tensor keys, Tensor values) {
        require(inLayer() && stream && cache.tokensRunning() < newTokens, "a token of a stream is added");
        cache.layer(layer()).append(cache, layer(), keys, values, kernels, workers);
        cache.tokensRunning(cache.tokensRunning() + 1);
    }

    /** Lets the policy evict what is too much, after the token added last has looked at the layer's entries. */
    public void evict() {
        require(inLayer() && stream, "a stream evicts");
        cache.layer(layer()).evict(cache, layer(), null, workers);
    }

    /**
     * Writes keys and values of consecutive new tokens in the running layer.
     *
     * @param firstToken index among the new tokens
     * @param keys [tokens x kvHeads * headDim] float32, rotary embedding applied; {@code values} likewise
     */
    public void store(int firstToken, Tensor keys, Tensor values) {
        require(inLayer() && !stream, "tokens are stored");
        if (firstToken < 0 || keys.rows() > newTokens - firstToken) {
            throw new IllegalArgumentException(
                    keys.rows() + " tokens from " + firstToken + " on among " + newTokens + " new tokens");
        }
        cache.layer(layer()).store(newTokens - firstToken, keys, values, kernels, workers);
        if (balances()) {
            if (firstToken == 0) {
                largest = new ChannelMaxima(cache.layout());
            }
            largest.addKeys(keys);
        }
    }

    /** Whether the running layer's low tier waits for this prompt to tell how its keys are to be balanced. */
    private boolean balances() {
        LowTier low = cache.layer(layer()).head(0).low();
        return low != null
                && !low.settled()
                && policy.retention() instanceof Retention.LowBit retention
                && retention.balanced();
    }

    /** Whether the policy has gates, so that {@link #gate} is to be called in each layer. */
    public boolean gated() {
        return policy.gating() != null;
    }

    /**
     * Hides rejected new tokens of the running layer from the attention of all others; they leave the cache when the layer
     * ends. What the policy protects is not rejected. To be called before the layer's attention.
     *
     * @param kept [kvHeads][newTokens] what the gates let through
     */
    public void gate(boolean[][] kept) {
        require(inLayer(), "tokens are gated");
        Gating gating = policy.gating();
        LayerEntries entries = cache.layer(layer());
        if (gating == null || kept.length != entries.heads().length) {
            throw new IllegalArgumentException("gates of " + kept.length + " heads for policy " + policy.name());
        }
        for (int head = 0; head < kept.length; head++) {
            int firstSlot = entries.head(head).length() - newTokens;
            for (int token = 0; token < newTokens; token++) {
                if (!kept[head][token] && !gating.protects(firstPosition() + token, newTokens - 1 - token)) {
                    entries.rows()[head].hide(firstSlot + token);
                }
            }
        }
    }

    /** Drops what the gates rejected; the others keep their order. */
    private static void dropHidden(HeadEntries head) {
        KvRows rows = head.rows();
        int[] sources = new int[rows.length()];
        int count = 0;
        for (int slot = 0; slot < sources.length; slot++) {
            if (!rows.hidden(slot)) {
                sources[count++] = slot;
            }
        }
        rows.showAll();
        if (count < sources.length) {
            head.arrange(sources, count);
        }
    }

    /**
     * Shows the queries of tokens that were just stored; a low tier takes the size of its channels from them.
     *
     * @param queries [tokens x queryHeads * headDim] float32, rotary embedding applied
     */
    public void showQueries(AttentionShape shape, Tensor queries) {
        require(inLayer(), "queries are shown");
        long start = System.nanoTime();
        if (balances()) {
            largest.addQueries(queries, shape.group());
        }
        if (judges()) {
            evidence.addQueries(shape, queries);
        }
        cache.countPolicyTime(start);
    }

    /** Whether {@link #addAttention} must be called for all tokens of every layer. */
    public boolean usesAllQueries() {
        return policy.usesAllQueries() && (cuts || policy.scorer().countsAttention());
    }

    /**
     * Adds up what the queries of tokens that were just stored pay to each entry, for a policy that judges by all queries.
     * Their scores are computed a second time, in blocks.
     *
     * @param firstToken index among the new tokens
     * @param queries [tokens x queryHeads * headDim] float32, rotary embedding applied
     * @param softmax [tokens x 2 * queryHeads], what {@link Kernels#attend} left for these queries
     */
    public void addAttention(AttentionShape shape, int firstToken, Tensor queries, Tensor softmax) {
        require(inLayer(), "attention is added");
        long start = System.nanoTime();
        evidence.addAttention(shape, firstToken, queries, softmax);
        cache.countPolicyTime(start);
    }

    /**
     * Shows the queries of tokens before their rotary embedding; {@link #usesPlainQueries} says whether anyone looks.
     *
     * @param firstToken index among the new tokens
     * @param queries [tokens x queryHeads * headDim] float32, norms applied
     */
    public void addPlainQueries(AttentionShape shape, int firstToken, Tensor queries) {
        require(inLayer(), "plain queries are shown");
        if (!usesPlainQueries()) {
            return;
        }
        long start = System.nanoTime();
        evidence.addPlainQueries(shape, firstToken, queries);
        cache.countPolicyTime(start);
    }

    /**
     * Lets the policy judge the layer and cut what it holds, and perhaps the layers before it.
     *
     * @param windowQueries [{@link #windowQueries} x queryHeads * headDim] of the last new tokens, rotary embedding applied;
     *     null if none are needed
     */
    public void endLayer(AttentionShape shape, @Nullable Tensor windowQueries) {
        end();
        long start = System.nanoTime();
        LayerEntries entries = cache.layer(layer());
        if (balances()) {
            largest.balance(entries);
        }
        if (gated()) {
            for (HeadEntries head : entries.heads()) {
                dropHidden(head);
            }
        }
        requireQueries(windowQueries);
        dropUnseen(entries);
        if (policy.retention() instanceof Retention.FewChannels few) {
            new ChannelChoice(few).choose(entries, windowQueries, workers);
        }
        Tensor judgingQueries = policy.judgingQueries() > 0 ? windowQueries : null;
        WindowStatistics statistics = evidence.windowStatistics(shape, judgingQueries, judges());
        entries.dispersion = statistics == null ? 0 : statistics.entropy();
        entries.shift = statistics == null ? 0 : statistics.varianceSum();
        evidence.countAttention();
        if (Float.isNaN(entries.preference) || statistics == null || windowQueries() > 1) {
            entries.preference = policy.allocator().preference(statistics);
        }
        preferences[layer()] = entries.preference;
        entries.uncut(policy.allocator(), cache.lookback(), layer());
        entries.countedAt = 0;
        Observer told = observer;
        if (judges()) {
            PromptHead[] heads = evidence.heads(shape, statistics);
            float[][] layerScores = evidence.score(heads);
            scores.add(layerScores);
            judgedHeads.add(policy.selection().looksAgain() ? heads : withoutEvidence(heads));
            if (told != null) {
                told.scored(layer(), layerScores);
            }
        }
        Cut when = policy.schedule().prompt();
        if (cuts && (when != Cut.AT_END || layer() == cache.layerCount() - 1)) {
            cut();
        }
        stages[layer()] = counts();
        cache.settle(layer(), workers);
        cache.countPolicyTime(start);
    }

    /** What no later token can see leaves first, so that nothing is judged, kept or counted for it. */
    private void dropUnseen(LayerEntries entries) {
        int oldest = entries.oldest(tokensAfter);
        for (int head = 0; head < entries.heads().length && oldest > 0; head++) {
            evidence.dropFirst(head, entries.head(head).dropBelow(oldest));
        }
    }

    private void requireQueries(@Nullable Tensor windowQueries) {
        int queries = windowQueries();
        if (queries > 0 && (windowQueries == null || windowQueries.rows() != queries)) {
            throw new IllegalArgumentException(
                    "policy " + policy.name() + " needs the last " + queries + " queries, got " + windowQueries);
        }
    }

    private static PromptHead[] withoutEvidence(PromptHead[] heads) {
        PromptHead[] bare = new PromptHead[heads.length];
        Arrays.setAll(bare, head -> heads[head].withoutEvidence());
        return bare;
    }

    /** Gives every layer that was judged its count at this stage, earlier layers first: they make the room. */
    private void cut() {
        BudgetAllocator allocator = policy.allocator();
        int[] held = candidates.clone();
        for (int index = 0; index <= layer(); index++) {
            held[index] = Math.max(0, cache.layer(index).averageLength() - window);
        }
        Stage stage = new Stage(layer(), preferences, candidates, held, heldLater, tokensAfter, cache.lookback());
        int[] counts = allocator.allocate(stage);
        for (int index = 0; index <= layer(); index++) {
            if (counts[index] == granted[index]) {
                continue;
            }
            granted[index] = counts[index];
            LayerEntries entries = cache.layer(index);
            float[][] layerScores = scores.get(index);
            int[] perHead = allocator.heads(stage, index, counts[index], layerScores);
            System.arraycopy(perHead, 0, entries.counts, 0, perHead.length);
            entries.countedAt = tokensAfter;
            if (entries.windowInFront >= 0) {
                for (int head = 0; head < perHead.length; head++) {
                    recut(entries, head, perHead[head], layerScores);
                }
            } else {
                int windowSize = Math.min(window, entries.longest());
                PromptHead[] heads = judgedHeads.get(index);
                workers.run((worker, count) -> {
                    for (int head = worker; head < perHead.length; head += count) {
                        layerScores[head] = firstCut(entries.head(head), heads[head], layerScores[head], perHead[head]);
                    }
                });
                entries.windowInFront = windowSize;
                // Nobody looks twice, and it may hold the attention of a whole layer.
                judgedHeads.set(index, new PromptHead[0]);
            }
        }
    }

    private void recut(LayerEntries entries, int head, int count, float[][] layerScores) {
        if (count < layerScores[head].length) {
            entries.head(head).cutFrom(entries.windowInFront + count);
            layerScores[head] = Arrays.copyOf(layerScores[head], count);
        }
    }

    /** Keeps the window and those of the others that the policy chooses, in that order. Returns the kept scores. */
    private float[] firstCut(HeadEntries head, PromptHead judgedHead, float[] headScores, int count) {
        int judged = headScores.length;
        int[] chosen = policy.selection().choose(policy.scorer(), judgedHead, headScores, Math.min(count, judged));
        int windowSize = head.length() - judged;
        int[] sources = new int[windowSize + chosen.length];
        for (int i = 0; i < windowSize; i++) {
            sources[i] = judged + i;
        }
        float[] keptScores = new float[chosen.length];
        for (int i = 0; i < chosen.length; i++) {
            sources[windowSize + i] = chosen[i];
            keptScores[i] = headScores[chosen[i]];
        }
        head.arrange(sources, sources.length);
        return keptScores;
    }

    private int[] counts() {
        int[] counts = new int[layer() + 1];
        for (int index = 0; index <= layer(); index++) {
            long sum = 0;
            for (int count : cache.layer(index).counts) {
                sum += count;
            }
            counts[index] = (int) (sum / cache.layout().kvHeads());
        }
        return counts;
    }

    /** After each layer, what the layers so far may hold besides the window, per head; for tests and plots. */
    public int[][] stages() {
        int[][] copy = new int[layer() + 1][];
        for (int stage = 0; stage <= layer(); stage++) {
            copy[stage] = stages[stage] == null ? new int[0] : stages[stage].clone();
        }
        return copy;
    }

    /** Ends the pass: the new tokens belong to the text now. All layers must have had their turn. */
    public void finish() {
        end("the prompt ends");
        if (policy.schedule().eachStep()) {
            for (int index = 0; index < cache.layerCount(); index++) {
                LayerEntries entries = cache.layer(index);
                for (HeadEntries head : entries.heads()) {
                    if (entries.windowInFront >= 0) {
                        head.orderAfterCut(policy.order(), entries.windowInFront);
                    } else {
                        head.orderBySlot();
                    }
                }
            }
        }
        cache.finished(newTokens);
        if (cuts && policy.positions() == PositionRule.REROTATED) {
            cache.renumber(workers);
        }
    }
}
