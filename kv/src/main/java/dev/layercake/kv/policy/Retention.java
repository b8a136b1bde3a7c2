package dev.layercake.kv.policy;

/** What happens to the entries that a scorer and a budget do not keep. */
public sealed interface Retention {
    /** They are forgotten, and their memory goes back to the pool. */
    Retention DROP = new Drop();

    /** See {@link #DROP}. */
    record Drop() implements Retention {}

    /**
     * They stay in a few bits, and attention reads them along with the others: MiKV (Yang et al., arXiv 2402.18096; no
     * official code). Each key and each value has two groups, its halves, with a float16 scale and offset each. An entry
     * never comes back from the low tier, and is not judged there.
     *
     * <p>Deviations: with {@link High#EIGHT_BITS} the running prompt is read in 8 bits too, and the balancer is applied to
     * the low tier only.
     *
     * @param bits per element, 2 to 4
     * @param balanced whether keys are multiplied, channel by channel, with sqrt(max |q| / max |k|) of the first prompt
     *     before they are rounded, so that channels of large keys do not take all the levels
     * @param high what the other entries are kept in
     */
    record LowBit(int bits, boolean balanced, High high) implements Retention {
        public LowBit {
            if (bits < 2 || bits > 4) {
                throw new IllegalArgumentException(bits + " bits");
            }
        }
    }

    /** The type of the entries that are kept while the others go to few bits. */
    enum High {
        /** The cache's own. */
        CACHE,
        /** 8 bits. */
        EIGHT_BITS
    }
}
