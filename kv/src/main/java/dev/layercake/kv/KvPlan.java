package dev.layercake.kv;

import dev.layercake.kv.policy.BudgetAllocator;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Retention;
import dev.layercake.kv.policy.Schedule.Cut;
import dev.layercake.kv.policy.Stage;
import org.jspecify.annotations.Nullable;

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
        int[] none = new int[layout.layers()];
        return of(layout, rowsPerPage, policy, none, none, none, 0, promptTokens, newTokens);
    }

    /**
     * The plan of any turn.
     *
     * @param held entries that each layer's longest head holds in full now
     * @param average entries per head that each layer holds in full now
     * @param heldLow entries per head that each layer holds in few bits now
     * @param tokensSeen tokens of the turns before
     */
    static KvPlan of(
            KvLayout layout,
            int rowsPerPage,
            KvPolicy policy,
            int[] held,
            int[] average,
            int[] heldLow,
            int tokensSeen,
            int promptTokens,
            int newTokens) {
        if (promptTokens < 0 || newTokens < 0) {
            throw new IllegalArgumentException(promptTokens + " prompt tokens, " + newTokens + " new tokens");
        }
        KvCache.requireShape(policy, layout);
        if (policy.retention() instanceof Retention.RecentExact copy) {
            return of(layout, rowsPerPage, policy, copy, held, heldLow, promptTokens, newTokens);
        }
        TierLayout tiers = TierLayout.of(layout, rowsPerPage, policy);
        int tokensRead = tokens(tokensSeen, promptTokens);
        Bounds bounds = new Bounds(policy, tiers, held, average, heldLow, promptTokens, newTokens, tokensRead);
        long pageBytes = KvPool.pageBytes(layout, rowsPerPage);
        long heads = layout.kvHeads();
        long fullTokens = (long) tokensSeen + promptTokens + newTokens;
        return new KvPlan(
                heads * bounds.peak,
                heads * bounds.peakPages * pageBytes,
                heads * bounds.kept,
                heads * bounds.keptPages * pageBytes,
                heads * layout.layers() * fullTokens,
                heads * layout.layers() * ((fullTokens + rowsPerPage - 1) / rowsPerPage) * pageBytes,
                fetch(policy) == 0 ? 0 : SlowCopy.bytes(layout, fullTokens));
    }

    /** The plan of a turn after which all but recent tokens are held in another form. Every head of a layer is alike. */
    private static KvPlan of(
            KvLayout layout,
            int rowsPerPage,
            KvPolicy policy,
            Retention.RecentExact copy,
            int[] held,
            int[] heldLow,
            int promptTokens,
            int newTokens) {
        TierLayout tiers = TierLayout.of(layout, rowsPerPage, policy);
        int most = Math.addExact(copy.residual(), copy.group()) - 1;
        long entries = 0;
        long pages = 0;
        for (int layer = 0; layer < held.length; layer++) {
            entries += held[layer] + heldLow[layer];
            pages += pages(held[layer], tiers.rowsPerPage()) + pages(heldLow[layer], tiers.lowRowsPerPage());
        }
        long peakPages = pages;
        for (int layer = 0; layer < held.length; layer++) {
            int staged = Math.addExact(held[layer], promptTokens);
            int kept = copy.exact(staged);
            // What moves lies in both tiers for a moment.
            pages += pages(staged, tiers.rowsPerPage()) - pages(held[layer], tiers.rowsPerPage());
            pages += pages((long) heldLow[layer] + staged - kept, tiers.lowRowsPerPage())
                    - pages(heldLow[layer], tiers.lowRowsPerPage());
            peakPages = Math.max(peakPages, pages);
            pages += pages(kept, tiers.rowsPerPage()) - pages(staged, tiers.rowsPerPage());
            entries += promptTokens;
        }
        long keptPages = pages;
        long grownPages = 0;
        int end = tokens(tokens(held[0], heldLow[0]), tokens(promptTokens, newTokens));
        long mostSlow = (long) end - copy.exact(end);
        int fetch = fetch(policy);
        for (int layer = 0; layer < held.length && newTokens > 0; layer++) {
            int staged = Math.addExact(held[layer], promptTokens);
            long all = (long) staged + newTokens;
            long low = heldLow[layer] + Math.max(0, all - copy.residual());
            // A guess stands behind the newest token, and what is fetched is fetched twice.
            long guess = fetch > 0 ? 1 : 0;
            grownPages += pages(Math.min(all, most + 1L) + guess, tiers.rowsPerPage());
            grownPages += pages(low, tiers.lowRowsPerPage());
            grownPages += 2 * pages(Math.min(low, fetch), tiers.rowsPerPage());
        }
        long heads = layout.kvHeads();
        long pageBytes = KvPool.pageBytes(layout, rowsPerPage);
        long grown = entries + (newTokens == 0 ? 0 : (long) held.length * (newTokens + 1L));
        long fullEntries = entries + (long) held.length * newTokens;
        return new KvPlan(
                heads * grown,
                heads * Math.max(peakPages, grownPages) * pageBytes,
                heads * entries,
                heads * keptPages * pageBytes,
                heads * fullEntries,
                heads * held.length * pages(fullEntries / held.length, rowsPerPage) * pageBytes,
                fetch == 0 ? 0 : SlowCopy.bytes(layout, mostSlow));
    }

    /** Exact pairs per head that are fetched for each token. */
    private static int fetch(KvPolicy policy) {
        return policy.retention() instanceof Retention.Fetching fetching ? fetching.fetch() : 0;
    }

    private static long pages(long entries, int rowsPerPage) {
        return (entries + rowsPerPage - 1) / rowsPerPage;
    }

    /** Tokens of two parts of a text; a text never has more than {@link Integer#MAX_VALUE}, whatever is asked for. */
    static int tokens(int first, int second) {
        return (int) Math.min(Integer.MAX_VALUE, (long) first + second);
    }

    /** Walks through the layers of the turn as the cache will, with the most that each stage may leave; per head. */
    private static final class Bounds {
        private final TierLayout tiers;
        private final int rowsPerPage;
        private final int layers;
        /** Heads of different lengths fill their last pages differently: a page per head more than the average needs. */
        private final int raggedPages;

        /** Whether there may be entries in the low tier. */
        private final boolean demotes;

        private long peak;
        private long peakPages;
        private final long keptInFull;
        private final long keptLow;
        private final long kept;
        private final long keptPages;

        Bounds(
                KvPolicy policy,
                TierLayout tiers,
                int[] held,
                int[] average,
                int[] heldLow,
                int promptTokens,
                int newTokens,
                int tokensRead) {
            this.tiers = tiers;
            this.rowsPerPage = tiers.rowsPerPage();
            this.layers = held.length;
            this.raggedPages = policy.allocator().ragged() ? 1 : 0;
            int window = policy.scorer().window();
            int[] candidates = new int[layers];
            int[] judged = new int[layers];
            int[] staged = new int[layers];
            long heldLater = 0;
            long heldLaterBesideWindow = 0;
            long averageLaterBesideWindow = 0;
            long low = 0;
            int longestStaged = 0;
            for (int layer = 0; layer < layers; layer++) {
                staged[layer] = Math.addExact(held[layer], promptTokens);
                if (policy.readsAsStream(tokensRead)) {
                    // Read token by token: a layer never holds more than the budget and the newest token.
                    staged[layer] = Math.min(staged[layer], policy.allocator().budget() + 1);
                }
                candidates[layer] = Math.max(0, staged[layer] - window);
                judged[layer] = Math.max(0, Math.addExact(average[layer], promptTokens) - window);
                heldLater += held[layer];
                heldLaterBesideWindow += Math.max(0, held[layer] - window);
                averageLaterBesideWindow += Math.max(0, average[layer] - window);
                low += heldLow[layer];
                longestStaged = Math.max(longestStaged, staged[layer]);
            }
            BudgetAllocator allocator = policy.allocator();
            boolean steps = policy.schedule().eachStep() && newTokens > 0;
            Cut cut = promptTokens == 0 ? Cut.NEVER : policy.schedule().prompt();
            Stage before = new Stage(layers - 1, new float[layers], candidates, 0, tokensRead);
            boolean cuts = cut != Cut.NEVER && !allocator.keepsAll(before);
            boolean cutsAtOnce = cuts && cut != Cut.AT_END && cut != Cut.AFTER_REPLAY;
            this.demotes = tiers.hasLow() && (cuts || steps || low > 0);
            long windows = 0;
            long stagedBefore = 0;
            long left = 0;
            for (int layer = 0; layer < layers; layer++) {
                heldLater -= held[layer];
                heldLaterBesideWindow -= Math.max(0, held[layer] - window);
                averageLaterBesideWindow -= Math.max(0, average[layer] - window);
                long others = left + heldLater;
                // An entry that changes tiers lies in both for a moment, those of one layer at a time.
                long lowPages = lowPagesAtMost(cuts ? low + longestStaged : low);
                note(others + staged[layer] + low, pages(staged[layer]) + pagesAtMost(others, layers - 1) + lowPages);
                long leftBefore = left;
                windows += Math.min(window, staged[layer]);
                stagedBefore += staged[layer];
                left = stagedBefore;
                if (cuts && cut == Cut.AFTER_REPLAY && layer == layers - 1) {
                    noteReplay(ContextReplay.mostTokens(policy, tokensRead), staged);
                }
                if (cutsAtOnce || (cuts && layer == layers - 1)) {
                    Stage longest = new Stage(layer, new float[layers], candidates, heldLaterBesideWindow, tokensRead);
                    Stage mean = new Stage(layer, new float[layers], judged, averageLaterBesideWindow, tokensRead);
                    // The cache asks about heads on average; a pyramid may give more to fewer candidates.
                    left = Math.min(left, Math.max(allocator.atMost(longest), allocator.atMost(mean)) + windows);
                }
                low += tiers.hasLow() ? leftBefore + staged[layer] - left : 0;
            }
            this.keptInFull = left;
            this.keptLow = low;
            this.kept = left + low;
            this.keptPages = (cuts ? pagesAtMost(left, layers) : sumOfPages(staged)) + lowPagesAtMost(low);
            Stage last = new Stage(layers - 1, new float[layers], judged, 0, tokensRead);
            decode(policy, staged, cuts ? last : null, newTokens, tokensRead);
        }

        /** @param cut the last stage of the prompt, as the cache will see it; null if nothing is cut */
        private void decode(KvPolicy policy, int[] staged, @Nullable Stage cut, int newTokens, int tokensRead) {
            if (newTokens == 0) {
                return;
            }
            int fetch = fetch(policy);
            // A guess stands behind the newest token of a layer, and what is fetched is fetched twice.
            long guess = fetch > 0 ? 1 : 0;
            int tokensInTheEnd = tokens(tokensRead, newTokens);
            long fetched = 2L * layers * pages(Math.min(fetch, tokensInTheEnd));
            long grown = Math.addExact(keptInFull, (long) layers * newTokens);
            long appended = grown;
            long spare = 0;
            if (policy.schedule().eachStep()) {
                long limit = (long) layers * policy.allocator().budget(tokensInTheEnd);
                if (cut != null && !policy.allocator().keepsAll(cut)) {
                    limit = Math.max(limit, stepLimit(policy, cut, tokensInTheEnd));
                }
                spare = (long) layers * policy.schedule().spare();
                appended = Math.min(appended, Math.max(keptInFull, limit + spare) + 1);
            } else if (cut == null) {
                long entryPages = 0;
                for (int length : staged) {
                    entryPages += pages((long) length + newTokens);
                }
                note(appended + keptLow + guess, entryPages + guess + lowPagesAtMost(keptLow) + fetched);
                return;
            }
            long low = tiers.hasLow() ? keptLow + grown - appended : 0;
            long changing = appended < grown ? 1 + spare : 0;
            note(
                    appended + low + guess,
                    pagesAtMost(appended + guess, layers) + lowPagesAtMost(low + changing) + fetched);
        }

        /** What the layers may grow to by the counts of a stage, which may add up to more than the budget. */
        private long stepLimit(KvPolicy policy, Stage cut, int tokens) {
            int window = policy.scorer().window();
            long limit = 0;
            for (int count : policy.allocator().allocate(cut)) {
                // Rounding the counts of a layer's heads one by one adds up to half an entry for each.
                limit += policy.allocator().stepCount(count, cut.tokens(), tokens, window) + window + raggedPages;
            }
            return limit;
        }

        /** One layer after the other holds the tokens of a pass besides everything. */
        private void noteReplay(int passTokens, int[] staged) {
            long entries = passTokens;
            long mostOfOne = 0;
            for (int length : staged) {
                entries += length;
                mostOfOne = Math.max(mostOfOne, pages((long) length + passTokens) - pages(length));
            }
            note(entries, sumOfPages(staged) + mostOfOne);
        }

        private void note(long entries, long pages) {
            peak = Math.max(peak, entries);
            peakPages = Math.max(peakPages, pages);
        }

        long pages(long entries) {
            return (entries + rowsPerPage - 1) / rowsPerPage + raggedPages + tiers.boundPages(entries);
        }

        /** Pages of so many entries in at most so many layers: each may leave all but one row of its last page empty. */
        private long pagesAtMost(long entries, int inLayers) {
            long nonEmpty = Math.min(entries, inLayers);
            long boundPages = tiers.boundPages(entries) + (tiers.bounds() == null ? 0 : nonEmpty);
            return (entries + nonEmpty * (rowsPerPage - 1)) / rowsPerPage + raggedPages + boundPages;
        }

        /**
         * Pages of so many entries in few bits. Where a policy keeps fewer in full than it may, there are more here, which
         * take no more memory together but can begin a page.
         */
        private long lowPagesAtMost(long entries) {
            if (!demotes) {
                return 0;
            }
            long empty = (long) layers * (tiers.lowRowsPerPage() - 1);
            return (entries + empty) / tiers.lowRowsPerPage() + 1 + raggedPages;
        }

        private long sumOfPages(int[] lengths) {
            long sum = 0;
            for (int length : lengths) {
                sum += pages(length);
            }
            return sum;
        }
    }
}
