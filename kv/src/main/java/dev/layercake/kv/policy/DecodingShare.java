package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import org.jspecify.annotations.Nullable;

/**
 * Leaves prompts to another allocator, and lets a text that is being decoded have a share of its length: what each head got
 * of the prompt's budget is scaled to it. kvpress's CompressionRatioDecodingPress has the same total,
 * {@code max(1, int(ratio x tokens))} per head, and divides it equally.
 *
 * @param prompts of a budget that does not grow
 * @param ratio from 0 to 1
 * @param least entries that are kept in any case: sinks and window, or the newest token if there is no window
 */
record DecodingShare(BudgetAllocator prompts, double ratio, int least) implements BudgetAllocator {
    @Override
    public int budget() {
        return prompts.budget();
    }

    @Override
    public int budget(int tokens) {
        return Math.max(Math.max(1, least), new RatioBudget(ratio).budget(tokens));
    }

    @Override
    public long stepCount(int count, int countedAt, int tokens, int window) {
        int divided = prompts.budget() - window;
        int dividedNow = Math.max(0, budget(tokens) - window);
        return divided == 0 ? dividedNow : (long) count * dividedNow / divided;
    }

    @Override
    public boolean usesWindowAttention() {
        return prompts.usesWindowAttention();
    }

    @Override
    public boolean monotone() {
        return prompts.monotone();
    }

    @Override
    public float preference(@Nullable WindowStatistics statistics) {
        return prompts.preference(statistics);
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return prompts.keepsAll(stage);
    }

    @Override
    public int[] allocate(Stage stage) {
        return prompts.allocate(stage);
    }

    @Override
    public long atMost(Stage stage) {
        return prompts.atMost(stage);
    }

    @Override
    public boolean ragged() {
        return prompts.ragged();
    }

    @Override
    public int uncutCount() {
        return prompts.uncutCount();
    }

    @Override
    public int uncutCount(Lookback lookback, int layer, int kvHead) {
        return prompts.uncutCount(lookback, layer, kvHead);
    }

    @Override
    public @Nullable HeadProfile profile() {
        return prompts.profile();
    }

    @Override
    public int[] heads(Stage stage, int layer, int count, float[][] scores) {
        return prompts.heads(stage, layer, count, scores);
    }

    @Override
    public int[] heads(int count, float[][] scores) {
        return prompts.heads(count, scores);
    }
}
