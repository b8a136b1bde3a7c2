package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The same count for every layer. Layers with a sliding window get no more than they can hold, and what they leave flows to
 * the others ({@link ReachDivision}).
 *
 * @param budget entries per head and layer, window included
 * @param window part of the budget that is not given away
 * @param flows whether what some layers cannot use goes to others
 */
record UniformBudget(int budget, int window, boolean flows) implements BudgetAllocator {
    UniformBudget(int budget, int window) {
        this(budget, window, true);
    }

    /**
     * What each layer may grow to besides the window if no prompt is cut: together the budget, what layers cannot hold of it
     * divided equally, since nobody knows how far the text will go.
     */
    static int[] counts(int budget, int window, Lookback lookback) {
        int layers = lookback.layers();
        if (!lookback.limited()) {
            int[] counts = new int[layers];
            Arrays.fill(counts, budget - window);
            return counts;
        }
        double[] shares = new double[layers];
        Arrays.fill(shares, 1);
        long total = (long) (budget - window) * layers + lookback.unusable(window);
        return WaterfillBudget.fill(shares, total, lookback.beside(window));
    }

    private boolean flows(Stage stage) {
        return flows && stage.lookback().limited();
    }

    private int[] counts(Lookback lookback) {
        return counts(budget, window, flows ? lookback : Lookback.unlimited(lookback.layers()));
    }

    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        if (flows(stage)) {
            return stage.candidatesOfFirst(stage.layers()) <= stage.total(budget, window);
        }
        int[] counts = counts(stage.lookback());
        for (int layer = 0; layer < stage.layers(); layer++) {
            if (stage.candidates(layer) > counts[layer]) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int[] allocate(Stage stage) {
        if (flows(stage)) {
            double[] equal = new double[stage.seen()];
            Arrays.fill(equal, 1);
            return ReachDivision.divide(budget, window, stage, equal);
        }
        return Arrays.copyOf(counts(stage.lookback()), stage.seen());
    }

    @Override
    public long atMost(Stage stage) {
        if (flows(stage)) {
            return Math.min(stage.candidatesOfFirst(stage.seen()), stage.total(budget, window));
        }
        int[] counts = counts(stage.lookback());
        long sum = 0;
        for (int layer = 0; layer < stage.seen(); layer++) {
            sum += Math.min(stage.candidates(layer), counts[layer]);
        }
        return sum;
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }

    @Override
    public int uncutCount(Lookback lookback, int layer, int kvHead) {
        return counts(lookback)[layer];
    }
}
