package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import org.jspecify.annotations.Nullable;

/**
 * A layer's claim on the total: dispersion^(1/tau1) x shift^(1/tau2) (CAKE, arXiv 2503.12491, section 4.1), where the
 * dispersion is the entropy of the window's attention and the shift the sum of its variances, both over all query heads.
 *
 * @param tau1 tempers the dispersion
 * @param tau2 tempers the shift
 */
record Preference(double tau1, double tau2) {
    /** The claim, rounded to float32 after each step as the published code does. */
    float of(@Nullable WindowStatistics statistics) {
        if (statistics == null) {
            return 0;
        }
        float dispersion = (float) Math.pow((float) statistics.entropy(), 1 / tau1);
        float shift = (float) Math.pow((float) statistics.varianceSum(), 1 / tau2);
        return dispersion * shift;
    }
}
