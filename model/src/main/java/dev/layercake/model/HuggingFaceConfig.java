package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.ModelConfig.Activation;
import dev.layercake.model.ModelConfig.Experts;
import dev.layercake.model.ModelConfig.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads {@link ModelConfig} from a Hugging Face config.json: that of a language model, or the {@code text_config} of a
 * multimodal one, whose other parts are left alone.
 */
final class HuggingFaceConfig {
    private static final String FILE = "config.json";
    private static final String TEXT_PART = "text_config";
    private static final int MOST_ROWS = 1 << 24;

    /** What the text part of a multimodal model is if it does not say. */
    private static final Map<String, String> TEXT_TYPES = Map.of("gemma3", "gemma3_text", "llava", "llama");

    private final JsonFields whole;
    private final JsonFields fields;
    private final Architecture architecture;
    private final HuggingFaceDefaults defaults;

    private HuggingFaceConfig(JsonFields whole) {
        this.whole = whole;
        String type = whole.text("model_type");
        boolean multimodal = whole.has(TEXT_PART) && !Architecture.isHuggingFace(type);
        this.fields = multimodal ? whole.object(TEXT_PART) : whole;
        this.architecture = Architecture.ofHuggingFace(
                multimodal ? fields.text("model_type", TEXT_TYPES.getOrDefault(type, type)) : type);
        this.defaults = HuggingFaceDefaults.of(architecture);
    }

    /**
     * Reads config.json.
     *
     * @param generation generation_config.json, which may name more tokens that end an answer; empty if there is none
     * @throws LayercakeException (bad model) if the architecture is unknown, an entry is missing, of the wrong kind or beyond
     *     what any model has, or the weights are quantised
     */
    static ModelConfig parse(JsonNode json, Optional<JsonNode> generation) {
        HuggingFaceConfig reader = new HuggingFaceConfig(JsonFields.of(json, FILE));
        reader.refuseQuantized();
        return reader.config(generation.map(node -> JsonFields.of(node, "generation_config.json")));
    }

    private void refuseQuantized() {
        // The second is MLX's.
        for (String key : List.of("quantization_config", "quantization")) {
            for (JsonFields place : List.of(whole, fields)) {
                if (place.has(key)) {
                    JsonFields rules = place.object(key);
                    throw rules.has("quant_method")
                            ? rules.unsupported("quant_method", "get the model unquantised, or as a GGUF file")
                            : place.unsupported(key, "get the model unquantised, or as a GGUF file");
                }
            }
        }
    }

    private ModelConfig config(Optional<JsonFields> generation) {
        int hidden = size("hidden_size", defaults.hiddenSize(), ModelConfig.MOST_HIDDEN);
        int vocabulary = size("vocab_size", defaults.vocabularySize(), ModelConfig.MOST_VOCABULARY);
        int context = fields.integer("max_position_embeddings", defaults.contextLength(), 1, ModelConfig.MOST_CONTEXT);
        int queryHeads = size("num_attention_heads", defaults.queryHeads(), ModelConfig.MOST_HEADS);
        int headDim = headDim(hidden, queryHeads);
        // Read so that it is refused if it is absurd; the weights say it themselves.
        fields.integer("intermediate_size", 1, 1, MOST_ROWS);
        fields.integer("moe_intermediate_size", 1, 1, MOST_ROWS);
        if (fields.flag("use_bidirectional_attention", false)) {
            throw fields.unsupported("use_bidirectional_attention", "it makes a model that reads but does not write");
        }
        return new ModelConfig(
                architecture.huggingFaceName(),
                hidden,
                vocabulary,
                context,
                queryHeads,
                kvHeads(queryHeads),
                headDim,
                (float) (1 / Math.sqrt(architecture.gemma() ? scaleDivisor() : headDim)),
                softcap("attn_logit_softcapping", 50),
                softcap("final_logit_softcapping", 30),
                architecture.gemma() ? (float) Math.sqrt(hidden) : 1f,
                (float) fields.number(
                        "rms_norm_eps", defaults.normEpsilon(), ModelConfig.LEAST_EPSILON, ModelConfig.MOST_EPSILON),
                activation(),
                false,
                tiedOutput(),
                layers(headDim, context),
                experts(),
                bosToken(vocabulary),
                eosTokens(generation, vocabulary));
    }

    /** A size that only the text part of a multimodal model may leave out. */
    private int size(String key, int fallback, int most) {
        return fields == whole ? fields.integer(key, 1, most) : fields.integer(key, fallback, 1, most);
    }

    private int headDim(int hidden, int queryHeads) {
        if (fields.has("head_dim")) {
            return fields.integer("head_dim", 2, ModelConfig.MOST_HEAD_DIM);
        }
        int headDim = defaults.headDim() > 0 ? defaults.headDim() : hidden / queryHeads;
        if (headDim < 2) {
            throw fields.refused(
                    "num_attention_heads", "a number of heads that a hidden size of " + hidden + " allows");
        }
        return headDim;
    }

    private int kvHeads(int queryHeads) {
        String key = "num_key_value_heads";
        int fallback = defaults.kvHeads() > 0 && !fields.mentions(key) ? defaults.kvHeads() : queryHeads;
        int kvHeads = fields.integer(key, fallback, 1, ModelConfig.MOST_HEADS);
        if (queryHeads % kvHeads != 0) {
            throw fields.refused(key, "a divisor of the " + queryHeads + " attention heads");
        }
        return kvHeads;
    }

    private double scaleDivisor() {
        return fields.number("query_pre_attn_scalar", 256, 1e-3, 1e9);
    }

    /** Null switches a cap off; missing, it is what Gemma 2 has. */
    private float softcap(String key, double ofGemma2) {
        double fallback = architecture == Architecture.GEMMA2 && !fields.mentions(key) ? ofGemma2 : 0;
        double cap = fields.numberOrZero(key, fallback, ModelConfig.LEAST_SOFTCAP, ModelConfig.MOST_SOFTCAP);
        return architecture.gemma() ? (float) cap : 0;
    }

    private Activation activation() {
        String key = fields.has("hidden_activation") ? "hidden_activation" : "hidden_act";
        return switch (fields.text(key, architecture.gemma() ? "gelu_pytorch_tanh" : "silu")) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            // Gemma's early configurations say gelu and mean its tanh form.
            case "gelu" -> {
                if (architecture.gemma()) {
                    yield Activation.GELU_TANH;
                }
                throw unknownActivation(key);
            }
            default -> throw unknownActivation(key);
        };
    }

    private LayercakeException unknownActivation(String key) {
        return fields.unsupported(key, "known are silu and gelu_pytorch_tanh");
    }

    private boolean tiedOutput() {
        String key = "tie_word_embeddings";
        return fields.flag(key, whole.flag(key, defaults.tiedOutput()));
    }

    private @Nullable Experts experts() {
        return switch (architecture) {
            case MIXTRAL -> experts("num_local_experts", 8, 2, true);
            case QWEN3_MOE -> experts("num_experts", 128, 8, fields.flag("norm_topk_prob", false));
            default -> null;
        };
    }

    private Experts experts(String key, int fallback, int perToken, boolean normalized) {
        int count = fields.integer(key, fallback, 1, ModelConfig.MOST_EXPERTS);
        return new Experts(count, fields.integer("num_experts_per_tok", perToken, 1, count), normalized);
    }

    private List<Layer> layers(int headDim, int context) {
        int count = size("num_hidden_layers", defaults.layers(), ModelConfig.MOST_LAYERS);
        HuggingFaceRope rope = new HuggingFaceRope(fields, architecture, headDim, context);
        Layer full = new Layer(0, rope.full());
        int window = fields.mentions("sliding_window")
                ? fields.integer("sliding_window", 0, 0, Integer.MAX_VALUE)
                : defaults.slidingWindow();
        IntPredicate sliding = slidingLayers(window, count);
        Layer windowed = new Layer(window, rope.sliding());
        List<Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < count; layer++) {
            layers.add(sliding.test(layer) ? windowed : full);
        }
        return layers;
    }

    private IntPredicate slidingLayers(int window, int count) {
        int firstSliding = fields.integer("max_window_layers", count, 0, Integer.MAX_VALUE);
        int pattern = fields.integer("sliding_window_pattern", 6, 1, ModelConfig.MOST_LAYERS);
        if (fields.has("layer_types")) {
            List<String> types = fields.words("layer_types", Set.of(HuggingFaceRope.FULL, HuggingFaceRope.SLIDING));
            if (types.size() != count) {
                throw fields.refused("layer_types", "a list of " + count + " layers");
            }
            return layer -> window > 0 && types.get(layer).equals(HuggingFaceRope.SLIDING);
        }
        if (window == 0) {
            return layer -> false;
        }
        return switch (architecture) {
            case GEMMA2 -> layer -> layer % 2 == 0;
            case GEMMA3 -> layer -> (layer + 1) % pattern != 0;
            case QWEN2, QWEN3, QWEN3_MOE -> {
                boolean used = fields.flag("use_sliding_window", false);
                yield layer -> used && layer >= firstSliding;
            }
            case LLAMA -> layer -> false;
            case MISTRAL, MIXTRAL, PHI3 -> layer -> true;
        };
    }

    private int bosToken(int vocabulary) {
        return Stream.of(fields, whole)
                .flatMap(place -> place.tokens("bos_token_id", vocabulary).stream())
                .findFirst()
                .orElse(-1);
    }

    private List<Integer> eosTokens(Optional<JsonFields> generation, int vocabulary) {
        return Stream.concat(Stream.of(fields, whole), generation.stream())
                .flatMap(place -> place.tokens("eos_token_id", vocabulary).stream())
                .distinct()
                .toList();
    }
}
