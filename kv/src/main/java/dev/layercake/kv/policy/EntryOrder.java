package dev.layercake.kv.policy;

/**
 * The order in which a decode step sees the entries of a head, where it matters: a scorer that pools along the cache mixes
 * neighbours in this order.
 */
public enum EntryOrder {
    /** Ascending positions: neighbours in the cache are neighbours in the text. */
    POSITION,
    /** The kept entries by descending score, then the window: what CAKE's published code does. */
    OFFICIAL
}
