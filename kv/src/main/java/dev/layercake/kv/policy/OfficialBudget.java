package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import org.jspecify.annotations.Nullable;

/**
 * CAKE's integer budgets as its published code computes them (antgroup/cakekv c4675ce, {@code adjust_budgets}), for
 * comparison with it. Known weaknesses, kept on purpose: nothing is cut until the prompt exceeds budget + window; the
 * excess of layers that want more than they have is handed out once, in equal parts, and what then exceeds a layer again
 * is lost; so a stage of the cascade can cut a layer below its final count, and the total is not always used. {@link
 * WaterfillBudget} has none of them.
 *
 * <p>Extensions for later turns, which the published code does not handle: each layer is capped by its own candidates, the
 * total is lowered by what later layers hold ({@link Stage#total}), and the threshold looks at the longest layer.
 *
 * @param budget entries per head and layer on average, window included
 * @param window part of the budget that each layer has for sure
 * @param claims the layers' preferences
 */
record OfficialBudget(int budget, int window, Preference claims) implements BudgetAllocator {
    @Override
    public boolean usesWindowAttention() {
        return true;
    }

    @Override
    public boolean monotone() {
        return false;
    }

    @Override
    public float preference(@Nullable WindowStatistics statistics) {
        return claims.of(statistics);
    }

    @Override
    public boolean keepsAll(Stage stage) {
        for (int layer = 0; layer < stage.layers(); layer++) {
            if (stage.candidates(layer) > budget) {
                return false;
            }
        }
        return true;
    }

    @Override
    public int[] allocate(Stage stage) {
        double[] real = real(stage);
        int[] caps = new int[real.length];
        for (int layer = 0; layer < caps.length; layer++) {
            caps[layer] = stage.candidates(layer);
        }
        int[] counts = adjust(real, stage.total(uncutCount()), caps);
        for (int layer = 0; layer < counts.length; layer++) {
            counts[layer] = Math.max(0, Math.min(counts[layer], caps[layer]));
        }
        return counts;
    }

    /** Shares of the total in proportion to the preferences, before any rounding. */
    double[] real(Stage stage) {
        double sum = 0;
        for (int layer = 0; layer < stage.seen(); layer++) {
            sum += stage.preference(layer);
        }
        double[] real = new double[stage.seen()];
        for (int layer = 0; layer < real.length; layer++) {
            double share = sum > 0 ? stage.preference(layer) / sum : 1.0 / real.length;
            real[layer] = share * stage.total(uncutCount());
        }
        return real;
    }

    /**
     * The published rule: truncate, cap, hand the capped excess to the others in equal parts, then hand out (or take back)
     * what is missing to the total in equal parts.
     *
     * @param real budgets; their number says how many layers take part
     * @param caps as many as {@code real}
     */
    static int[] adjust(double[] real, long total, int[] caps) {
        int layers = real.length;
        int[] counts = new int[layers];
        long excess = 0;
        for (int layer = 0; layer < layers; layer++) {
            int truncated = (int) real[layer];
            counts[layer] = Math.min(truncated, caps[layer]);
            excess += truncated - counts[layer];
        }
        boolean[] chosen = new boolean[layers];
        if (excess > 0) {
            for (int layer = 0; layer < layers; layer++) {
                chosen[layer] = counts[layer] < caps[layer];
            }
            spread(counts, chosen, excess, 1);
        }
        long missing = total;
        for (int count : counts) {
            missing -= count;
        }
        if (missing != 0) {
            for (int layer = 0; layer < layers; layer++) {
                chosen[layer] = missing > 0 ? counts[layer] < caps[layer] : counts[layer] > 1;
            }
            spread(counts, chosen, Math.abs(missing), missing > 0 ? 1 : -1);
        }
        return counts;
    }

    /** Equal parts to the chosen layers, the remainder one each to the first of them. */
    private static void spread(int[] counts, boolean[] chosen, long amount, int sign) {
        int parts = 0;
        for (boolean one : chosen) {
            parts += one ? 1 : 0;
        }
        if (parts == 0) {
            return;
        }
        long each = amount / parts;
        long remainder = amount % parts;
        for (int layer = 0; layer < counts.length; layer++) {
            if (chosen[layer]) {
                counts[layer] += (int) (sign * (each + (remainder > 0 ? 1 : 0)));
                remainder--;
            }
        }
    }

    @Override
    public long atMost(Stage stage) {
        return Math.min(stage.candidatesOfFirst(stage.seen()), stage.total(uncutCount()));
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }
}
