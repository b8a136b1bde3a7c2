package dev.layercake.model.tokenizer;

/** Which two neighbours byte pair encoding may merge, into what, and which first. */
sealed interface Merges permits ListedMerges, ScoredMerges {
    /** No merge; greater than every merge. */
    long NONE = Long.MAX_VALUE;

    int ID_BITS = 31;
    long ID_MASK = (1L << ID_BITS) - 1;

    /**
     * The merge of two tokens: its rank in the upper bits (32 bits, lower ranks are merged first) and the token that both
     * become in the lower {@value #ID_BITS}; or {@link #NONE}.
     */
    long of(int left, int right);
}
