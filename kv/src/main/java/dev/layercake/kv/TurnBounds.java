package dev.layercake.kv;

import dev.layercake.kv.policy.BudgetAllocator;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.Schedule.Cut;
import dev.layercake.kv.policy.Stage;
import org.jspecify.annotations.Nullable;

/** Walks through the layers of a turn as the cache will, with the most that each stage may leave; per head. */
final class TurnBounds implements PlanBounds {
    private final KvPolicy policy;
    private final TierLayout tiers;
    private final Lookback lookback;
    private final int rowsPerPage;
    private final int layers;
    private final int tokensRead;
    private final int newTokens;
    /** Heads of different lengths fill their last pages differently: a page per head more than the average needs. */
    private final int raggedPages;

    /** Whether there may be entries in the low tier. */
    private final boolean demotes;

    /** What each layer holds while it runs. */
    private final int[] staged;

    /** What each layer can see after the prompt, of what it would hold in full. */
    private final int[] seen;

    private long peak;
    private long peakPages;
    private final long keptInFull;
    private final long keptLow;
    private final long keptPages;

    TurnBounds(
            KvPolicy policy,
            TierLayout tiers,
            Lookback lookback,
            KvPlan.Held[] held,
            int promptTokens,
            int newTokens,
            int tokensRead) {
        this.policy = policy;
        this.tiers = tiers;
        this.lookback = lookback;
        this.rowsPerPage = tiers.rowsPerPage();
        this.layers = held.length;
        this.tokensRead = tokensRead;
        this.newTokens = newTokens;
        this.raggedPages = policy.allocator().ragged() ? 1 : 0;
        this.staged = new int[layers];
        this.seen = new int[layers];
        int window = policy.scorer().window();
        int[] candidates = new int[layers];
        int[] judged = new int[layers];
        long heldLater = 0;
        long heldLaterBesideWindow = 0;
        long averageLaterBesideWindow = 0;
        long lowLater = 0;
        int longestStaged = 0;
        for (int layer = 0; layer < layers; layer++) {
            staged[layer] = Math.addExact(held[layer].longest(), promptTokens);
            seen[layer] = Math.min(Math.addExact(held[layer].longestAfter(), promptTokens), lookback.of(layer));
            if (policy.readsAsStream(tokensRead)) {
                // Read token by token: a layer never holds more than the budget and the newest token.
                staged[layer] = Math.min(staged[layer], policy.allocator().budget() + 1);
                seen[layer] = Math.min(seen[layer], policy.allocator().budget() + 1);
            }
            candidates[layer] = Math.max(0, seen[layer] - window);
            int average = Math.min(Math.addExact(held[layer].averageAfter(), promptTokens), lookback.of(layer));
            judged[layer] = Math.max(0, average - window);
            heldLater += held[layer].longest();
            heldLaterBesideWindow += Math.max(0, held[layer].longest() - window);
            averageLaterBesideWindow += Math.max(0, held[layer].average() - window);
            lowLater += held[layer].low();
            longestStaged = Math.max(longestStaged, staged[layer]);
        }
        BudgetAllocator allocator = policy.allocator();
        boolean steps = policy.schedule().eachStep() && newTokens > 0;
        Cut cut = promptTokens == 0 ? Cut.NEVER : policy.schedule().prompt();
        Stage before = stage(layers - 1, candidates, 0);
        boolean cuts = cut != Cut.NEVER && !allocator.keepsAll(before);
        boolean cutsAtOnce = cuts && cut != Cut.AT_END && cut != Cut.AFTER_REPLAY;
        this.demotes = tiers.hasLow() && (cuts || steps || lowLater > 0);
        long windows = 0;
        long seenBefore = 0;
        long allBefore = 0;
        long left = 0;
        long low = lowLater;
        for (int layer = 0; layer < layers; layer++) {
            heldLater -= held[layer].longest();
            heldLaterBesideWindow -= Math.max(0, held[layer].longest() - window);
            averageLaterBesideWindow -= Math.max(0, held[layer].average() - window);
            lowLater -= held[layer].low();
            long others = left + heldLater;
            // An entry that changes tiers lies in both for a moment, those of one layer at a time.
            long lowPages = lowPagesAtMost(cuts ? low + longestStaged : low);
            note(
                    others + staged[layer] + low,
                    pages(staged[layer], layer) + pagesAtMost(others, layers - 1) + lowPages);
            windows += Math.min(window, seen[layer]);
            seenBefore += seen[layer];
            allBefore += lookback.of(layer, (long) staged[layer] + held[layer].low());
            left = seenBefore;
            if (cuts && cut == Cut.AFTER_REPLAY && layer == layers - 1) {
                noteReplay(ContextReplay.mostTokens(policy, tokensRead));
            }
            if (cutsAtOnce || (cuts && layer == layers - 1)) {
                Stage longest = stage(layer, candidates, heldLaterBesideWindow);
                Stage mean = stage(layer, judged, averageLaterBesideWindow);
                // The cache asks about heads on average; a pyramid may give more to fewer candidates.
                left = Math.min(left, Math.max(allocator.atMost(longest), allocator.atMost(mean)) + windows);
            }
            low = tiers.hasLow() ? allBefore - left + lowLater : 0;
        }
        this.keptInFull = left;
        this.keptLow = low;
        long whole = sumOfPages(0);
        this.keptPages = (cuts ? Math.min(whole, pagesAtMost(left, layers)) : whole) + lowPagesAtMost(low);
        if (newTokens > 0) {
            long mostInAll = 0;
            for (int layer = 0; layer < layers; layer++) {
                mostInAll += lookback.of(layer, (long) staged[layer] + held[layer].low() + newTokens);
            }
            decode(cuts ? stage(layers - 1, judged, 0) : null, mostInAll);
        }
    }

    private Stage stage(int layer, int[] candidates, long heldLater) {
        return new Stage(layer, new float[layers], candidates, candidates, heldLater, tokensRead, lookback);
    }

    /**
     * @param cut the last stage of the prompt, as the cache will see it; null if nothing is cut
     * @param mostInAll entries of all tiers in the end if none was dropped
     */
    private void decode(@Nullable Stage cut, long mostInAll) {
        int fetch = KvPlan.fetch(policy);
        // A guess stands behind the newest token of a layer, and what is fetched is fetched twice.
        long guess = fetch > 0 ? 1 : 0;
        // While a token looks, its own entry is there besides what it sees, in one layer at a time.
        long looking = lookback.limited() ? 1 : 0;
        int tokensInTheEnd = KvPlan.tokens(tokensRead, newTokens);
        long fetched = 2L * layers * pages(Math.min(fetch, tokensInTheEnd));
        long inAll = Math.min(Math.addExact(keptInFull + keptLow, growth()), mostInAll);
        long grown = inAll - Math.min(inAll, keptLow) + looking;
        long appended = grown;
        long spare = 0;
        if (policy.schedule().eachStep()) {
            long limit = (long) layers * policy.allocator().budget(tokensInTheEnd);
            if (cut != null && !policy.allocator().keepsAll(cut)) {
                limit = Math.max(limit, stepLimit(cut, tokensInTheEnd));
            }
            spare = (long) layers * policy.schedule().spare();
            appended = Math.min(appended, Math.max(keptInFull, limit + spare) + 1);
        } else if (cut == null) {
            note(appended + keptLow + guess, sumOfPages(newTokens) + guess + lowPagesAtMost(keptLow) + fetched);
            return;
        }
        long low = tiers.hasLow() ? keptLow + grown - appended : 0;
        long changing = appended < grown ? 1 + spare : 0;
        note(appended + low + guess, pagesAtMost(appended + guess, layers) + lowPagesAtMost(low + changing) + fetched);
    }

    /** Entries that decoding adds at most, whatever the layers hold before. */
    private long growth() {
        long growth = 0;
        for (int layer = 0; layer < layers; layer++) {
            growth += lookback.of(layer, newTokens);
        }
        return growth;
    }

    /** What the layers may grow to by the counts of a stage, which may add up to more than the budget. */
    private long stepLimit(Stage cut, int tokens) {
        int window = policy.scorer().window();
        long limit = 0;
        int[] counts = policy.allocator().allocate(cut);
        for (int layer = 0; layer < layers; layer++) {
            long most = policy.allocator().stepCount(counts[layer], cut.tokens(), tokens, window) + window;
            // Rounding the counts of a layer's heads one by one adds up to half an entry for each.
            limit += lookback.of(layer, most) + raggedPages;
        }
        return limit;
    }

    /** One layer after the other holds the tokens of a pass besides everything. */
    private void noteReplay(int passTokens) {
        long entries = passTokens;
        long mostOfOne = 0;
        for (int layer = 0; layer < layers; layer++) {
            entries += seen[layer];
            mostOfOne = Math.max(mostOfOne, pages((long) seen[layer] + passTokens, layer) - pages(seen[layer], layer));
        }
        note(entries, sumOfPages(0) + mostOfOne);
    }

    private void note(long entries, long pages) {
        peak = Math.max(peak, entries);
        peakPages = Math.max(peakPages, pages);
    }

    private boolean shifted(int layer) {
        long text = (long) tokensRead + newTokens;
        return lookback.of(layer, text) < text;
    }

    private long pages(long entries) {
        return (entries + rowsPerPage - 1) / rowsPerPage + raggedPages + tiers.boundPages(entries);
    }

    /** Pages of so many entries of each head of a layer, the first of which may lie anywhere in its page. */
    private long pages(long entries, int layer) {
        boolean shifted = shifted(layer);
        long boundPages = tiers.boundPages(entries) + (shifted && tiers.bounds() != null ? 1 : 0);
        return PlanPages.of(entries, rowsPerPage, shifted) + raggedPages + boundPages;
    }

    /** Pages of so many entries in at most so many layers: each may leave all but one row of its last page empty. */
    private long pagesAtMost(long entries, int inLayers) {
        long nonEmpty = Math.min(entries, inLayers);
        long boundPages = tiers.boundPages(entries) + (tiers.bounds() == null ? 0 : nonEmpty);
        long ends = nonEmpty;
        for (int layer = 0; layer < layers; layer++) {
            // And as many of its first one, where entries at the front have been forgotten.
            ends += shifted(layer) ? 1 : 0;
            boundPages += shifted(layer) && tiers.bounds() != null ? 1 : 0;
        }
        return (entries + ends * (rowsPerPage - 1)) / rowsPerPage + raggedPages + boundPages;
    }

    /**
     * Pages of so many entries in few bits. Where a policy keeps fewer in full than it may, there are more here, which
     * take no more memory together but can begin a page.
     */
    private long lowPagesAtMost(long entries) {
        if (!demotes) {
            return 0;
        }
        long ends = layers;
        for (int layer = 0; layer < layers; layer++) {
            ends += shifted(layer) ? 1 : 0;
        }
        long empty = ends * (tiers.lowRowsPerPage() - 1);
        return (entries + empty) / tiers.lowRowsPerPage() + 1 + raggedPages;
    }

    /** Pages of everything that the layers see after so many more tokens. */
    private long sumOfPages(int moreTokens) {
        long sum = 0;
        for (int layer = 0; layer < layers; layer++) {
            long looking = moreTokens > 0 && lookback.of(layer) != Lookback.UNLIMITED ? 1 : 0;
            sum += pages(lookback.of(layer, (long) seen[layer] + moreTokens) + looking, layer);
        }
        return sum;
    }

    @Override
    public long peakEntries() {
        return peak;
    }

    @Override
    public long peakPages() {
        return peakPages;
    }

    @Override
    public long keptEntries() {
        return keptInFull + keptLow;
    }

    @Override
    public long keptPages() {
        return keptPages;
    }

    @Override
    public long slowTokens(long textTokens) {
        return textTokens;
    }
}
