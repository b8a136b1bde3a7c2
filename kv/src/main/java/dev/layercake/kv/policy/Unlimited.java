package dev.layercake.kv.policy;

import java.util.Arrays;

/** The allocator of the full cache: everything stays. */
record Unlimited() implements BudgetAllocator {
    @Override
    public int budget() {
        return Integer.MAX_VALUE;
    }

    @Override
    public boolean monotone() {
        return true;
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
