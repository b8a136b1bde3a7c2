package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class MeanIntervalTest {
    /** Worked out by hand: mean 3, standard deviation of the mean sqrt(10 / 4 / 5) = 0.70711, t(4) = 2.7764. */
    @Test
    void knownValues() {
        MeanInterval interval = MeanInterval.of(List.of(1.0, 2.0, 3.0, 4.0, 5.0));
        assertThat(interval.mean()).isEqualTo(3);
        assertThat(interval.low()).isCloseTo(3 - 1.96321, within(1e-4));
        assertThat(interval.high()).isCloseTo(3 + 1.96321, within(1e-4));
    }

    /** From tables of the distribution: t(11) = 2.2010, t(30) = 2.0423, t(120) = 1.9799. */
    @Test
    void quantilesBeyondTheTable() {
        for (double[] known : new double[][] {{11, 2.2010}, {30, 2.0423}, {120, 1.9799}}) {
            int count = (int) known[0] + 1;
            List<Double> values =
                    IntStream.range(0, count).mapToObj(index -> index * 0.5).toList();
            MeanInterval interval = MeanInterval.of(values);
            double squares = values.stream()
                    .mapToDouble(value -> (value - interval.mean()) * (value - interval.mean()))
                    .sum();
            double ofMean = Math.sqrt(squares / (count - 1) / count);
            assertThat((interval.high() - interval.mean()) / ofMean).isCloseTo(known[1], within(2e-4));
        }
    }

    @Test
    void oneValueHasNoInterval() {
        MeanInterval interval = MeanInterval.of(Collections.singletonList(0.5));
        assertThat(interval.mean()).isEqualTo(0.5);
        assertThat(interval.low()).isNaN();
        assertThatThrownBy(() -> MeanInterval.of(List.of())).isInstanceOf(IllegalArgumentException.class);
    }
}
