package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Lookback;
import org.jspecify.annotations.Nullable;

/**
 * The pass of the newest token and of a guess of the next one through all layers (SpeCache, Jie et al., ICML 2025, arXiv
 * 2503.16163; no official code):
 *
 * <pre>
 * for each layer:  rows = append(layer, keys, values)                 not if it only looks ahead
 *                  tokenProbabilities = step.tokenProbabilities(shape)
 *                  kernels.attendOne(shape, rows, query, position(), out, tokenProbabilities, workers)
 *                  rows = appendGuess(layer, guessedKeys, guessedValues)
 *                  probabilities = step.probabilities(shape)
 *                  kernels.attendOne(shape, rows, guessedQuery, guessPosition(), out, probabilities, workers)
 *                  endLayer(probabilities, tokenProbabilities)
 * finish()
 * </pre>
 *
 * <p>Only the newest token's entry stays. The guess tells what the next step will look at: those entries' exact pairs are
 * fetched while later layers compute. Nothing depends on the guess being right but which pairs these are.
 */
public final class SpeculativeStep extends LayerPass {
    private final Prefetch prefetch;
    private final boolean commits;
    private final Kernels kernels;
    private final Workers workers;

    /** @param commits whether a token is added; otherwise it only looks ahead */
    SpeculativeStep(KvCache cache, Prefetch prefetch, boolean commits, Kernels kernels, Workers workers) {
        super(cache, "the step");
        this.prefetch = prefetch;
        this.commits = commits;
        this.kernels = kernels;
        this.workers = workers;
    }

    /** Position of the newest token. */
    public int position() {
        return cache.tokensSeen();
    }

    /** Position of the guess: one more, or the newest token's own if the step only looks ahead. */
    public int guessPosition() {
        return position() + (commits ? 1 : 0);
    }

    /**
     * Adds the newest token's entry to every head of the next layer.
     *
     * @param index the layer, one more than the last one
     * @param keys [1 x kvHeads * headDim] float32, rotary embedding applied; {@code values} likewise
     * @return the layer's entries, one element per KV head
     */
    public KvRows[] append(int index, Tensor keys, Tensor values) {
        if (!commits) {
            throw new IllegalStateException("a step that looks ahead adds no token");
        }
        arrive(index);
        return add(position(), keys, values);
    }

    /** Adds the guess's entry, until the layer ends; as {@link #append}. */
    public KvRows[] appendGuess(int index, Tensor keys, Tensor values) {
        if (!commits) {
            arrive(index);
        }
        require(inLayer() && index == layer(), "a guess");
        return add(guessPosition(), keys, values);
    }

    private void arrive(int index) {
        begin(index);
        prefetch.arrive(layer(), cache.layer(layer()));
    }

    private KvRows[] add(int position, Tensor keys, Tensor values) {
        LayerEntries entries = cache.layer(layer());
        for (HeadEntries head : entries.heads()) {
            head.append(position, position, 1);
        }
        entries.store(1, keys, values, kernels, workers);
        return entries.rows();
    }

    /** Where the newest token's attention must leave its probabilities for {@link #endLayer}; null if nobody judges by them. */
    public @Nullable Tensor tokenProbabilities(AttentionShape shape) {
        require(inLayer() && commits, "the newest token's probabilities are asked for");
        return cache.judge().probabilities(shape, cache.layer(layer()), position() + 1);
    }

    /** Where the guess's attention must leave its probabilities, on all runs of each head, for {@link #endLayer}. */
    public Tensor probabilities(AttentionShape shape) {
        require(inLayer(), "probabilities are asked for");
        return prefetch.probabilities(shape.queryHeads(), cache.layer(layer()));
    }

    /**
     * Takes the guess back, lets the policy evict what is too much, and begins to fetch what the guess looked at.
     *
     * @param probabilities of the guess
     * @param tokenProbabilities of the newest token; null if there is none, or {@link #tokenProbabilities} was null
     */
    public void endLayer(Tensor probabilities, @Nullable Tensor tokenProbabilities) {
        end();
        LayerEntries entries = cache.layer(layer());
        HeadEntries first = entries.head(0);
        int staying = first.length() - 1 - first.countBelow(entries.oldest(position() + 1));
        int leaving = commits ? cache.leaving(staying) : 0;
        int[][] wanted = prefetch.choose(layer(), entries, probabilities, leaving);
        boolean slotsChange = commits && entries.lookback() != Lookback.UNLIMITED;
        for (int head = 0; head < wanted.length; head++) {
            entries.head(head).takeBack();
            entries.head(head).markLow();
            if (slotsChange) {
                wanted[head] = entries.head(head).positionsInLow(wanted[head]);
            }
        }
        if (commits) {
            entries.evict(cache, layer(), tokenProbabilities, workers);
            cache.settle(layer(), workers);
        }
        int[] known = new int[wanted.length];
        for (int head = 0; head < known.length; head++) {
            known[head] = entries.head(head).markedLow() + leaving;
            if (slotsChange) {
                wanted[head] = entries.head(head).slotsInLow(wanted[head]);
            }
        }
        prefetch.request(layer(), entries, wanted, known);
    }

    /** Ends the pass: the newest token belongs to the text now, unless this only looked ahead. */
    public void finish() {
        end("the step ends");
        cache.finished(commits ? 1 : 0);
    }
}
