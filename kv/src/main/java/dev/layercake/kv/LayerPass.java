package dev.layercake.kv;

/**
 * A pass of tokens through all layers of a cache, one after the other: which layer it is at, and what may happen now. A pass
 * that is closed before it is over leaves layers of different states behind, so it empties the sequence.
 */
abstract sealed class LayerPass implements AutoCloseable permits KvPrefill, KvStep, SpeculativeStep, ContextReplay {
    final KvCache cache;
    private final String name;
    private int layer = -1;
    private boolean inLayer;
    private boolean over;

    /** @param name of the pass in messages: "the prefill" */
    LayerPass(KvCache cache, String name) {
        this.cache = cache;
        this.name = name;
    }

    /** The layer that is running, or that was last. */
    final int layer() {
        return layer;
    }

    final boolean inLayer() {
        return inLayer;
    }

    /** Begins a layer, which must be the one after the last. */
    final void begin(int index) {
        require(!over && !inLayer && index == layer + 1 && index < cache.layerCount(), "layer " + index + " begins");
        layer = index;
        inLayer = true;
    }

    /** Ends the layer that is running. */
    final void end() {
        require(inLayer, "a layer ends");
        inLayer = false;
    }

    /** Ends the pass, which must have gone through all layers. */
    final void end(String what) {
        require(!over && !inLayer && layer == cache.layerCount() - 1, what);
        over = true;
    }

    /** @param expected whether {@code what} may happen now */
    final void require(boolean expected, String what) {
        if (!expected) {
            throw new IllegalStateException(
                    what + ", but " + name + " is " + (over ? "over" : (inLayer ? "in" : "after") + " layer " + layer));
        }
    }

    /** Does nothing once the pass is finished; before, it gives the pass up and empties the sequence. */
    @Override
    public final void close() {
        if (!over) {
            over = true;
            inLayer = false;
            cache.aborted();
        }
    }
}
