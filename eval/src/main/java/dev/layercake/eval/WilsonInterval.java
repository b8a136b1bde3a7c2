package dev.layercake.eval;

/**
 * Where a share lies that was seen in a sample: the 95 % score interval of Wilson (1927), which unlike the usual one is
 * sensible for few samples and for shares of 0 and 1.
 *
 * @param low between 0 and 1
 * @param high between 0 and 1
 */
public record WilsonInterval(double low, double high) {
    /** 97.5 % quantile of the normal distribution. */
    private static final double Z = 1.959963984540054;

    /** The interval for so many successes in so many trials; everything is possible if there were none. */
    public static WilsonInterval of(long successes, long trials) {
        if (successes < 0 || successes > trials) {
            throw new IllegalArgumentException(successes + " successes in " + trials + " trials");
        }
        if (trials == 0) {
            return new WilsonInterval(0, 1);
        }
        double share = (double) successes / trials;
        double square = Z * Z / trials;
        double centre = (share + square / 2) / (1 + square);
        double reach = Z / (1 + square) * Math.sqrt(share * (1 - share) / trials + square / trials / 4);
        double low = successes == 0 ? 0 : centre - reach;
        double high = successes == trials ? 1 : centre + reach;
        return new WilsonInterval(low, high);
    }
}
