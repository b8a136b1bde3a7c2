package dev.layercake.eval;

import java.util.Collection;

/**
 * A mean of a few values, and where the mean of all that they are a sample of lies: the 95 % interval by Student's t, which takes
 * the values for independent and about normal.
 *
 * @param low not a number if there is one value only
 * @param high likewise
 */
public record MeanInterval(double mean, double low, double high) {
    /** 97.5 % quantiles of Student's t, for 1 to 10 degrees of freedom. */
    private static final double[] QUANTILES = {
        12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281
    };

    /** 97.5 % quantile of the normal distribution. */
    private static final double Z = 1.959963984540054;

    /** Of at least one value. */
    public static MeanInterval of(Collection<Double> values) {
        int count = values.size();
        if (count == 0) {
            throw new IllegalArgumentException("the mean of no values");
        }
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        double mean = sum / count;
        if (count == 1) {
            return new MeanInterval(mean, Double.NaN, Double.NaN);
        }
        double squares = 0;
        for (double value : values) {
            squares += (value - mean) * (value - mean);
        }
        double reach = quantile(count - 1) * Math.sqrt(squares / (count - 1) / count);
        return new MeanInterval(mean, mean - reach, mean + reach);
    }

    /** Beyond the table by the first terms of its series in the reciprocal of the degrees of freedom (Fisher and Cornish). */
    private static double quantile(int degrees) {
        if (degrees <= QUANTILES.length) {
            return QUANTILES[degrees - 1];
        }
        double third = Math.pow(Z, 3);
        double fifth = Math.pow(Z, 5);
        return Z
                + (third + Z) / (4.0 * degrees)
                + (5 * fifth + 16 * third + 3 * Z) / (96.0 * degrees * degrees)
                + (3 * Math.pow(Z, 7) + 19 * fifth + 17 * third - 15 * Z) / (384.0 * degrees * degrees * degrees);
    }
}
