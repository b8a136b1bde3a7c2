package dev.layercake.kv.policy;

/**
 * Counts that fall linearly from the first layer to the last: PyramidKV (arXiv 2406.02069). With b = budget - window the
 * last layer gets b / beta and the first one 2b minus that.
 *
 * @param budget entries per head and layer on average, window included
 * @param window part of the budget that each layer has for sure
 * @param beta how many times smaller than the average the last layer is
 * @param rounding of the counts
 */
record PyramidBudget(int budget, int window, int beta, Rounding rounding) implements BudgetAllocator {
    /** How real counts become whole ones. */
    enum Rounding {
        /** So that the whole budget is given away, and no more. */
        EXACT,
        /**
         * As KVCache-Factory c97f9d7: the difference between neighbouring layers is rounded down, so that the sum exceeds
         * the budget by a few percent; prompts shorter than twice the budget get the same count in every layer.
         */
        OFFICIAL,
        /** As {@link #OFFICIAL}, but a pyramid at every length, as FFY0/AdaKV efe4e2e. */
        ADAKV,
        /**
         * As kvpress 8bb29b9: the pyramid is one of whole budgets, the window counted in, and each layer is rounded to the
         * nearest, to even; if the last layer could not hold the window, or would get more than the first, all
         * layers get the budget.
         */
        KVPRESS
    }

    @Override
    public boolean monotone() {
        return rounding == Rounding.EXACT;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return new UniformBudget(budget, window).keepsAll(stage);
    }

    @Override
    public int[] allocate(Stage stage) {
        int[] all = switch (rounding) {
            case EXACT -> exact(stage);
            case OFFICIAL, ADAKV -> official(stage);
            case KVPRESS -> nearest(stage);
        };
        int[] counts = new int[stage.seen()];
        System.arraycopy(all, 0, counts, 0, counts.length);
        return counts;
    }

    /** The slope of the pyramid as shares, filled up like water: what short prompts cannot use flows to other layers. */
    private int[] exact(Stage stage) {
        int layers = stage.layers();
        double[] shares = new double[layers];
        int[] caps = new int[layers];
        double least = (double) uncutCount() / beta;
        double most = 2.0 * uncutCount() - least;
        for (int layer = 0; layer < layers; layer++) {
            shares[layer] = layers == 1 ? uncutCount() : most - layer * (most - least) / (layers - 1);
            caps[layer] = stage.candidates(layer);
        }
        long total = (long) uncutCount() * layers + stage.lookback().unusable(window);
        int[] sure = ReachDivision.flow(budget, window, stage.lookback(), caps);
        return WaterfillBudget.fillBeside(sure, shares, total, caps);
    }

    private int[] nearest(Stage stage) {
        int layers = stage.layers();
        int[] counts = new int[layers];
        for (int layer = 0; layer < layers; layer++) {
            int candidates = stage.candidates(layer);
            double least = (double) budget / beta;
            double most = 2.0 * budget - least;
            if (most >= candidates) {
                most = candidates;
                least = 2.0 * budget - most;
            }
            boolean even = least < window || most < least || layers == 1;
            double kept = even ? budget : most - layer * (most - least) / (layers - 1);
            counts[layer] = Math.max(0, (int) Math.rint(kept) - window);
        }
        return counts;
    }

    private int[] official(Stage stage) {
        int layers = stage.layers();
        int base = uncutCount();
        int[] counts = new int[layers];
        for (int layer = 0; layer < layers; layer++) {
            int candidates = stage.candidates(layer);
            int least = base / beta;
            int most = 2 * base - least;
            if (most >= candidates) {
                most = candidates;
                least = 2 * base - most;
            }
            boolean even = rounding == Rounding.OFFICIAL && candidates + window < 2 * base;
            counts[layer] = even || layers == 1 ? base : most - layer * ((most - least) / (layers - 1));
        }
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        long sum = 0;
        int[] counts = allocate(stage);
        for (int layer = 0; layer < counts.length; layer++) {
            sum += Math.min(stage.candidates(layer), counts[layer]);
        }
        return sum;
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }
}
