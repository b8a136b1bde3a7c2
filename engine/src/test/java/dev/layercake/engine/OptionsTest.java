package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class OptionsTest {
    @Test
    void defaultsAreGreedyAndShort() {
        assertThat(GenerationOptions.DEFAULT.greedy()).isTrue();
        assertThat(GenerationOptions.DEFAULT.maxTokens()).isEqualTo(256);
        assertThat(EngineOptions.DEFAULT.threads()).isPositive();
    }

    @Test
    void aBuilderKeepsWhatItIsGiven() {
        GenerationOptions options = GenerationOptions.builder()
                .maxTokens(9)
                .temperature(.7f)
                .topK(40)
                .topP(.9f)
                .minP(.05f)
                .repetitionPenalty(1.1f)
                .penaltyWindow(32)
                .seed(5)
                .stopStrings("a", "b")
                .build();
        assertThat(options.toBuilder().build()).isEqualTo(options);
        assertThat(options.stopStrings()).containsExactly("a", "b");
    }

    @Test
    void valuesOutOfRangeAreRefusedByName() {
        refused(() -> GenerationOptions.builder().maxTokens(0).build(), "Max tokens");
        refused(() -> GenerationOptions.builder().temperature(-1).build(), "Temperature");
        refused(() -> GenerationOptions.builder().temperature(Float.NaN).build(), "Temperature");
        refused(() -> GenerationOptions.builder().topK(-1).build(), "Top-k");
        refused(() -> GenerationOptions.builder().topP(0).build(), "Top-p");
        refused(() -> GenerationOptions.builder().minP(1.5f).build(), "Min-p");
        refused(() -> GenerationOptions.builder().repetitionPenalty(0).build(), "repetition penalty");
        refused(() -> GenerationOptions.builder().penaltyWindow(-1).build(), "penalty window");
        refused(() -> GenerationOptions.builder().stopStrings("").build(), "stop string");
        refused(() -> EngineOptions.builder().threads(0).build(), "Threads");
        refused(() -> EngineOptions.builder().kvMemoryBytes(-1).build(), "KV memory");
    }

    private static void refused(ThrowingCallable call, String word) {
        assertThatThrownBy(call)
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining(word)
                .hasMessageEndingWith(".");
    }
}
