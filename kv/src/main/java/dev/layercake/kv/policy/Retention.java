package dev.layercake.kv.policy;

/** What happens to the entries that a scorer and a budget do not keep. */
public sealed interface Retention {
    /** What is not kept may lie exact in a slower tier as well, from which a few pairs are fetched for each token. */
    sealed interface Fetching extends Retention {
        /** Exact pairs per head that are fetched for each token; 0 for none, which needs no slow tier. */
        int fetch();

        /** Whether the slow tier is a file; otherwise it is main memory outside of the pool. */
        boolean inFile();
    }

    /** All but the most recent entries are kept in another form. */
    sealed interface RecentExact extends Retention {
        /** Recent tokens that are exact. */
        int residual();

        /** Tokens that change form together. */
        int group();

        /** Of so many entries, how many are exact: the residual and what does not fill a group. */
        default int exact(int entries) {
            return entries <= residual() ? entries : residual() + (entries - residual()) % group();
        }
    }

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
     * @param fetch exact pairs per head that are fetched for each token, SpeCache's way; 0 for none
     * @param inFile whether the slow tier is a file, if pairs are fetched
     */
    record LowBit(int bits, boolean balanced, High high, int fetch, boolean inFile) implements Fetching {
        public LowBit {
            if (bits < 2 || bits > 4 || fetch < 0 || (fetch > 0 && high != High.CACHE)) {
                throw new IllegalArgumentException(bits + " bits under " + high + ", " + fetch + " fetched");
            }
        }
    }

    /**
     * All but the most recent entries are held in few bits, and the exact ones in a slower tier, from which those that the
     * next token will look at are fetched: SpeCache (Jie et al., ICML 2025, arXiv 2503.16163; no official code). Keys have a
     * scale per channel and group of tokens, values one per token and group of channels, as in KIVI (arXiv 2402.02750).
     *
     * <p>Deviations: the slow tier holds only what the pool holds in few bits; an entry's key and value change tiers together, a group of tokens at a time, so that between residual
     * and residual + group - 1 tokens are exact; a later prompt reads what is held in few bits as it is, and what was
     * fetched is fetched anew after it. Entries that have just left the residual can be fetched for the next token already.
     *
     * @param bits per element, 1 or 2
     * @param fetch exact pairs per head that are fetched for each token; 0 for none, which is KIVI and needs no slow tier
     * @param residual recent tokens that are exact
     * @param group tokens that share a channel's scale in keys, and channels that share a token's scale in values
     * @param inFile whether the slow tier is a file; otherwise it is main memory outside of the pool
     */
    record LowCopy(int bits, int fetch, int residual, int group, boolean inFile) implements RecentExact, Fetching {
        public LowCopy {
            if (bits < 1 || bits > 2 || fetch < 0 || residual < 0 || group < 1) {
                throw new IllegalArgumentException(
                        bits + " bits, " + fetch + " fetched, " + residual + " exact, groups of " + group);
            }
        }
    }

    /**
     * They stay, but of their keys only the channels that matter: ThinK (Xu et al., ICLR 2025, arXiv 2407.21018; NVIDIA/kvpress).
     * A channel matters as much as the mean square of its last queries, over the group's heads, times the mean square of
     * its keys. The first prompt chooses, for good.
     *
     * <p>Deviations: kvpress writes zeros where this frees memory, in the keys of the prompt only; here entries lose the same
     * channels when they are no longer recent, also while decoding, as in the paper.
     *
     * @param ratio of a key's channels that are dropped
     * @param window last queries that choose
     * @param residual recent tokens whose keys are whole
     * @param group tokens that lose channels together
     */
    record FewChannels(double ratio, int window, int residual, int group) implements RecentExact {
        public FewChannels {
            if (!(ratio >= 0 && ratio < 1) || window < 1 || residual < 0 || group < 1) {
                throw new IllegalArgumentException(
                        ratio + " dropped by " + window + " queries, " + residual + " exact, groups of " + group);
            }
        }

        /** Of so many channels, how many are kept. */
        public int kept(int channels) {
            return channels - (int) (channels * ratio + 1e-9);
        }
    }

    /**
     * They stay, but a decode step reads only the pages that can matter most to its query: Quest (Tang et al., ICML 2024,
     * arXiv 2406.10774; mit-han-lab/quest). A page's worth to a query is the most that a key within the page's channel-wise
     * bounds could give it. Nothing is saved but time; prompts read everything.
     *
     * <p>Deviations: the query heads of a group share one choice, by the best of their worths, so that an entry is read once
     * for all of them (the published code has no groups); the newest page is read in any case and counts.
     *
     * @param budget entries that a head reads, in whole pages; at least one page is read
     * @param page entries of a page
     * @param dense layers, the first ones, that read everything
     */
    record ReadFew(int budget, int page, int dense) implements Retention {
        public ReadFew {
            if (budget < 1 || page < 1 || dense < 0) {
                throw new IllegalArgumentException(
                        budget + " entries in pages of " + page + ", " + dense + " dense layers");
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
