package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * How a total is divided among the KV heads of all layers by their importance (BaKlaVa, arXiv 2502.13176, whose rule is
 * known in outline only: raise the budgets of important caches, shrink the others).
 *
 * @param rule which of the two
 * @param power of the importance, for {@link Rule#POWER}; 0 makes all heads equal
 * @param least what every head has for sure, as a share of the average, for {@link Rule#POWER}
 * @param share of the heads that count as important, for {@link Rule#TWOLEVEL}
 * @param factor times the average for each of them, for {@link Rule#TWOLEVEL}; {@code share * factor} is below 1
 */
public record HeadDivision(Rule rule, double power, double least, double share, double factor) {
    /** The shape of a division. */
    public enum Rule {
        /** {@code least + (1 - least) * importance^power / mean(importance^power)} times the average. */
        POWER,
        /** The most important heads get {@code factor} times the average, the others what is left, equally. */
        TWOLEVEL
    }

    /** The same for every head. */
    public static final HeadDivision UNIFORM = power(0, 0.25);

    /** What holds where no search has chosen. */
    public static final HeadDivision USUAL = power(1, 0.25);

    public HeadDivision {
        if (!(power >= 0 && least >= 0 && least <= 1 && share >= 0 && factor >= 0 && share * factor < 1)) {
            throw new IllegalArgumentException("power " + power + ", least " + least + ", " + share + " x " + factor);
        }
    }

    public static HeadDivision power(double power, double least) {
        return new HeadDivision(Rule.POWER, power, least, 0, 0);
    }

    public static HeadDivision twoLevel(double share, double factor) {
        return new HeadDivision(Rule.TWOLEVEL, 0, 0, share, factor);
    }

    /**
     * What each head gets, in averages: the result's mean is 1.
     *
     * @param importance of each head, finite, not negative
     */
    double[] shares(double[] importance) {
        return rule == Rule.POWER ? byPower(importance) : inTwoLevels(importance);
    }

    private double[] byPower(double[] importance) {
        double[] weights = Arrays.stream(importance)
                .map(value -> power == 0 ? 1 : Math.pow(value, power))
                .toArray();
        double mean = Arrays.stream(weights).average().orElse(1);
        return Arrays.stream(weights)
                .map(weight -> least + (1 - least) * (mean > 0 ? weight / mean : 1))
                .toArray();
    }

    /** Of equally important heads the first counts as the more important one. */
    private double[] inTwoLevels(double[] importance) {
        int heads = importance.length;
        int important = (int) Math.round(share * heads);
        if (important == 0 || important * factor >= heads) {
            important = 0;
        }
        double[] shares = new double[heads];
        Arrays.fill(shares, important == heads ? 1 : (heads - important * factor) / (heads - important));
        Integer[] order = new Integer[heads];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> Double.compare(importance[b], importance[a]));
        for (int i = 0; i < important; i++) {
            shares[order[i]] = factor;
        }
        return shares;
    }
}
