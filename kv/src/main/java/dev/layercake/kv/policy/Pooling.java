package dev.layercake.kv.policy;

import java.util.Locale;

/** How a row of scores is smoothed along the cache. */
enum Pooling {
    /** Mean over the kernel's width; zeros beyond the ends count, so that the ends are lowered. */
    AVG,
    /** Maximum over the part of the kernel that lies inside. */
    MAX;

    /** The pooled row. */
    double[] pooled(double[] row, int count, int kernel) {
        double[] result = new double[count];
        int reach = kernel / 2;
        for (int i = 0; i < count; i++) {
            int first = Math.max(0, i - reach);
            int last = Math.min(count - 1, i + reach);
            double pooled;
            if (this == AVG) {
                double sum = 0;
                for (int j = first; j <= last; j++) {
                    sum += row[j];
                }
                pooled = sum / kernel;
            } else {
                pooled = row[first];
                for (int j = first + 1; j <= last; j++) {
                    pooled = Math.max(pooled, row[j]);
                }
            }
            result[i] = pooled;
        }
        return result;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
