package dev.layercake.kv.policy;

/**
 * When entries are cut.
 *
 * @param prompt while a prompt passes through the layers
 * @param steps a decode step evicts once a head holds so many entries more than its count; 0 if none ever does
 */
public record Schedule(Cut prompt, int steps) {
    /** When a prompt's entries are cut. */
    public enum Cut {
        /** Never. */
        NEVER,
        /** Each layer after its own attention, once. */
        EACH_LAYER,
        /** Each layer after its own attention, and the layers before it again. */
        CASCADE,
        /** All layers after the last one; memory is not bounded until then. */
        AT_END,
        /** All layers at once, after the model has repeated the text; memory is not bounded until then. */
        AFTER_REPLAY
    }

    /** Nothing is ever cut. */
    public static final Schedule NEVER = new Schedule(Cut.NEVER, 0);

    /** Each layer is cut after the prompt and grows while decoding. */
    public static final Schedule AFTER_PROMPT = new Schedule(Cut.EACH_LAYER, 0);

    /** Each layer is cut after the prompt and again in every decode step. */
    public static final Schedule ALWAYS = new Schedule(Cut.EACH_LAYER, 1);

    /** All layers are cut once the model has repeated the text, and grow while decoding. */
    public static final Schedule AFTER_REPLAY = new Schedule(Cut.AFTER_REPLAY, 0);

    /** Whether decode steps evict. */
    public boolean eachStep() {
        return steps > 0;
    }

    /** Entries that a head may hold beyond its count between two evictions. */
    public int spare() {
        return Math.max(0, steps - 1);
    }
}
