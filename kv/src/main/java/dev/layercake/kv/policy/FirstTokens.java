package dev.layercake.kv.policy;

/**
 * First tokens of a text that are kept whatever their keys say, as attention sinks (Xiao et al., arXiv 2309.17453).
 *
 * <p>Methods that look at keys alone know of none as published, and none are kept unless a spec says so, but in the global
 * layers of a model with sliding windows: nowhere else can the first token still be seen. Gemma 3 270M: {@code knorm} drops it
 * in two of three such layers, {@code keydiff} in one, and both were then worse than a random sample; the first four tokens
 * kept there made half and a third of their error (docs/policies.md).
 *
 * @param everywhere in all layers
 * @param global in layers that see everything where others do not
 */
record FirstTokens(int everywhere, int global) {
    /** As published, but for global layers beside sliding ones. */
    private static final int GLOBAL = 4;

    /** Those that the setting {@code sinks} names, or the usual ones. */
    static FirstTokens of(Settings settings) {
        if (!settings.has("sinks")) {
            return new FirstTokens(0, GLOBAL);
        }
        settings.budgetOver("sinks", 0);
        int sinks = settings.whole("sinks");
        return new FirstTokens(sinks, sinks);
    }

    boolean holds(PromptHead head, int entry) {
        return head.position(entry) < (head.global() ? global : everywhere);
    }
}
