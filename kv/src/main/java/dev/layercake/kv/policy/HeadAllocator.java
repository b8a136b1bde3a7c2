package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import org.jspecify.annotations.Nullable;

/** Leaves the layers to another allocator and divides what each gets among its heads. */
public interface HeadAllocator extends BudgetAllocator {
    /** Divides the total among the layers. */
    BudgetAllocator layers();

    @Override
    int[] heads(int count, float[][] scores);

    @Override
    default int budget() {
        return layers().budget();
    }

    @Override
    default int budget(int tokens) {
        return layers().budget(tokens);
    }

    @Override
    default long stepCount(int count, int countedAt, int tokens, int window) {
        return layers().stepCount(count, countedAt, tokens, window);
    }

    @Override
    default boolean usesWindowAttention() {
        return layers().usesWindowAttention();
    }

    @Override
    default boolean monotone() {
        return layers().monotone();
    }

    @Override
    default float preference(@Nullable WindowStatistics statistics) {
        return layers().preference(statistics);
    }

    @Override
    default boolean keepsAll(Stage stage) {
        return layers().keepsAll(stage);
    }

    @Override
    default int[] allocate(Stage stage) {
        return layers().allocate(stage);
    }

    @Override
    default long atMost(Stage stage) {
        return layers().atMost(stage);
    }

    @Override
    default int uncutCount() {
        return layers().uncutCount();
    }

    @Override
    default int uncutCount(Lookback lookback, int layer, int kvHead) {
        return layers().uncutCount(lookback, layer, kvHead);
    }

    @Override
    default boolean ragged() {
        return true;
    }
}
