package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The same share of the text for every layer, growing with the text: floor(ratio x tokens) entries per head.
 *
 * @param ratio from 0 to 1
 */
record RatioBudget(double ratio) implements BudgetAllocator {
    /** What 0.29 x 100 falls short of 29 in binary. */
    private static final double ROUNDING = 1e-9;

    @Override
    public int budget() {
        return Integer.MAX_VALUE;
    }

    @Override
    public int budget(int tokens) {
        return Math.min(tokens, (int) (ratio * tokens + ROUNDING));
    }

    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        for (int layer = 0; layer < stage.layers(); layer++) {
            if (stage.candidates(layer) > budget(stage.tokens())) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int[] allocate(Stage stage) {
        int[] counts = new int[stage.seen()];
        Arrays.fill(counts, budget(stage.tokens()));
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        long sum = 0;
        for (int layer = 0; layer < stage.seen(); layer++) {
            sum += Math.min(stage.candidates(layer), budget(stage.tokens()));
        }
        return sum;
    }

    /** Nothing of its own: what the text gives, {@link #budget(int)}, is added. */
    @Override
    public int uncutCount() {
        return 0;
    }
}
