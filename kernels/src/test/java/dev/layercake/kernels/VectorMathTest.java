package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    @BeforeEach
    void onlyWidthsOfThisMachine() {
        SimdKernelsTest.assumeWidth();
    }

    @Test
    void expIsAccurateOverTheWholeRange() {
        assertThat(worst(-86.9f, 88, VectorMath::exp, Math::exp)).isLessThan(1.5e-7);
    }

    @Test
    void expHasItsLimits() {
        assertThat(apply(Float.NEGATIVE_INFINITY, VectorMath::exp)).isZero();
        assertThat(apply(-1000, VectorMath::exp)).isZero();
        assertThat(apply(0, VectorMath::exp)).isEqualTo(1);
        assertThat(apply(1000, VectorMath::exp)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(apply(Float.NaN, VectorMath::exp)).isNaN();
    }

    @Test
    void logIsAccurate() {
        assertThat(worst(1e-10f, 0.9f, VectorMath::log, Math::log)).isLessThan(4e-7);
        assertThat(worst(1.1f, 1000, VectorMath::log, Math::log)).isLessThan(4e-7);
        assertThat(apply(1, VectorMath::log)).isZero();
        assertThat(apply(0x1p-126f, VectorMath::log)).isCloseTo((float) Math.log(0x1p-126), within(1e-5f));
    }

    @Test
    void tanhIsAccurateOnBothSidesOfItsSeam() {
        assertThat(worst(1e-6f, 0.5f, VectorMath::tanh, Math::tanh)).isLessThan(2e-6);
        assertThat(worst(0.5f, 12, VectorMath::tanh, Math::tanh)).isLessThan(2e-6);
        assertThat(apply(-100, VectorMath::tanh)).isEqualTo(-1);
    }

    @Test
    void sigmoidIsAccurate() {
        assertThat(worst(-30, 30, VectorMath::sigmoid, x -> 1 / (1 + Math.exp(-x))))
                .isLessThan(5e-7);
    }

    private static float apply(float x, UnaryOperator<FloatVector> function) {
        return function.apply(VectorWidth.broadcast(x)).lane(0);
    }

    /** The largest relative error on an even grid. */
    private static double worst(float from, float to, UnaryOperator<FloatVector> function, DoubleUnaryOperator exact) {
        double worst = 0;
        int steps = 8_000;
        float[] grid = new float[VectorWidth.LANES];
        for (int i = 0; i < steps; i += grid.length) {
            for (int lane = 0; lane < grid.length; lane++) {
                grid[lane] = from + (to - from) * (i + lane) / (steps + grid.length);
            }
            FloatVector result = function.apply(FloatVector.fromArray(VectorWidth.FLOATS, grid, 0));
            for (int lane = 0; lane < grid.length; lane++) {
                double expected = exact.applyAsDouble(grid[lane]);
                worst = Math.max(worst, Math.abs(result.lane(lane) / expected - 1));
            }
        }
        return worst;
    }
}
