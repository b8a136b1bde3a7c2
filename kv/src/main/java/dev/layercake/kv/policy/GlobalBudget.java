package dev.layercake.kv.policy;

/**
 * One budget for all heads of all layers together, which their entries' scores divide: {@code layers x heads x budget} entries in
 * all, wherever they are. Only for {@link Schedule.Cut#AFTER_REPLAY}: it says how many, and no layer's share is known before
 * all layers are judged.
 *
 * @param budget entries per head and layer on average
 */
record GlobalBudget(int budget) implements BudgetAllocator {
    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return stage.candidatesOfFirst(stage.layers()) <= stage.total(uncutCount());
    }

    @Override
    public int[] allocate(Stage stage) {
        throw new UnsupportedOperationException("the layers are cut together");
    }

    @Override
    public long atMost(Stage stage) {
        return Math.min(stage.candidatesOfFirst(stage.seen()), stage.total(uncutCount()));
    }

    @Override
    public boolean ragged() {
        return true;
    }

    @Override
    public int uncutCount() {
        return budget;
    }
}
