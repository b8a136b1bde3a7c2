package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * Divides each layer's count among its heads: Ada-KV (arXiv 2407.11550; FFY0/AdaKV efe4e2e). The heads' best scores
 * compete for (1 - alpha) of what the layer keeps; the rest is every head's own, so that none starves. Layers are whoever's
 * matter: uniform, a pyramid, CAKE. When a cascade cuts a layer again, its heads compete with what they still hold, and one
 * may end an entry off what a single cut would have given it.
 *
 * @param layers divides the total among the layers
 * @param alpha share of a head's count that it has for sure
 * @param normalized whether a head's scores count relative to how much of its attention the count would catch
 * @param rounding of the heads' counts
 * @param skip first layers whose heads do not compete
 */
record AdaptiveHeads(BudgetAllocator layers, double alpha, boolean normalized, Rounding rounding, int skip)
        implements HeadAllocator {
    /** How shares become counts. */
    enum Rounding {
        /** In proportion to the shares, so that they add up to the layer's count. */
        EXACT,
        /** One by one, to even, as in the published code: their sum differs by a few entries. */
        OFFICIAL,
        /**
         * Each head has the floor for sure, the window counted in, and the best of all others share what is left:
         * AdaKVPress of kvpress 8bb29b9. They add up too.
         */
        FLOOR
    }

    @Override
    public boolean monotone() {
        return rounding == Rounding.EXACT && layers.monotone();
    }

    /** The published code cuts a layer whose prompt is exactly as long as its count, and may lose entries to rounding. */
    @Override
    public boolean keepsAll(Stage stage) {
        return layers.keepsAll(stage) && !(rounding == Rounding.OFFICIAL && fitsExactly(stage));
    }

    private boolean fitsExactly(Stage stage) {
        boolean published = layers instanceof UniformBudget
                || (layers instanceof PyramidBudget pyramid && pyramid.rounding() == PyramidBudget.Rounding.ADAKV);
        if (!published) {
            return false;
        }
        int[] counts = layers.allocate(stage);
        for (int layer = skip; layer < counts.length; layer++) {
            if (counts[layer] == stage.candidates(layer)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public long atMost(Stage stage) {
        // Rounding one by one exceeds the count by half an entry per head at most.
        return Math.min(
                stage.candidatesOfFirst(stage.seen()),
                layers.atMost(stage) + (rounding == Rounding.OFFICIAL ? stage.seen() : 0));
    }

    @Override
    public int[] heads(Stage stage, int layer, int count, float[][] scores) {
        return layer < skip ? layers.heads(stage, layer, count, scores) : heads(count, scores);
    }

    @Override
    public int[] heads(int count, float[][] scores) {
        int heads = scores.length;
        long held = 0;
        for (float[] head : scores) {
            held += head.length;
        }
        int[] counts = new int[heads];
        // The published code lets a layer that fits exactly lose an entry to rounding.
        if (held < (long) count * heads || (rounding != Rounding.OFFICIAL && held == (long) count * heads)) {
            long spare = (long) count * heads - held;
            for (int head = 0; head < heads; head++) {
                counts[head] = (int) (scores[head].length + spare * (head + 1) / heads - spare * head / heads);
            }
            return counts;
        }
        if (rounding == Rounding.FLOOR) {
            int window = layers.budget() - layers.uncutCount();
            return winners(count, Math.max(0, (int) ((count + window) * alpha) - window), scores);
        }
        int[] won = winners(count, 0, scores);
        int floor = (int) (count * alpha);
        for (int head = 0; head < heads; head++) {
            // In float32, as torch has it.
            counts[head] = (int) Math.rint(won[head] * (float) (1 - alpha) + floor);
        }
        return rounding == Rounding.EXACT ? exactly(count, scores, won) : counts;
    }

    /** Of the best count x heads scores of the layer, how many each head has; {@code sure} of them it has anyway. */
    private int[] winners(int count, int sure, float[][] scores) {
        int heads = scores.length;
        double[][] sorted = new double[heads][];
        int total = 0;
        for (int head = 0; head < heads; head++) {
            sorted[head] = descending(scores[head], count);
            total += sorted[head].length;
        }
        int[] won = new int[heads];
        int given = 0;
        for (int head = 0; head < heads; head++) {
            won[head] = Math.min(sure, sorted[head].length);
            given += won[head];
        }
        for (int seat = given; seat < Math.min(total, (long) count * heads); seat++) {
            int best = -1;
            for (int head = 0; head < heads; head++) {
                if (won[head] < sorted[head].length
                        && (best < 0 || sorted[head][won[head]] > sorted[best][won[best]])) {
                    best = head;
                }
            }
            won[best]++;
        }
        return won;
    }

    private double[] descending(float[] scores, int count) {
        float[] ascending = scores.clone();
        Arrays.sort(ascending);
        double[] sorted = new double[ascending.length];
        double sum = 0;
        double caught = 0;
        for (int i = 0; i < sorted.length; i++) {
            float score = ascending[sorted.length - 1 - i];
            sorted[i] = Float.isNaN(score) ? Double.NEGATIVE_INFINITY : score;
            // What must stay has an infinite score, and no attention to weigh.
            double weighed = score == Float.POSITIVE_INFINITY ? 0 : sorted[i];
            sum += weighed;
            caught += i < count ? weighed : 0;
        }
        if (normalized && sum > 0) {
            for (int i = 0; i < sorted.length; i++) {
                sorted[i] *= caught / sum;
            }
        }
        return sorted;
    }

    /** As many as the heads' shares say, no head above what it holds, all together the layer's count. */
    private int[] exactly(int count, float[][] scores, int[] won) {
        double[] shares = new double[won.length];
        int[] caps = new int[won.length];
        for (int head = 0; head < won.length; head++) {
            shares[head] = won[head] * (1 - alpha) + count * alpha;
            caps[head] = scores[head].length;
        }
        return WaterfillBudget.fill(shares, (long) count * won.length, caps);
    }
}
