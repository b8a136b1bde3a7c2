package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ShareIntervalTest {
    /** Values worked out by hand from (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with z = 1.959964. */
    @Test
    void knownValues() {
        check(0, 10, 0, 0.277533);
        check(10, 10, 0.722467, 1);
        check(1, 2, 0.094531, 0.905469);
        check(5, 10, 0.236593, 0.763407);
        check(81, 263, 0.255289, 0.366210);
        check(0, 0, 0, 1);
    }

    @Test
    void theShareLiesInsideAndMoreTrialsNarrow() {
        double width = 1;
        for (int trials = 4; trials <= 4096; trials *= 2) {
            ShareInterval interval = ShareInterval.of(trials / 4, trials);
            assertThat(0.25).isBetween(interval.low(), interval.high());
            assertThat(interval.high() - interval.low()).isLessThan(width);
            width = interval.high() - interval.low();
        }
    }

    @Test
    void moreSuccessesThanTrialsAreNonsense() {
        assertThatThrownBy(() -> ShareInterval.of(3, 2)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ShareInterval.of(-1, 2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theBootstrapIsTheSameEveryTimeAndAboutTheNormalOne() {
        double[] scores = new double[400];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = i % 5 / 4.0;
        }
        ShareInterval interval = ShareInterval.bootstrap(List.of(scores));
        assertThat(ShareInterval.bootstrap(List.of(scores))).isEqualTo(interval);
        // The scores' standard deviation is sqrt(1/8), that of their mean a twentieth of it.
        double reach = 1.96 * Math.sqrt(1 / 8.0) / 20;
        assertThat(interval.low()).isEqualTo(0.5 - reach, within(0.003));
        assertThat(interval.high()).isEqualTo(0.5 + reach, within(0.003));
    }

    @Test
    void groupsCountTheSameHoweverManyTheyHold() {
        ShareInterval interval = ShareInterval.bootstrap(List.of(new double[] {1}, new double[100]));
        assertThat(interval).isEqualTo(new ShareInterval(0.5, 0.5));
    }

    private static void check(int successes, int trials, double low, double high) {
        ShareInterval interval = ShareInterval.of(successes, trials);
        assertThat(interval.low()).isCloseTo(low, within(1e-5));
        assertThat(interval.high()).isCloseTo(high, within(1e-5));
    }
}
