package dev.layercake.kv.policy;

import java.util.Arrays;

/** Divides a whole number by shares, exactly: water-filling up to caps, then largest remainders. */
final class LargestRemainder {
    private LargestRemainder() {}

    /**
     * Whole numbers in proportion to shares. Nobody gets more than his cap; what he leaves goes to the others in proportion
     * again. Of equal remainders the first wins.
     *
     * @param shares finite, not negative; where all that are left are 0 they count as equal
     * @param caps as many as {@code shares}, not negative
     * @return numbers whose sum is {@code min(total, sum of caps)}
     */
    static int[] divide(double[] shares, long total, int[] caps) {
        double[] real = waterLevels(shares, total, caps);
        int[] counts = new int[shares.length];
        long left = Math.min(total, Arrays.stream(caps).asLongStream().sum());
        for (int i = 0; i < counts.length; i++) {
            counts[i] = (int) Math.min(caps[i], Math.max(0, Math.floor(real[i])));
            left -= counts[i];
        }
        giveRemainders(real, caps, counts, left);
        return counts;
    }

    /** Real numbers under the caps whose sum is the total, up to rounding. */
    private static double[] waterLevels(double[] shares, long total, int[] caps) {
        double[] real = new double[shares.length];
        boolean[] full = new boolean[shares.length];
        double left = total;
        boolean again = true;
        while (again) {
            again = false;
            double weight = 0;
            int open = 0;
            for (int i = 0; i < shares.length; i++) {
                weight += full[i] ? 0 : shares[i];
                open += full[i] ? 0 : 1;
            }
            double available = left;
            for (int i = 0; i < shares.length; i++) {
                if (!full[i]) {
                    real[i] = weight > 0 ? shares[i] / weight * available : available / open;
                    if (real[i] >= caps[i]) {
                        real[i] = caps[i];
                        full[i] = true;
                        left -= caps[i];
                        again = true;
                    }
                }
            }
            left = Math.max(0, left);
        }
        return real;
    }

    /** One more for each of the largest remainders; a few rounds, should rounding errors ask for them. */
    private static void giveRemainders(double[] real, int[] caps, int[] counts, long left) {
        long missing = left;
        while (missing > 0) {
            Integer[] order = new Integer[counts.length];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> Double.compare(real[b] - counts[b], real[a] - counts[a]));
            for (int i : order) {
                if (missing > 0 && counts[i] < caps[i]) {
                    counts[i]++;
                    missing--;
                }
            }
        }
        for (int i = counts.length - 1; missing < 0; i = i == 0 ? counts.length - 1 : i - 1) {
            if (counts[i] > 0) {
                counts[i]--;
                missing++;
            }
        }
    }
}
