package dev.layercake.kv;

/** Upper bounds on what a turn will hold, in entries and pages per KV head, summed over the layers. */
interface PlanBounds {
    /** The most entries at a time. */
    long peakEntries();

    /** The most pages at a time. */
    long peakPages();

    /** Entries after the prompt. */
    long keptEntries();

    /** Pages after the prompt. */
    long keptPages();

    /** Of a text of so many tokens, how many may lie in a slow tier in the end. */
    long slowTokens(long textTokens);
}
