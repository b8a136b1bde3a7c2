package dev.layercake.kv.policy;

/**
 * When entries are cut.
 *
 * @param prompt while a prompt passes through the layers
 * @param eachStep whether a decode step evicts what exceeds a layer's count
 */
public record Schedule(Cut prompt, boolean eachStep) {
    /** When a prompt's entries are cut. */
    public enum Cut {
        /** Never. */
        NEVER,
        /** Each layer after its own attention, once. */
        EACH_LAYER,
        /** Each layer after its own attention, and the layers before it again. */
        CASCADE,
        /** All layers after the last one; memory is not bounded until then. */
        AT_END
    }

    /** Nothing is ever cut. */
    public static final Schedule NEVER = new Schedule(Cut.NEVER, false);

    /** Each layer is cut after the prompt and grows while decoding. */
    public static final Schedule AFTER_PROMPT = new Schedule(Cut.EACH_LAYER, false);

    /** Each layer is cut after the prompt and again in every decode step. */
    public static final Schedule ALWAYS = new Schedule(Cut.EACH_LAYER, true);
}
