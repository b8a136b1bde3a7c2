package dev.layercake.kv;

import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.Retention;
import java.util.Arrays;

/**
 * What a turn will need of KV memory, known before it starts: upper bounds that a real run never exceeds, whatever the
 * text. Entries are counted over all layers and heads, in whatever tier; bytes include the rounding to whole pages.
 *
 * @param peakEntries the most entries at a time, during the prompt or while decoding
 * @param peakBytes the most bytes at a time: what to reserve
 * @param keptEntries entries left after the prompt
 * @param keptBytes bytes left after the prompt
 * @param fullEntries what a full cache would hold in the end
 * @param fullBytes what a full cache would take in the end
 * @param slowBytes what is taken outside of the pool in the end, in a file or in RAM
 */
public record KvPlan(
        long peakEntries,
        long peakBytes,
        long keptEntries,
        long keptBytes,
        long fullEntries,
        long fullBytes,
        long slowBytes) {

    /** The plan of a first turn, in a pool with the default page size. */
    public static KvPlan of(KvLayout layout, KvPolicy policy, int promptTokens, int newTokens) {
        return of(layout, KvPool.DEFAULT_ROWS_PER_PAGE, policy, promptTokens, newTokens);
    }

    /**
     * The plan of a first turn.
     *
     * @param promptTokens tokens of the prompt, at least 1
     * @param newTokens tokens that will be decoded at most
     */
    public static KvPlan of(KvLayout layout, int rowsPerPage, KvPolicy policy, int promptTokens, int newTokens) {
        Held[] nothing = new Held[layout.layers()];
        Arrays.fill(nothing, Held.NOTHING);
        return of(layout, rowsPerPage, policy, nothing, 0, promptTokens, newTokens);
    }

    /**
     * What a layer holds before a turn, in entries per head.
     *
     * @param longest of the head that holds most in full
     * @param average in full, rounded up
     * @param low of the head that holds most in few bits
     * @param longestAfter as {@code longest}, of the entries that the layer still sees after the turn's prompt
     * @param averageAfter likewise
     */
    record Held(int longest, int average, int low, int longestAfter, int averageAfter) {
        static final Held NOTHING = new Held(0, 0, 0, 0, 0);
    }

    /**
     * The plan of any turn.
     *
     * @param before what each layer holds now
     * @param tokensSeen tokens of the turns before
     */
    static KvPlan of(
            KvLayout layout,
            int rowsPerPage,
            KvPolicy policy,
            Held[] before,
            int tokensSeen,
            int promptTokens,
            int newTokens) {
        if (promptTokens < 0 || newTokens < 0) {
            throw new IllegalArgumentException(promptTokens + " prompt tokens, " + newTokens + " new tokens");
        }
        KvCache.requireShape(policy, layout);
        TierLayout tiers = TierLayout.of(layout, rowsPerPage, policy);
        int tokensRead = tokens(tokensSeen, promptTokens);
        long fullTokens = (long) tokensSeen + promptTokens + newTokens;
        Lookback lookback = layout.lookback();
        long fullEntries = 0;
        long fullPages = 0;
        for (int layer = 0; layer < layout.layers(); layer++) {
            long held = lookback.of(layer, fullTokens);
            fullEntries += held;
            fullPages += PlanPages.of(held, rowsPerPage, held < fullTokens);
        }
        PlanBounds bounds = policy.retention() instanceof Retention.RecentExact recent
                ? new TwoFormBounds(tiers, lookback, recent, fetch(policy), before, tokensSeen, promptTokens, newTokens)
                : new TurnBounds(policy, tiers, lookback, before, promptTokens, newTokens, tokensRead);
        long pageBytes = KvPool.pageBytes(layout, rowsPerPage);
        long heads = layout.kvHeads();
        // Whatever stays was there before, and a policy that only drops never holds more than one that does not.
        long keptPages = Math.min(bounds.keptPages(), bounds.peakPages());
        if (policy.retention() instanceof Retention.Drop) {
            keptPages = Math.min(keptPages, fullPages);
        }
        return new KvPlan(
                heads * bounds.peakEntries(),
                heads * bounds.peakPages() * pageBytes,
                heads * Math.min(bounds.keptEntries(), Math.min(bounds.peakEntries(), fullEntries)),
                heads * keptPages * pageBytes,
                heads * fullEntries,
                heads * fullPages * pageBytes,
                fetch(policy) == 0 ? 0 : SlowCopy.bytes(layout, bounds.slowTokens(fullTokens)));
    }

    /** Exact pairs per head that are fetched for each token. */
    static int fetch(KvPolicy policy) {
        return policy.retention() instanceof Retention.Fetching fetching ? fetching.fetch() : 0;
    }

    /** Tokens of two parts of a text; a text never has more than {@link Integer#MAX_VALUE}, whatever is asked for. */
    static int tokens(int first, int second) {
        return (int) Math.min(Integer.MAX_VALUE, (long) first + second);
    }
}
