package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import dev.layercake.model.format.TensorContent;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of GGUF metadata as converters have written them, and which ones are refused. */
class GgufConfigTest {
    @TempDir
    private Path temporary;

    /** Metadata of a small model; a null takes a key away. */
    private ModelConfig read(String architecture, Map<String, Object> more, String... tensors) {
        Map<String, Object> values = new LinkedHashMap<>(Map.of(
                "embedding_length",
                64,
                "block_count",
                4,
                "context_length",
                4096,
                "attention.head_count",
                4,
                "attention.head_count_kv",
                2,
                "attention.key_length",
                24,
                "attention.value_length",
                24,
                "attention.layer_norm_rms_epsilon",
                1e-6f));
        values.putAll(more);
        GgufWriter writer = new GgufWriter().metadata("general.architecture", GgufValue.string(architecture));
        values.forEach((key, value) -> writer.metadata(
                key.startsWith("tokenizer.") ? key : architecture + "." + key,
                switch (value) {
                    case Integer number when number >= 0 -> GgufValue.uint32(number);
                    case Integer number -> GgufValue.int32(number);
                    case Float number -> GgufValue.float32(number);
                    case Double number -> GgufValue.float64(number);
                    case String text -> GgufValue.string(text);
                    default -> throw new IllegalArgumentException(String.valueOf(value));
                }));
        writer.add("token_embd.weight", DType.F32, TensorContent.ofFloats(new float[640]), 10, 64);
        for (String tensor : tensors) {
            writer.add(tensor, DType.F32, TensorContent.ofFloats(new float[12]), 12);
        }
        Path path = temporary.resolve(UUID.randomUUID() + ".gguf");
        writer.write(path);
        try (GgufFile file = GgufFile.open(path)) {
            return GgufConfig.parse(file);
        }
    }

    private void refused(String key, Object value) {
        for (String architecture : new String[] {"gemma2", "llama"}) {
            assertThatThrownBy(() -> read(architecture, Map.of(key, value)))
                    .as(key + " " + value)
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining(key)
                    .hasMessageNotContaining("\n");
        }
    }

    @Test
    void gemmasOf27BScaleByHiddenSizeAndHeads() {
        assertThat(read("gemma2", Map.of("block_count", 46)).attentionScale()).isEqualTo(0.25f);
        assertThat(read("gemma3", Map.of("block_count", 62)).attentionScale()).isEqualTo(0.25f);
        // The published sizes: 4,608 / 32 and 5,376 / 32, where heads have 128.
        assertThat(1 / Math.sqrt(144)).isCloseTo(1 / Math.sqrt(4608.0 / 32), within(1e-12));
        float ofHead = (float) (1 / Math.sqrt(24));
        assertThat(read("gemma2", Map.of("block_count", 42)).attentionScale()).isEqualTo(ofHead);
        assertThat(read("gemma3", Map.of("block_count", 48)).attentionScale()).isEqualTo(ofHead);
        assertThat(read("gemma2", Map.of("block_count", 62)).attentionScale()).isEqualTo(ofHead);
        assertThat(read("llama", Map.of("block_count", 46)).attentionScale()).isEqualTo(ofHead);
    }

    @Test
    void gemma2HasItsWindowWithoutTheKey() {
        ModelConfig config = read("gemma2", Map.of());
        assertThat(config.layers()).extracting(ModelConfig.Layer::slidingWindow).containsExactly(4096, 0, 4096, 0);
        assertThat(read("gemma2", Map.of("attention.sliding_window", 32))
                        .layers()
                        .getFirst()
                        .slidingWindow())
                .isEqualTo(32);
        assertThat(read("llama", Map.of()).layers().getFirst().slidingWindow()).isZero();
    }

    @Test
    void basesAreThoseOfTheArchitecture() {
        assertThat(read("llama", Map.of()).layers().getFirst().rope().theta()).isEqualTo(10_000);
        ModelConfig gemma = read("gemma3", Map.of("attention.sliding_window", 32, "block_count", 6));
        assertThat(gemma.layers().getLast().rope().theta()).isEqualTo(1_000_000);
        assertThat(gemma.layers().getFirst().rope().theta()).isEqualTo(10_000);
    }

    @Test
    void aFactorWithoutATypeIsLinear() {
        RopeConfig.Scaling expected = new RopeConfig.Linear(4);
        assertThat(scaling(Map.of("rope.scale_linear", 4f))).isEqualTo(expected);
        assertThat(scaling(Map.of("rope.scaling.factor", 4f))).isEqualTo(expected);
        assertThat(scaling(Map.of("rope.scaling.type", "none", "rope.scaling.factor", 4f)))
                .isEqualTo(new RopeConfig.None());
        assertThat(scaling(Map.of("rope.scaling.factor", 1f))).isEqualTo(new RopeConfig.None());
    }

    @Test
    void longRopeWithoutItsFactorScalesAsItsContextsSay() {
        Map<String, Object> keys = Map.of("rope.scaling.original_context_length", 1024);
        // Zeros are no factors.
        assertThatThrownBy(() -> read("phi3", keys, GgufRope.LONG_FACTORS, GgufRope.SHORT_FACTORS))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("rope_factors_short.weight holds 0.0");
        assertThat(RopeConfig.LongRope.defaultAttentionFactor(4, 1024)).isCloseTo(1.0954451, within(1e-6));
    }

    private RopeConfig.Scaling scaling(Map<String, Object> more) {
        return read("llama", more).layers().getFirst().rope().scaling();
    }

    @Test
    void ropesThatAreNotUnderstoodAreRefusedByName() {
        refused("rope.scaling.type", "warp\nspeed");
        refused("rope.dimension_sections", 4);
        refused("rope.scaling.attn_factor", 2f);
        refused("rope.dimension_count", 26);
        refused("rope.dimension_count", 3);
        refused("rope.dimension_count_swa", 12);
    }

    @Test
    void valuesThatNoModelHasAreRefusedByName() {
        refused("embedding_length", 0);
        refused("embedding_length", -1);
        refused("block_count", 0);
        refused("block_count", 2_000_000_000);
        refused("context_length", 0);
        refused("attention.head_count", 0);
        refused("attention.head_count_kv", 0);
        refused("attention.head_count_kv", 3);
        refused("attention.key_length", 0);
        refused("attention.value_length", 16);
        refused("attention.scale", 0f);
        refused("attention.scale", -1f);
        refused("attention.scale", Float.NaN);
        refused("attention.scale", Float.POSITIVE_INFINITY);
        refused("attention.layer_norm_rms_epsilon", 0f);
        refused("attention.layer_norm_rms_epsilon", -1e-6f);
        refused("attn_logit_softcapping", -50f);
        refused("attn_logit_softcapping", Float.NaN);
        refused("final_logit_softcapping", 1e300);
        refused("attention.sliding_window", -1);
        refused("attention.sliding_window_pattern", 0);
        refused("rope.freq_base", 0f);
        refused("rope.freq_base", Float.POSITIVE_INFINITY);
        refused("rope.scaling.factor", -4f);
        refused("rope.scaling.factor", 1e-30f);
        refused("rope.scaling.original_context_length", 0);
        refused("expert_count", -1);
        refused("tokenizer.ggml.eos_token_id", 10);
        refused("tokenizer.ggml.eot_token_id", 4_000);
        refused("tokenizer.ggml.bos_token_id", -2);
    }
}
