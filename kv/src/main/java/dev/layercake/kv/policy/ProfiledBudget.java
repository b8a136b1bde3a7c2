package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * A count for each KV head of each layer, the same for every prompt: BaKlaVa (arXiv 2502.13176; no published code). A
 * profile says how important each head is, a division what it gets for that; heads that would get more than a prompt has
 * leave it to the others (water-filling), and the integers' sum is the total exactly (largest remainders).
 *
 * <p>Deviations from what is known of the paper: window and {@code sure} come first and only the rest is divided, so that
 * no head loses them. A text that fits whole is kept whole, and then every head may grow to the average: static counts
 * begin with a prompt that must be cut. In a later turn a head is capped by what the heads of its layer hold on average.
 *
 * @param profile the importance of each head
 * @param budget entries per head and layer on average, window included
 * @param window part of the budget that every head has for sure
 * @param sure further entries that every head has for sure
 * @param division of the rest
 */
record ProfiledBudget(HeadProfile profile, int budget, int window, int sure, HeadDivision division)
        implements BudgetAllocator {
    @Override
    public boolean monotone() {
        return true;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return stage.candidatesOfFirst(stage.layers()) <= total(stage);
    }

    /** Entries per head, on average, that all layers together keep besides the window. */
    private long total(Stage stage) {
        return (long) uncutCount() * stage.layers() + stage.lookback().unusable(window);
    }

    /** What the heads of each layer get on average, rounded up. */
    @Override
    public int[] allocate(Stage stage) {
        int[] counts = counts(stage);
        int heads = profile.kvHeads();
        int[] averages = new int[stage.seen()];
        for (int layer = 0; layer < averages.length; layer++) {
            long sum = 0;
            for (int head = 0; head < heads; head++) {
                sum += counts[layer * heads + head];
            }
            averages[layer] = (int) ((sum + heads - 1) / heads);
        }
        return averages;
    }

    @Override
    public int[] heads(Stage stage, int layer, int count, float[][] scores) {
        int heads = profile.kvHeads();
        return Arrays.copyOfRange(counts(stage), layer * heads, (layer + 1) * heads);
    }

    /** The counts of all heads, layer by layer. */
    private int[] counts(Stage stage) {
        int heads = profile.kvHeads();
        int[] divided = new int[stage.layers()];
        for (int layer = 0; layer < divided.length; layer++) {
            divided[layer] = Math.max(0, stage.candidates(layer) - sure);
        }
        int[] more = ReachDivision.flow(budget, window + sure, stage.lookback(), divided);
        int[] caps = new int[profile.layers() * heads];
        long total =
                (long) (budget - window - sure) * caps.length + stage.lookback().unusable(window + sure) * heads;
        for (int i = 0; i < caps.length; i++) {
            caps[i] = divided[i / heads] - more[i / heads];
            total -= more[i / heads];
        }
        int[] counts = LargestRemainder.divide(division.shares(profile.all()), total, caps);
        for (int i = 0; i < counts.length; i++) {
            counts[i] += sure + more[i / heads];
        }
        return counts;
    }

    @Override
    public long atMost(Stage stage) {
        return Math.min(stage.candidatesOfFirst(stage.seen()), total(stage));
    }

    @Override
    public boolean ragged() {
        return true;
    }

    @Override
    public int uncutCount() {
        return budget - window;
    }
}
