package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.LayercakeException;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** What becomes of a config.json in each form that transformers has written, and which ones are refused. */
class HuggingFaceConfigTest {
    private static final String SIZES = "\"hidden_size\": 64, \"num_attention_heads\": 4, \"num_key_value_heads\": 2,"
            + " \"num_hidden_layers\": 6, \"vocab_size\": 100, \"head_dim\": 16, \"sliding_window\": 32";

    private static ModelConfig read(String json) {
        return HuggingFaceConfig.parse(JsonMapper.shared().readTree(json), Optional.empty());
    }

    private static ModelConfig config(String type, String more) {
        return read("{\"model_type\": \"%s\", %s%s}".formatted(type, SIZES, more.isEmpty() ? "" : ", " + more));
    }

    private static RopeConfig full(ModelConfig config) {
        return config.layers().getLast().rope();
    }

    private static RopeConfig sliding(ModelConfig config) {
        assertThat(config.layers().getFirst().slidingWindow()).isEqualTo(32);
        return config.layers().getFirst().rope();
    }

    private static void refused(String type, String more, String... parts) {
        assertThatThrownBy(() -> config(type, more))
                .as(more)
                .isInstanceOfSatisfying(
                        LayercakeException.class,
                        e -> assertThat(e.getMessage())
                                .contains(parts)
                                .doesNotContain("\n")
                                .hasSizeLessThan(400));
    }

    @ParameterizedTest
    @CsvSource({
        "llama, 10000",
        "mistral, 10000",
        "mixtral, 1000000",
        "qwen2, 10000",
        "qwen3, 10000",
        "qwen3_moe, 10000",
        "gemma2, 10000",
        "gemma3_text, 1000000",
        "phi3, 10000"
    })
    void theBaseIsThatOfTheArchitectureIfNothingSaysIt(String type, double theta) {
        for (String more :
                new String[] {"", "\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"default\"}"}) {
            assertThat(full(config(type, more)).theta()).as(more).isEqualTo(theta);
        }
        assertThat(full(config(type, "\"rope_theta\": 500000")).theta()).isEqualTo(500_000);
        assertThat(full(config(type, "\"rope_parameters\": {\"rope_theta\": 500000}"))
                        .theta())
                .isEqualTo(500_000);
    }

    @Test
    void gemma3HasTwoKindsOfLayers() {
        RopeConfig local = new RopeConfig(10_000, 16, new RopeConfig.None());
        RopeConfig scaled = new RopeConfig(1_000_000, 16, new RopeConfig.Linear(8));
        ModelConfig old = config("gemma3_text", "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}");
        ModelConfig nested = config("gemma3_text", """
                "rope_parameters": {
                  "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                  "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}""");
        ModelConfig withoutBases = config("gemma3_text", """
                "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": null}""");
        for (ModelConfig config : new ModelConfig[] {old, nested, withoutBases}) {
            assertThat(full(config)).isEqualTo(scaled);
            assertThat(sliding(config)).isEqualTo(local);
        }
        assertThat(sliding(config("gemma3_text", "\"rope_local_base_freq\": 5000"))
                        .theta())
                .isEqualTo(5000);
        ModelConfig other = config("gemma3_text", """
                "rope_parameters": {"full_attention": {"rope_theta": 300000}, "sliding_attention": {"rope_theta": 7000}}""");
        assertThat(full(other).theta()).isEqualTo(300_000);
        assertThat(sliding(other).theta()).isEqualTo(7000);
    }

    @Test
    void aShareOfTheHeadMayStandInsideOrBeside() {
        assertThat(full(config("phi3", "\"partial_rotary_factor\": 0.75")).rotatedElements())
                .isEqualTo(12);
        assertThat(full(config("phi3", "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}"))
                        .rotatedElements())
                .isEqualTo(8);
        assertThat(full(config("phi3", "\"rope_scaling\": null")).rotatedElements())
                .isEqualTo(16);
        refused("phi3", "\"partial_rotary_factor\": 0.1", "partial_rotary_factor");
        refused(
                "phi3",
                "\"rope_parameters\": {\"partial_rotary_factor\": 1.5}",
                "rope_parameters.partial_rotary_factor");
    }

    @Test
    void longRopeIsTheSameInOldFilesAndNew() {
        String factors =
                IntStream.range(0, 6).mapToObj(pair -> "1." + pair).collect(Collectors.joining(", ", "[", "]"));
        String lists = "\"short_factor\": %s, \"long_factor\": %s".formatted(factors, factors.replace("1.", "4."));
        ModelConfig old = config(
                "phi3",
                "\"partial_rotary_factor\": 0.75, \"max_position_embeddings\": 4096, \"original_max_position_embeddings\": 1024,"
                        + " \"rope_scaling\": {\"type\": \"su\", %s}".formatted(lists));
        ModelConfig flat = config(
                "phi3",
                "\"max_position_embeddings\": 4096, \"rope_parameters\": {\"rope_type\": \"longrope\", \"rope_theta\": 10000.0,"
                        + " \"original_max_position_embeddings\": 1024, \"partial_rotary_factor\": 0.75, %s}"
                                .formatted(lists));
        assertThat(full(flat)).isEqualTo(full(old));
        assertThat(full(old).scaling()).isInstanceOfSatisfying(RopeConfig.LongRope.class, longRope -> {
            assertThat(longRope.originalContext()).isEqualTo(1024);
            assertThat(longRope.longFactors()).hasSize(6).startsWith(4.0f, 4.1f);
            // sqrt(1 + ln 4 / ln 1024)
            assertThat(longRope.attentionFactor()).isCloseTo(1.0954451, within(1e-6));
        });
    }

    /** Numbers of the published formula, with 16 rotated elements and a factor of 2. */
    @Test
    void dynamicScalingGrowsWithTheLengthBeyondTheContext() {
        String context = "\"max_position_embeddings\": 1024, ";
        ModelConfig old = config("llama", context + "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}");
        ModelConfig flat = config(
                "llama",
                context
                        + "\"rope_parameters\": {\"rope_type\": \"dynamic\", \"rope_theta\": 10000.0, \"factor\": 2.0}");
        RopeConfig rope = full(old);
        assertThat(full(flat)).isEqualTo(rope);
        RopeConfig plain = full(config("llama", context + "\"rope_theta\": 10000"));
        for (int length : new int[] {1, 1023, 1024}) {
            assertThat(rope.inverseFrequencies(length)).isEqualTo(plain.inverseFrequencies(length));
        }
        assertThat(rope.inverseFrequencies(2048)[1]).isCloseTo(0.2702961f, within(1e-6f));
        assertThat(rope.inverseFrequencies(2048)[7]).isCloseTo(0.0001054093f, within(1e-9f));
        assertThat(rope.inverseFrequencies(4096)[1]).isCloseTo(0.2394814f, within(1e-6f));
        assertThat(rope.inverseFrequencies(4096)[7]).isCloseTo(4.51754e-05f, within(1e-9f));
        refused("llama", "\"rope_scaling\": {\"type\": \"dynamic\"}", "factor");
        refused("llama", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2, \"alpha\": 1000}", "alpha");
    }

    @Test
    void ropesThatAreNotUnderstoodAreRefusedByName() {
        refused("llama", "\"rope_scaling\": [1, 2]", "rope_scaling");
        refused("llama", "\"rope_parameters\": \"yarn\"", "rope_parameters");
        refused("llama", "\"rope_scaling\": {\"rope_type\": \"ntk\"}", "rope_type", "ntk");
        refused("llama", "\"rope_scaling\": {\"factor\": 2.0}", "rope_scaling.factor");
        refused("llama", "\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor");
        refused("llama", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"alpha\": 1}", "rope_scaling.alpha");
        refused(
                "qwen2",
                "\"rope_scaling\": {\"type\": \"mrope\", \"rope_type\": \"default\", \"mrope_section\": [1]}",
                "rope_scaling.type");
        refused("qwen2", "\"rope_scaling\": {\"rope_type\": \"default\", \"mrope_section\": [1]}", "mrope_section");
        refused(
                "gemma3_text",
                "\"rope_parameters\": {\"full_attention\": {}, \"chunked_attention\": {}}",
                "rope_parameters.chunked_attention");
        refused(
                "gemma3_text",
                "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"warp\"}}",
                "rope_parameters.full_attention.rope_type");
        refused(
                "llama",
                "\"rope_parameters\": {\"rope_theta\": 1e6}, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}",
                "rope_scaling",
                "rope_parameters");
        refused(
                "llama",
                "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4,"
                        + " \"high_freq_factor\": 4}",
                "high_freq_factor");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hidden_size|0",
                "hidden_size|-64",
                "hidden_size|4611686018427387904",
                "num_attention_heads|0",
                "num_attention_heads|1000000",
                "num_key_value_heads|0",
                "num_key_value_heads|3",
                "num_key_value_heads|-2",
                "num_hidden_layers|0",
                "num_hidden_layers|1000000000",
                "vocab_size|0",
                "vocab_size|2000000000",
                "head_dim|0",
                "head_dim|-16",
                "max_position_embeddings|0",
                "max_position_embeddings|-1",
                "max_position_embeddings|1e3",
                "sliding_window|-1",
                "rms_norm_eps|0",
                "rms_norm_eps|-1e-6",
                "rms_norm_eps|1e-60",
                "rms_norm_eps|5",
                "attn_logit_softcapping|-50",
                "attn_logit_softcapping|1e300",
                "final_logit_softcapping|-30",
                "final_logit_softcapping|1e-300",
                "query_pre_attn_scalar|0",
                "query_pre_attn_scalar|-1",
                "query_pre_attn_scalar|1e-300",
                "rope_theta|0",
                "rope_theta|-10000",
                "rope_theta|1e39",
                "rope_theta|1e400",
                "partial_rotary_factor|0",
                "sliding_window_pattern|0",
                "max_window_layers|-1",
                "intermediate_size|0",
                "eos_token_id|100",
                "eos_token_id|-2",
                "eos_token_id|[1, 4000000000]",
                "eos_token_id|\"</s>\"",
                "bos_token_id|100",
                "layer_types|[\"full_attention\"]",
                "layer_types|\"full_attention\"",
                "hidden_activation|relu",
                "hidden_activation|7",
                "tie_word_embeddings|1",
                "use_bidirectional_attention|true"
            })
    void valuesThatNoModelHasAreRefusedByName(String key, String value) {
        String json = value.equals("relu") ? "\"relu\"" : value;
        String sizes = SIZES.replaceFirst("\"" + key + "\": \\d+, ", "").replaceFirst(", \"" + key + "\": \\d+", "");
        String config = "{\"model_type\": \"gemma2\", %s, \"%s\": %s}".formatted(sizes, key, json);
        assertThatThrownBy(() -> read(config))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("\"" + key + "\"")
                .hasMessageContaining("config.json")
                .hasMessageNotContaining("\n");
    }

    @Test
    void softcapsAreGemmasAndMayBeSwitchedOff() {
        assertThat(config("gemma2", "").attentionSoftcap()).isEqualTo(50);
        assertThat(config("gemma2", "").logitSoftcap()).isEqualTo(30);
        assertThat(config("gemma2", "\"attn_logit_softcapping\": null").attentionSoftcap())
                .isZero();
        assertThat(config("gemma3_text", "").logitSoftcap()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gptq", "awq", "bitsandbytes", "fp8", "compressed-tensors"})
    void quantisedWeightsAreRefusedByTheirMethod(String method) {
        refused("llama", "\"quantization_config\": {\"quant_method\": \"%s\", \"bits\": 4}".formatted(method), method);
    }

    @Test
    void quantisedWeightsWithoutAMethodAreRefusedToo() {
        refused("llama", "\"quantization_config\": {\"load_in_4bit\": true}", "quantization_config");
        refused("llama", "\"quantization\": {\"group_size\": 64, \"bits\": 4}", "quantization");
        assertThat(config("llama", "\"quantization_config\": null").hiddenSize())
                .isEqualTo(64);
    }

    @Test
    void theTextPartOfAMultimodalModelSaysOnlyWhatIsNotUsual() {
        ModelConfig gemma = read("""
                {"model_type": "gemma3", "eos_token_id": [1, 106], "vision_config": {"hidden_size": 1152},
                 "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
                   "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}}
                """);
        assertThat(gemma.architecture()).isEqualTo("gemma3_text");
        assertThat(gemma.vocabularySize()).isEqualTo(262_208);
        assertThat(gemma.queryHeads()).isEqualTo(8);
        assertThat(gemma.kvHeads()).isEqualTo(4);
        assertThat(gemma.headDim()).isEqualTo(256);
        assertThat(gemma.contextLength()).isEqualTo(131_072);
        assertThat(gemma.tiedOutput()).isTrue();
        assertThat(gemma.activation()).isEqualTo(ModelConfig.Activation.GELU_TANH);
        assertThat(gemma.eosTokens()).containsExactly(1, 106);
        assertThat(gemma.layers().get(5).slidingWindow()).isZero();
        assertThat(gemma.layers().get(4).slidingWindow()).isEqualTo(1024);
        ModelConfig llava = read("""
                {"model_type": "llava", "text_config": {"model_type": "llama", "max_position_embeddings": 4096,
                   "rms_norm_eps": 1e-05, "vocab_size": 32064}}
                """);
        assertThat(llava.hiddenSize()).isEqualTo(4096);
        assertThat(llava.kvHeads()).isEqualTo(32);
        assertThat(llava.tiedOutput()).isFalse();
        assertThatThrownBy(() -> read("{\"model_type\": \"x\", \"text_config\": {\"model_type\": \"y\"}}"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("\"y\"");
        assertThatThrownBy(() -> read("{\"model_type\": \"llama\", \"hidden_size\": 64}"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("vocab_size");
    }
}
