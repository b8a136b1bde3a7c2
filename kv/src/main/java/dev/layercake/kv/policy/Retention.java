package dev.layercake.kv.policy;

/** What happens to the entries that are not kept. */
public enum Retention {
    /** They are forgotten, and their memory goes back to the pool. */
    DROP
}
