package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Shares become whole numbers of exactly the total. */
final class LargestRemainderTest {
    @Test
    void byHand() {
        int[] roomy = {100, 100, 100};
        assertThat(LargestRemainder.divide(new double[] {1, 2, 7}, 12, new int[] {6, 6, 6}))
                .containsExactly(2, 4, 6);
        assertThat(LargestRemainder.divide(new double[] {1, 1, 1}, 10, roomy)).containsExactly(4, 3, 3);
        assertThat(LargestRemainder.divide(new double[] {0.24, 0.36, 0.4}, 10, roomy))
                .containsExactly(2, 4, 4);
        assertThat(LargestRemainder.divide(new double[] {0, 0, 1}, 10, new int[] {9, 9, 3}))
                .containsExactly(4, 3, 3);
        assertThat(LargestRemainder.divide(new double[] {5, 1, 1}, 10, new int[] {1, 2, 3}))
                .containsExactly(1, 2, 3);
        assertThat(LargestRemainder.divide(new double[] {1}, 0, new int[] {3})).containsExactly(0);
    }

    @Test
    void alwaysExactAndUnderTheCaps() {
        Random random = new Random(7);
        for (int run = 0; run < 3000; run++) {
            int heads = 1 + random.nextInt(40);
            double[] shares = random.doubles(heads).map(x -> Math.pow(x, 6)).toArray();
            int[] caps = random.ints(heads, 0, 200).toArray();
            long total = random.nextInt(200 * heads);
            int[] counts = LargestRemainder.divide(shares, total, caps);
            assertThat(Arrays.stream(counts).sum())
                    .isEqualTo((int) Math.min(total, Arrays.stream(caps).sum()));
            for (int i = 0; i < heads; i++) {
                assertThat(counts[i]).isBetween(0, caps[i]);
                for (int j = 0; j < heads; j++) {
                    if (shares[i] > shares[j] && counts[i] < caps[i]) {
                        assertThat(counts[i]).isGreaterThanOrEqualTo(counts[j] - 1);
                    }
                }
            }
        }
    }

    @Test
    void divisions() {
        double[] importance = {0.1, 0.4, 0.3, 0.2};
        assertThat(HeadDivision.UNIFORM.shares(importance)).containsExactly(1, 1, 1, 1);
        assertThat(HeadDivision.power(1, 0.5).shares(importance))
                .usingComparatorWithPrecision(1e-12)
                .containsExactly(0.7, 1.3, 1.1, 0.9);
        assertThat(HeadDivision.power(2, 0).shares(new double[] {0, 0})).containsExactly(1, 1);
        assertThat(HeadDivision.twoLevel(0.25, 2).shares(importance))
                .usingComparatorWithPrecision(1e-12)
                .containsExactly(2 / 3.0, 2, 2 / 3.0, 2 / 3.0);
        assertThat(HeadDivision.twoLevel(0.01, 9).shares(importance)).containsExactly(1, 1, 1, 1);
    }
}
