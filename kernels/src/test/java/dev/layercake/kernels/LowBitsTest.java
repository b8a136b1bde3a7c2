package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows of few bits: the numbers and their size. */
class LowBitsTest {
    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void close() {
        arena.close();
    }

    @Test
    void twoBitsReachFromMinimumToMaximum() {
        assertThat(roundTrip(new LowBits(2, 4), -1f, -0.2f, 0.3f, 1f))
                .containsExactly(new float[] {-1, -1 / 3f, 1 / 3f, 1}, within(6e-4f));
    }

    @Test
    void oneBitHasItsLevelsAtTheQuarters() {
        assertThat(roundTrip(new LowBits(1, 4), -1f, -0.2f, 0.3f, 1f)).containsExactly(-0.5f, -0.5f, 0.5f, 0.5f);
    }

    @Test
    void equalElementsStayWhatTheyAre() {
        for (int bits = 1; bits <= 4; bits++) {
            assertThat(roundTrip(new LowBits(bits, 3), 1.5f, 1.5f, 1.5f, -2f, -2f, -2f, 0.25f))
                    .containsExactly(1.5f, 1.5f, 1.5f, -2f, -2f, -2f, 0.25f);
        }
    }

    @Test
    void hugeAndTinyRangesStayFinite() {
        for (float x : roundTrip(new LowBits(2, 2), -1e30f, 1e30f, 1e-30f, -1e-30f)) {
            assertThat(x).isFinite();
        }
    }

    @Test
    void aRowTakesItsBitsAndThirtyTwoPerGroup() {
        assertThat(new LowBits(2, 64).rowBytes(128)).isEqualTo(128 * 2 / 8 + 2 * 4);
        assertThat(new LowBits(3, 64).rowBytes(128)).isEqualTo(128 * 3 / 8 + 2 * 4);
        assertThat(new LowBits(4, 40).rowBytes(80)).isEqualTo(80 * 4 / 8 + 2 * 4);
        assertThat(new LowBits(1, 32).rowBytes(64)).isEqualTo(64 / 8 + 2 * 4);
        assertThat(new LowBits(3, 12).rowBytes(24)).as("whole eights").isEqualTo(2 * 2 * 3 + 2 * 4);
        assertThat(new LowBits(2, 8).rowBytes(17)).isEqualTo(3 * 2 + 3 * 4);
        assertThatThrownBy(() -> new LowBits(5, 8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new LowBits(2, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    /** The nearest of the levels that the group's float16 scale and offset span, computed in double precision. */
    @ParameterizedTest
    @CsvSource({"1, 64, 128", "2, 64, 128", "3, 64, 128", "4, 64, 128", "2, 7, 17", "3, 12, 24", "4, 40, 80", "3, 3, 5"
    })
    void roundsToTheNearestLevel(int bits, int group, int elements) {
        LowBits type = new LowBits(bits, group);
        Random numbers = new Random(bits * 100L + elements);
        float[] x = new float[elements];
        for (int i = 0; i < elements; i++) {
            x[i] = (float) (numbers.nextGaussian() * Math.exp(numbers.nextGaussian()));
        }
        float[] actual = roundTrip(type, x);
        for (int first = 0; first < elements; first += group) {
            int end = Math.min(elements, first + group);
            double least = Double.POSITIVE_INFINITY;
            double most = Double.NEGATIVE_INFINITY;
            for (int i = first; i < end; i++) {
                least = Math.min(least, x[i]);
                most = Math.max(most, x[i]);
            }
            int largest = (1 << bits) - 1;
            double scale = half(bits == 1 ? (most - least) / 2 : (most - least) / largest);
            double offset = half(bits == 1 ? (3 * least + most) / 4 : least);
            for (int i = first; i < end; i++) {
                long code = scale == 0 ? 0 : Math.clamp(Math.round((x[i] - offset) / scale), 0, largest);
                double expected = offset + scale * code;
                double other = offset + scale * Math.clamp(Math.round((x[i] - offset) / scale) - 1, 0, largest);
                // Exactly between two levels, single and double precision may differ.
                double nearest = Math.abs(actual[i] - expected) <= Math.abs(actual[i] - other) ? expected : other;
                assertThat((double) actual[i]).isCloseTo(nearest, within(1e-6 * (Math.abs(offset) + scale * largest)));
                assertThat(Math.abs(actual[i] - x[i])).isLessThanOrEqualTo((float)
                        (scale * (bits == 1 ? 0.51 : 0.5) + 2e-3 * Math.abs(most - least) + 1e-3 * Math.abs(offset)));
            }
        }
    }

    private static double half(double value) {
        return Float.float16ToFloat(Float.floatToFloat16((float) value));
    }

    private float[] roundTrip(LowBits type, float... x) {
        Tensor source = Tensor.of(arena, 1, x.length, x);
        long row = arena.allocate(type.rowBytes(x.length)).address();
        BlockCodec.encode(type, source.address(), row, x.length);
        Tensor target = Tensor.allocate(arena, DType.F32, 1, x.length);
        BlockCodec.decode(type, row, target.address(), x.length);
        return target.toArray();
    }
}
