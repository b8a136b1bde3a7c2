package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.Model;
import dev.layercake.model.ModelShape;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SpeedTestTest {
    @Test
    void fillsTheCacheAsThePolicyWouldAndMeasures() {
        Model model = Model.random(ModelShape.named("tiny"), DType.Q8_0, 1);
        try (LanguageModel language =
                LanguageModel.of(model, EngineOptions.builder().threads(2).build())) {
            SpeedTest test = new SpeedTest(language, 1);
            SpeedTest.Result full = test.decode(Policies.full(), 700, 3, 2);
            SpeedTest.Result cake = test.decode(Policies.parse("cake(budget=64)"), 700, 3, 2);
            assertThat(full.speeds()).hasSize(2).allMatch(speed -> speed > 0);
            assertThat(cake.kvBytes()).isLessThan(full.kvBytes() / 3);
            assertThat(full.bytesPerToken()).isEqualTo(model.weightBytes() + full.kvBytes());
            SpeedTest.Result prefill = test.prefill(Policies.parse("cake(budget=64)"), 0, 100, 1);
            assertThat(prefill.prefill()).isTrue();
            assertThat(prefill.deviation()).isZero();
            assertThat(prefill.policyShare()).isBetween(Double.MIN_VALUE, 1.0);
            assertThat(cake.policyShare()).isBetween(Double.MIN_VALUE, 1.0);
            assertThat(language.pool().openLeases()).isZero();
        }
    }

    @Test
    void meansAndDeviationsAreThoseOfASample() {
        SpeedTest.Result result = new SpeedTest.Result(0, 1, false, List.of(1., 2., 3., 4.), 0, 10, 0);
        assertThat(result.mean()).isEqualTo(2.5);
        assertThat(result.deviation()).isEqualTo(Math.sqrt(5 / 3.));
        assertThat(result.bytesPerSecond()).isEqualTo(25);
    }

    @Test
    void memoryIsReadAtSomeSpeed() {
        assertThat(ReadBandwidth.bytesPerSecond(1)).isGreaterThan(1e7);
    }
}
