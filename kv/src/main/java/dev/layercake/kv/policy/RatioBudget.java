package dev.layercake.kv.policy;

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
        return equal(stage).keepsAll(stage);
    }

    @Override
    public int[] allocate(Stage stage) {
        return equal(stage).allocate(stage);
    }

    @Override
    public long atMost(Stage stage) {
        return equal(stage).atMost(stage);
    }

    private UniformBudget equal(Stage stage) {
        return new UniformBudget(budget(stage.tokens()), 0);
    }

    /** Nothing of its own: what the text gives, {@link #budget(int)}, is added. */
    @Override
    public int uncutCount() {
        return 0;
    }

    @Override
    public int uncutCount(Lookback lookback, int layer, int kvHead) {
        return uncutCount();
    }
}
