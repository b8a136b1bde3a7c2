package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * CAKE's budgets with exact integers: shares in proportion to the preferences, no layer above its candidates, what a full
 * layer cannot use flowing to the others in proportion again (water-filling), and the whole total given away.
 *
 * <p>The real-valued water levels are brought to integers by a divisor method (Sainte-Lagu&euml;). Seat k = 0, 1, ... of
 * layer l has the priority P_l / (2k + 1), and exists while k is below the layer's candidates; a stage takes the first T
 * seats in a fixed total order: higher priority, then lower k, then lower layer. A layer that joins only adds seats, so
 * the seats of the others that are among the first T can only become fewer. Hence
 *
 * <ul>
 *   <li>each stage gives away exactly min(T, all candidates), so that the memory bound of the cascade is strict;
 *   <li>counts never rise from stage to stage, so that the cascade keeps exactly what one cut at the end keeps;
 *   <li>a prompt is cut only if it exceeds the budget.
 * </ul>
 *
 * <p>What layers with a sliding window cannot use of equal budgets flows to those that can, theirs for sure, and the seats are
 * about the rest, among layers that see equally far ({@link ReachDivision}). A layer's sure part is known beforehand; a layer
 * that joins takes its own off the seats, so that the others' still can only become fewer, and the three promises hold with
 * caps of any sizes.
 *
 * <p>Why not largest remainders: they need rounded-up counts in the stages before the last one to be nested, which exceeds
 * the total by up to one entry per layer, and with more layers than window + 1 the memory bound.
 *
 * @param budget entries per head and layer on average, window included
 * @param window part of the budget that each layer has for sure
 * @param claims the layers' preferences
 */
record WaterfillBudget(int budget, int window, Preference claims) implements BudgetAllocator {
    @Override
    public boolean usesWindowAttention() {
        return true;
    }

    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public float preference(@Nullable WindowStatistics statistics) {
        return claims.of(statistics);
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return stage.candidatesOfFirst(stage.layers()) <= stage.total(budget, window);
    }

    @Override
    public int[] allocate(Stage stage) {
        double[] preferences = new double[stage.seen()];
        for (int layer = 0; layer < preferences.length; layer++) {
            preferences[layer] = stage.preference(layer);
        }
        // No layer is given more than it holds. In a first turn the candidates would give the same counts: nobody is
        // given
        // what an earlier stage took. In a later turn, whose total grows from stage to stage, what a layer has lost
        // must go
        // to the others.
        return ReachDivision.divide(budget, window, stage, preferences);
    }

    /** What each layer has for sure, and the first seats that are left of the total after that. */
    static int[] fillBeside(int[] sure, double[] preferences, long total, int[] caps) {
        long sureInAll = 0;
        int[] room = new int[caps.length];
        for (int layer = 0; layer < caps.length; layer++) {
            sureInAll += sure[layer];
            room[layer] = caps[layer] - sure[layer];
        }
        if (sureInAll > total) {
            // In a later turn, when the layers still to come hold too much.
            double[] shares = new double[sure.length];
            Arrays.setAll(shares, layer -> sure[layer]);
            return fill(shares, total, sure);
        }
        int[] counts = fill(preferences, total - sureInAll, room);
        for (int layer = 0; layer < counts.length; layer++) {
            counts[layer] += sure[layer];
        }
        return counts;
    }

    /**
     * The first {@code total} seats.
     *
     * @param preferences finite, not negative; their number says how many layers take part
     * @param caps as many as {@code preferences}
     */
    static int[] fill(double[] preferences, long total, int[] caps) {
        int layers = preferences.length;
        int[] counts = nearWaterLevel(preferences, total, caps);
        long sum = 0;
        for (int count : counts) {
            sum += count;
        }
        // From near the solution to the solution: one seat at a time, at most about as many as there are layers.
        while (true) {
            int next = -1;
            int last = -1;
            for (int layer = 0; layer < layers; layer++) {
                if (counts[layer] < caps[layer]
                        && (next < 0 || before(preferences, layer, counts[layer], next, counts[next]))) {
                    next = layer;
                }
                if (counts[layer] > 0
                        && (last < 0 || before(preferences, last, counts[last] - 1, layer, counts[layer] - 1))) {
                    last = layer;
                }
            }
            boolean room = sum < total && next >= 0;
            boolean tooMany = sum > total;
            boolean swap = !room
                    && !tooMany
                    && next >= 0
                    && last >= 0
                    && before(preferences, next, counts[next], last, counts[last] - 1);
            if (!room && !tooMany && !swap) {
                return counts;
            }
            if (room || swap) {
                counts[next]++;
                sum++;
            }
            if (tooMany || swap) {
                counts[last]--;
                sum--;
            }
        }
    }

    /** Whether seat {@code k} of layer {@code a} comes before seat {@code j} of layer {@code b}. */
    private static boolean before(double[] preferences, int a, int k, int b, int j) {
        double first = preferences[a] / (2.0 * k + 1);
        double second = preferences[b] / (2.0 * j + 1);
        if (first != second) {
            return first > second;
        }
        return k != j ? k < j : a < b;
    }

    /** The real water levels, rounded: within a few seats of the solution. Layers without preference share what is left. */
    private static int[] nearWaterLevel(double[] preferences, long total, int[] caps) {
        int layers = preferences.length;
        int[] counts = new int[layers];
        boolean[] full = new boolean[layers];
        long left = total;
        for (int pass = 0; pass < 2; pass++) {
            boolean positive = pass == 0;
            boolean again = true;
            while (again) {
                again = false;
                double weight = 0;
                for (int layer = 0; layer < layers; layer++) {
                    if (preferences[layer] > 0 == positive && !full[layer]) {
                        weight += positive ? preferences[layer] : 1;
                    }
                }
                long available = left;
                for (int layer = 0; layer < layers; layer++) {
                    if (preferences[layer] > 0 == positive && !full[layer]) {
                        double real = (positive ? preferences[layer] : 1) / weight * available;
                        counts[layer] = (int) Math.min(caps[layer], Math.rint(real));
                        if (real >= caps[layer]) {
                            full[layer] = true;
                            left -= caps[layer];
                            again = true;
                        }
                    }
                }
                left = Math.max(0, left);
            }
            for (int layer = 0; layer < layers; layer++) {
                if (preferences[layer] > 0 == positive && !full[layer]) {
                    left -= counts[layer];
                }
            }
            left = Math.max(0, left);
        }
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        return Math.min(stage.candidatesOfFirst(stage.seen()), stage.total(budget, window));
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }
}
