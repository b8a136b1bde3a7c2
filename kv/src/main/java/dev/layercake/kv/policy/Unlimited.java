package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The allocator of the full cache: everything stays. */
record Unlimited() implements BudgetAllocator {
    @Override
    public int budget() {
        return Integer.MAX_VALUE;
    }

    @Override
    public boolean usesWindowAttention() {
        return false;
    }

    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public float preference(@Nullable WindowStatistics statistics) {
        return 0;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return true;
    }

    @Override
    public int[] allocate(Stage stage) {
        int[] counts = new int[stage.seen()];
        Arrays.fill(counts, Integer.MAX_VALUE);
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        return stage.candidatesOfFirst(stage.seen());
    }

    @Override
    public int uncutCount() {
        return Integer.MAX_VALUE;
    }
}
