package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The same count for every layer. Layers with a sliding window get no more than they can hold, and what they leave is divided
 * equally among the others.
 *
 * @param budget entries per head and layer, window included
 * @param window part of the budget that is not given away
 * @param flows whether what some layers cannot use goes to others
 */
record UniformBudget(int budget, int window, boolean flows) implements BudgetAllocator {
    UniformBudget(int budget, int window) {
        this(budget, window, true);
    }

    /** What each layer gets besides the window, whatever the prompt: together the budget, as far as the layers can hold it. */
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

    /**
     * What each layer gets beyond the budget's average because others look back less far: theirs for sure, whatever divides the
     * rest. Claims of layers that see different things say little about each other.
     *
     * @param most what each layer can take at most; as many layers as take part, the first ones
     */
    static int[] sure(int budget, int window, Lookback lookback, int[] most) {
        int[] sure = new int[most.length];
        if (lookback.limited()) {
            int[] counts = counts(budget, window, lookback);
            for (int layer = 0; layer < sure.length; layer++) {
                sure[layer] = Math.clamp((long) counts[layer] - (budget - window), 0, most[layer]);
            }
        }
        return sure;
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
        return Arrays.copyOf(counts(stage.lookback()), stage.seen());
    }

    @Override
    public long atMost(Stage stage) {
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
