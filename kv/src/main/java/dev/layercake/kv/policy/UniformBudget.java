package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The same count for every layer.
 *
 * @param budget entries per head and layer, window included
 * @param window part of the budget that is not given away
 */
record UniformBudget(int budget, int window) implements BudgetAllocator {
    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        for (int layer = 0; layer < stage.layers(); layer++) {
            if (stage.candidates(layer) > uncutCount()) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int[] allocate(Stage stage) {
        int[] counts = new int[stage.seen()];
        Arrays.fill(counts, uncutCount());
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        long sum = 0;
        for (int layer = 0; layer < stage.seen(); layer++) {
            sum += Math.min(stage.candidates(layer), uncutCount());
        }
        return sum;
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }
}
