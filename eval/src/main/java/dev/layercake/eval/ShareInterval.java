package dev.layercake.eval;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Where a share lies that was seen in a sample, at 95 %.
 *
 * @param low at most {@code high}
 * @param high between 0 and 1 for shares, between -1 and 1 for differences of shares
 */
public record ShareInterval(double low, double high) {
    /** 97.5 % quantile of the normal distribution. */
    private static final double Z = 1.959963984540054;

    private static final int RESAMPLES = 10_000;

    /**
     * The score interval of Wilson (1927) for so many successes in so many trials, which unlike the usual one is sensible for few
     * samples and for shares of 0 and 1; everything is possible if there were none.
     */
    public static ShareInterval of(long successes, long trials) {
        if (successes < 0 || successes > trials) {
            throw new IllegalArgumentException(successes + " successes in " + trials + " trials");
        }
        if (trials == 0) {
            return new ShareInterval(0, 1);
        }
        double share = (double) successes / trials;
        double square = Z * Z / trials;
        double centre = (share + square / 2) / (1 + square);
        double reach = Z / (1 + square) * Math.sqrt(share * (1 - share) / trials + square / trials / 4);
        double low = successes == 0 ? 0 : centre - reach;
        double high = successes == trials ? 1 : centre + reach;
        return new ShareInterval(low, high);
    }

    /**
     * The interval of the mean of several groups' means, by drawing 10,000 times with replacement within each group (Efron's
     * bootstrap, percentiles); the same values give the same interval.
     *
     * @param groups scores or differences of scores, none empty
     */
    public static ShareInterval bootstrap(List<double[]> groups) {
        SplittableRandom random = new SplittableRandom(20_150_427);
        double[] means = new double[RESAMPLES];
        for (int draw = 0; draw < RESAMPLES; draw++) {
            double sum = 0;
            for (double[] group : groups) {
                double drawn = 0;
                for (int i = 0; i < group.length; i++) {
                    drawn += group[random.nextInt(group.length)];
                }
                sum += drawn / group.length;
            }
            means[draw] = sum / groups.size();
        }
        Arrays.sort(means);
        return new ShareInterval(means[RESAMPLES / 40], means[RESAMPLES - RESAMPLES / 40 - 1]);
    }
}
