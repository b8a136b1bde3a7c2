package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How many entries each layer and head may keep besides the window. After each layer of a prompt it sees the preferences
 * of the layers so far and divides the total among them. Counts are per KV head: a layer's count of 100 lets each of its
 * heads keep 100 entries, unless {@link #heads} divides them otherwise.
 *
 * <p>Stateless, like the scorer.
 */
public interface BudgetAllocator {
    /** Entries per KV head and layer, on average over the layers, window included. */
    int budget();

    /** The budget when the text has so many tokens; most budgets never change. */
    default int budget(int tokens) {
        return budget();
    }

    /**
     * What a head may hold in full besides the window while decoding: by default its count, and what the budget has grown by
     * since.
     *
     * @param count what it was given when the text had {@code countedAt} tokens
     * @param tokens of the text now
     * @param window entries that are kept anyway
     */
    default long stepCount(int count, int countedAt, int tokens, int window) {
        return Math.max(0, (long) count + budget(tokens) - budget(countedAt));
    }

    /** Whether {@link #preference} needs the statistics of the window's attention. */
    default boolean usesWindowAttention() {
        return false;
    }

    /**
     * Whether another layer can only lower the counts of those before it. Then a cascade keeps exactly what a single cut
     * after the last layer would keep, unless {@link #heads} divides what the earlier cuts have left.
     */
    boolean monotone();

    /** A layer's claim on the total; 0 if it plays no part, or if null statistics say that there was nothing to judge. */
    default float preference(@Nullable WindowStatistics statistics) {
        return 0;
    }

    /** Whether this prompt fits whole, so that nothing is cut. Known before the first layer. */
    boolean keepsAll(Stage stage);

    /**
     * The counts of layers {@code [0, stage.layer()]}. They may exceed what a layer holds: it then keeps all and may
     * grow to its count in decoding. Not called if {@link #keepsAll}.
     */
    int[] allocate(Stage stage);

    /** The most that {@link #allocate} gives away together, counting no layer for more than its candidates. */
    long atMost(Stage stage);

    /** Whether {@link #heads} may give heads of one layer different counts. */
    default boolean ragged() {
        return false;
    }

    /** What every layer may grow to while decoding, window excluded, after a prompt that was kept whole. */
    int uncutCount();

    /**
     * The same for one head of one layer. What layers with a sliding window cannot use is divided equally among those that can.
     */
    default int uncutCount(Lookback lookback, int layer, int kvHead) {
        int count = uncutCount();
        return count == Integer.MAX_VALUE || !lookback.limited()
                ? count
                : UniformBudget.counts(budget(), budget() - count, lookback)[layer];
    }

    /** What a calibration found out about the model, if the counts follow it; null otherwise. */
    default @Nullable HeadProfile profile() {
        return null;
    }

    /**
     * Divides a layer's count among its heads.
     *
     * @param stage as given to {@link #allocate}
     * @param layer one of those that share the budget at the stage
     * @param count entries per head on average
     * @param scores for each head the scores of what it holds, in any order
     * @return a count per head; {@link #atMost} knows their sum
     */
    default int[] heads(Stage stage, int layer, int count, float[][] scores) {
        return heads(count, scores);
    }

    /**
     * Divides a layer's count among its heads, whichever layer it is; by default each head gets the layer's count.
     *
     * @param count entries per head on average
     * @param scores for each head the scores of what it holds, in any order
     * @return a count per head; {@link #atMost} knows their sum
     */
    default int[] heads(int count, float[][] scores) {
        int[] counts = new int[scores.length];
        Arrays.fill(counts, count);
        return counts;
    }
}
