package dev.layercake.kv;

import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.Retention;

/** The bounds of a turn after which all but recent tokens are held in another form. Every head of a layer is alike. */
final class TwoFormBounds implements PlanBounds {
    private final TierLayout tiers;
    private final Retention.RecentExact copy;
    private final boolean limited;
    private long peakEntries;
    private long peakPages;
    private final long keptEntries;
    private final long keptPages;

    TwoFormBounds(
            TierLayout tiers,
            Lookback lookback,
            Retention.RecentExact copy,
            int fetch,
            KvPlan.Held[] held,
            int tokensSeen,
            int promptTokens,
            int newTokens) {
        this.tiers = tiers;
        this.copy = copy;
        this.limited = lookback.limited();
        int tokensRead = KvPlan.tokens(tokensSeen, promptTokens);
        long entries = 0;
        long pages = 0;
        for (int layer = 0; layer < held.length; layer++) {
            boolean shifted = lookback.of(layer, tokensSeen) < tokensSeen;
            entries += held[layer].longest() + held[layer].low();
            pages += exactPages(held[layer].longest(), shifted) + lowPages(held[layer].low(), shifted);
        }
        peakEntries = entries;
        peakPages = pages;
        for (int layer = 0; layer < held.length; layer++) {
            boolean shiftedBefore = lookback.of(layer, tokensSeen) < tokensSeen;
            boolean shifted = lookback.of(layer, tokensRead) < tokensRead;
            int before = held[layer].longest();
            int low = held[layer].low();
            int staged = Math.addExact(before, promptTokens);
            int kept = copy.exact(Math.min(staged, lookback.of(layer)));
            long all = lookback.of(layer, (long) staged + low);
            peakEntries = Math.max(peakEntries, entries + promptTokens);
            // What moves lies in both tiers for a moment.
            pages += exactPages(staged, shifted) - exactPages(before, shiftedBefore);
            pages += Math.max(lowPages(all - kept, shifted), lowPages(low, shifted)) - lowPages(low, shiftedBefore);
            peakPages = Math.max(peakPages, pages);
            pages += exactPages(kept, shifted) - exactPages(staged, shifted);
            entries += all - before - low;
        }
        keptEntries = entries;
        keptPages = pages;
        if (newTokens > 0) {
            decode(lookback, fetch, held, tokensRead, promptTokens, newTokens);
        }
    }

    private void decode(
            Lookback lookback, int fetch, KvPlan.Held[] held, int tokensRead, int promptTokens, int newTokens) {
        int mostExact = Math.addExact(copy.residual(), copy.group()) - 1;
        // A guess stands behind the newest token, and what is fetched is fetched twice.
        long guess = fetch > 0 ? 1 : 0;
        long entries = 0;
        long pages = 0;
        for (int layer = 0; layer < held.length; layer++) {
            // While a token looks, its own entry is there besides what it sees.
            long most = lookback.of(layer) == Lookback.UNLIMITED ? Long.MAX_VALUE : lookback.of(layer) + 1L;
            long text = (long) tokensRead + newTokens;
            boolean shifted = lookback.of(layer, text) < text;
            long exact = (long) held[layer].longest() + promptTokens + newTokens;
            long low = held[layer].low() + Math.max(0, exact - copy.residual());
            low = Math.min(low, Math.max(0, most - copy.residual()));
            entries += Math.min(held[layer].low() + exact, most) + 1;
            pages += exactPages(Math.min(Math.min(exact, most), mostExact + 1L) + guess, shifted);
            pages += lowPages(low, shifted);
            pages += 2 * exactPages(Math.min(low, fetch), false);
        }
        peakEntries = Math.max(peakEntries, entries);
        peakPages = Math.max(peakPages, pages);
    }

    private long exactPages(long entries, boolean shifted) {
        return PlanPages.of(entries, tiers.rowsPerPage(), shifted);
    }

    private long lowPages(long entries, boolean shifted) {
        return PlanPages.of(entries, tiers.lowRowsPerPage(), shifted);
    }

    @Override
    public long peakEntries() {
        return peakEntries;
    }

    @Override
    public long peakPages() {
        return peakPages;
    }

    @Override
    public long keptEntries() {
        return keptEntries;
    }

    @Override
    public long keptPages() {
        return keptPages;
    }

    /** Where a sliding window takes entries away, the exact ones are as many as are left, and groups begin elsewhere. */
    @Override
    public long slowTokens(long textTokens) {
        int text = (int) Math.min(Integer.MAX_VALUE, textTokens);
        return limited ? Math.max(0, (long) text - copy.residual()) : (long) text - copy.exact(text);
    }
}
