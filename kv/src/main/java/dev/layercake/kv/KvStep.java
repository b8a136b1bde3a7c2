package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import org.jspecify.annotations.Nullable;

/**
 * The pass of one new token through all layers:
 *
 * <pre>
 * for each layer:  rows = append(layer, keys, values)
 *                  look(shape, query)
 *                  probabilities = step.probabilities(shape)
 *                  kernels.attendOne(shape, rows, query, position(), out, probabilities, workers)
 *                  endLayer(probabilities)
 * finish()
 * </pre>
 */
public final class KvStep extends LayerPass {
    private final Kernels kernels;
    private final Workers workers;

    KvStep(KvCache cache, Kernels kernels, Workers workers) {
        super(cache, "the step");
        this.kernels = kernels;
        this.workers = workers;
    }

    /** Position of the new token in the text. */
    public int position() {
        return cache.tokensSeen();
    }

    /**
     * Adds the token's entry to every head of the next layer.
     *
     * @param index the layer, one more than the last one
     * @param keys [1 x kvHeads * headDim] float32, rotary embedding applied; {@code values} likewise
     * @return the layer's entries, one element per KV head
     */
    public KvRows[] append(int index, Tensor keys, Tensor values) {
        begin(index);
        LayerEntries entries = cache.layer(layer());
        entries.append(cache, layer(), keys, values, kernels, workers);
        return entries.rows();
    }

    /**
     * Lets the policy choose what of the running layer the token's attention reads.
     *
     * @param query [1 x queryHeads * headDim] float32, rotary embedding applied
     */
    public void look(AttentionShape shape, Tensor query) {
        require(inLayer(), "the token looks");
        PageChoice pages = cache.pages();
        if (pages != null) {
            long start = System.nanoTime();
            pages.choose(layer(), cache.layer(layer()), shape, query, position(), kernels, workers);
            cache.countPolicyTime(start);
        }
    }

    /** Where attention must leave its probabilities for {@link #endLayer}; null if this layer does not need them now. */
    public @Nullable Tensor probabilities(AttentionShape shape) {
        require(inLayer(), "probabilities are asked for");
        return cache.judge().probabilities(shape, cache.layer(layer()), position() + 1);
    }

    /**
     * Lets the policy evict what is too much in the running layer.
     *
     * @param probabilities what {@link #probabilities} returned, filled by the attention
     */
    public void endLayer(@Nullable Tensor probabilities) {
        end();
        long start = System.nanoTime();
        PageChoice pages = cache.pages();
        if (pages != null) {
            pages.release(cache.layer(layer()));
        }
        cache.layer(layer()).evict(cache, layer(), probabilities, workers);
        cache.settle(layer(), workers);
        cache.countPolicyTime(start);
    }

    /** Ends the pass: the token belongs to the text now. */
    public void finish() {
        end("the step ends");
        cache.finished(1);
    }
}
