package dev.layercake.kv;

import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.BudgetAllocator;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.kv.policy.Rotary;
import org.jspecify.annotations.Nullable;

/** One layer's entries in all its heads, and what the last prompt told about the layer. */
final class LayerEntries {
    private final HeadEntries[] heads;
    private final KvRows[] rows;
    /** Entries before a token that it sees. */
    private final int lookback;
    /** What each head may grow to while decoding, the window not counted. */
    final int[] counts;
    /** Entries at the front of each head that are its window; -1 if the last prompt was kept whole, in order. */
    int windowInFront = -1;
    /** Tokens of the text when the counts were set; what the budget grew by since is added to them. */
    int countedAt;

    double dispersion;
    double shift;
    float preference = Float.NaN;

    /** @param lookback entries before a token that it sees in this layer */
    LayerEntries(KvLease lease, TierLayout layout, int lookback) {
        this.lookback = lookback;
        heads = new HeadEntries[lease.pool().layout().kvHeads()];
        rows = new KvRows[heads.length];
        for (int head = 0; head < heads.length; head++) {
            heads[head] = new HeadEntries(lease, layout);
            rows[head] = heads[head].rows();
        }
        counts = new int[heads.length];
    }

    /** Takes what another layer holds; this one must be empty. */
    void copyFrom(LayerEntries other) {
        for (int head = 0; head < heads.length; head++) {
            heads[head].copyFrom(other.heads[head]);
            counts[head] = other.counts[head];
        }
        windowInFront = other.windowInFront;
        dispersion = other.dispersion;
        shift = other.shift;
        preference = other.preference;
        countedAt = other.countedAt;
    }

    /** Lets each head grow to what it may hold when no prompt was cut. */
    void uncut(BudgetAllocator allocator, Lookback lookback, int layer) {
        for (int head = 0; head < counts.length; head++) {
            counts[head] = allocator.uncutCount(lookback, layer, head);
        }
    }

    /** The lowest position that the next token sees when the text has so many; 0 or less for all. */
    int oldest(int tokens) {
        return lookback == Lookback.UNLIMITED ? 0 : tokens - lookback;
    }

    /** The most that a head holds between tokens. */
    int lookback() {
        return lookback;
    }

    HeadEntries head(int index) {
        return heads[index];
    }

    HeadEntries[] heads() {
        return heads;
    }

    KvRows[] rows() {
        return rows;
    }

    /** Entries per head, on average and rounded up. */
    int averageLength() {
        return averageFrom(0);
    }

    /** Of them, those at a position or after it. */
    int averageFrom(int position) {
        long sum = 0;
        for (HeadEntries head : heads) {
            sum += head.length() - head.countBelow(position);
        }
        return (int) ((sum + heads.length - 1) / heads.length);
    }

    /** Of the head that holds most of them in full, entries at a position or after it. */
    int longestFrom(int position) {
        int longest = 0;
        for (HeadEntries head : heads) {
            longest = Math.max(longest, head.length() - head.countBelow(position));
        }
        return longest;
    }

    /** Entries of the head that holds most in its low tier. */
    int longestLow() {
        int longest = 0;
        for (HeadEntries head : heads) {
            longest = Math.max(longest, head.lowLength());
        }
        return longest;
    }

    /** Entries of the head that holds most in full. */
    int longest() {
        return longestFrom(0);
    }

    /** Forgets what lies at positions below one in all heads. */
    void dropBelow(int oldest) {
        for (int head = 0; head < heads.length && oldest > 0; head++) {
            heads[head].dropBelow(oldest);
        }
    }

    /** Adds one token's entry to every head and shows it the sinks, if the policy numbers entries by slot. */
    void append(KvCache cache, int layer, Tensor keys, Tensor values, Kernels kernels, Workers workers) {
        int position = cache.tokensSeen() + cache.tokensRunning();
        for (HeadEntries head : heads) {
            head.append(position, cache.nextRotation(), 1);
        }
        store(1, keys, values, kernels, workers);
        // What no token sees any more was dropped before the sinks that are left, not behind them.
        int dropped = position + 1 - longest() - Math.max(0, oldest(position));
        if (cache.policy().positions() == PositionRule.SLOT && dropped > 0) {
            Rotary.Turn turn = cache.rotary(layer).turn(dropped);
            for (HeadEntries head : heads) {
                head.showSinks(turn, dropped, cache.policy().scorer().sinks());
            }
        }
    }

    /** Lets the policy evict what is too much, after the token has looked at everything. */
    void evict(KvCache cache, int layer, @Nullable Tensor probabilities, Workers workers) {
        for (HeadEntries head : heads) {
            head.hideSinks();
        }
        int tokens = cache.tokensSeen() + Math.max(1, cache.tokensRunning());
        cache.judge().evict(layer, this, tokens, probabilities, workers);
    }

    /**
     * Writes keys and values of consecutive tokens, the first of which lies {@code fromEnd} slots before each head's end.
     */
    void store(int fromEnd, Tensor keys, Tensor values, Kernels kernels, Workers workers) {
        kernels.store(rows, fromEnd, keys, values, workers);
    }
}
