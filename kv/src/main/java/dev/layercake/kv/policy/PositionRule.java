package dev.layercake.kv.policy;

/**
 * Which position the rotary embedding of a kept entry says it has. Where it lies in the text ({@code positions}) is never
 * changed by this, and neither is how many tokens were seen.
 */
public enum PositionRule {
    /** That of its token in the text. */
    ORIGINAL,
    /**
     * Its place among what is kept, at every moment: a query is never farther from an entry than there are entries. A
     * prompt that exceeds the budget is read token by token.
     */
    SLOT,
    /** Its place among what is kept when a prompt was cut; new tokens go on from there. */
    REROTATED
}
