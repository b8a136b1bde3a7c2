package dev.layercake.eval.python;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** How Python and NumPy round and add up. */
public final class PythonNumbers {
    /** NumPy adds longer lists as two halves. */
    private static final int BLOCK = 128;

    private PythonNumbers() {}

    /** {@code round(value, digits)}: half to even on the exact binary value; NaN and infinities stay. */
    public static double round(double value, int digits) {
        return Double.isFinite(value)
                ? new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).doubleValue()
                : value;
    }

    /** {@code "%.<digits>f" % value}. */
    public static String fixed(double value, int digits) {
        return new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
    }

    /** {@code numpy.mean(values)}, which adds in pairs; NaN of nothing. */
    public static double mean(double[] values) {
        return sum(values, 0, values.length) / values.length;
    }

    private static double sum(double[] values, int from, int count) {
        if (count < 8) {
            double sum = 0;
            for (int i = 0; i < count; i++) {
                sum += values[from + i];
            }
            return sum;
        }
        if (count > BLOCK) {
            int half = count / 2 - count / 2 % 8;
            return sum(values, from, half) + sum(values, from + half, count - half);
        }
        double[] lanes = new double[8];
        int whole = count - count % 8;
        for (int i = 0; i < whole; i++) {
            lanes[i % 8] += values[from + i];
        }
        double sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
        for (int i = whole; i < count; i++) {
            sum += values[from + i];
        }
        return sum;
    }
}
