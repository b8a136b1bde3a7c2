package dev.layercake.kv.policy;

/**
 * What is known when a layer of a prompt has been judged. Counts are entries per KV head, the window excluded.
 *
 * <p>In the first turn of a conversation the candidates are the same in every layer, but for layers with a sliding window,
 * which have no more than what later tokens see. In a later turn a layer's candidates
 * are what it kept, plus the new tokens, minus the window; and the layers that have not had their turn yet still hold
 * entries, which this stage cannot give away: so that the memory stays under "total budget + one layer", they are taken
 * off the {@link #total}.
 */
public final class Stage {
    private final int layer;
    private final float[] preferences;
    private final int[] candidates;
    private final int[] held;
    private final long heldLater;
    private final int tokens;
    private final Lookback lookback;

    /**
     * @param layer the layer just judged; layers {@code [0, layer]} share the budget now
     * @param preferences of at least these layers
     * @param candidates of every layer of the model, none that later tokens do not see
     * @param held what each layer holds now; for the layer just judged, all its candidates
     * @param heldLater entries, windows excluded, that the layers after this one still hold from earlier turns
     * @param tokens of the text, this prompt included
     * @param lookback of every layer
     */
    public Stage(
            int layer,
            float[] preferences,
            int[] candidates,
            int[] held,
            long heldLater,
            int tokens,
            Lookback lookback) {
        if (layer < 0
                || layer >= candidates.length
                || preferences.length <= layer
                || held.length <= layer
                || heldLater < 0) {
            throw new IllegalArgumentException("layer " + layer + " of " + candidates.length + ", " + preferences.length
                    + " preferences, " + heldLater + " entries held later");
        }
        this.layer = layer;
        this.preferences = preferences.clone();
        this.candidates = candidates.clone();
        this.held = held.clone();
        this.heldLater = heldLater;
        this.tokens = tokens;
        this.lookback = lookback;
    }

    /** A stage at which nothing was cut before, of a model without sliding windows. */
    public Stage(int layer, float[] preferences, int[] candidates, long heldLater, int tokens) {
        this(layer, preferences, candidates, candidates, heldLater, tokens, Lookback.unlimited(candidates.length));
    }

    /** How far the layers look back. */
    public Lookback lookback() {
        return lookback;
    }

    /** Tokens of the text, this prompt included. */
    public int tokens() {
        return tokens;
    }

    /** Layers of the model. */
    public int layers() {
        return candidates.length;
    }

    /** Layers that share the budget at this stage, the first ones of the model. */
    public int seen() {
        return layer + 1;
    }

    /** The claim of a layer below {@link #seen}, as a number that can be compared and divided. */
    public double preference(int index) {
        if (index > layer) {
            throw new IndexOutOfBoundsException("preference of layer " + index + " at the stage of layer " + layer);
        }
        float preference = preferences[index];
        return preference > 0 ? Math.min(preference, Float.MAX_VALUE) : 0;
    }

    /** Entries of a layer, any of the model's, that the policy judges. */
    public int candidates(int index) {
        return candidates[index];
    }

    /** Of a layer's candidates, those that earlier stages have left; the layer is below {@link #seen}. */
    public int held(int index) {
        return held[index];
    }

    /** Candidates of the first so many layers of the model together. */
    public long candidatesOfFirst(int layers) {
        long sum = 0;
        for (int index = 0; index < layers; index++) {
            sum += candidates[index];
        }
        return sum;
    }

    /** What this stage may give away if the whole model may keep {@code count} entries per layer. */
    public long total(int count) {
        return total(count, 0);
    }

    /**
     * What this stage may give away.
     *
     * @param budget entries per layer that the whole model may keep
     * @param window of these that every layer has for sure; what a layer that looks back less far cannot hold of it is given
     *     away too
     */
    public long total(int budget, int window) {
        return Math.max(0, (long) (budget - window) * layers() + lookback.unusable(window) - heldLater);
    }
}
