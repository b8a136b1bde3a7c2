package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.ModelConfig.Activation;
import dev.layercake.model.ModelConfig.Experts;
import dev.layercake.model.ModelConfig.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads {@link ModelConfig} from a Hugging Face config.json. */
final class HuggingFaceConfig {
    private final JsonNode json;
    private final JsonNode generation;
    private final Architecture architecture;

    private HuggingFaceConfig(JsonNode json, JsonNode generation) {
        this.json = json;
        this.generation = generation;
        this.architecture = Architecture.ofHuggingFace(text("model_type"));
    }

    /**
     * Reads config.json.
     *
     * @param generation generation_config.json, which may name more tokens that end an answer; missing node if there is none
     * @throws LayercakeException if the architecture is unknown or an entry is missing or of the wrong kind
     */
    static ModelConfig parse(JsonNode json, JsonNode generation) {
        if (!json.isObject()) {
            throw LayercakeException.badModel("config.json is no JSON object");
        }
        return new HuggingFaceConfig(json, generation).config();
    }

    private ModelConfig config() {
        int hidden = integer("hidden_size");
        int queryHeads = integer("num_attention_heads");
        if (queryHeads < 1) {
            throw LayercakeException.badModel("num_attention_heads in config.json is " + queryHeads);
        }
        int headDim = integer("head_dim", hidden / queryHeads);
        double scaleDivisor = architecture.gemma() ? number("query_pre_attn_scalar", 256) : headDim;
        return new ModelConfig(
                architecture.huggingFaceName(),
                hidden,
                integer("vocab_size"),
                integer("max_position_embeddings", architecture == Architecture.GEMMA2 ? 8192 : 2048),
                queryHeads,
                integer("num_key_value_heads", queryHeads),
                headDim,
                (float) (1 / Math.sqrt(scaleDivisor)),
                (float) number("attn_logit_softcapping", 0),
                (float) number("final_logit_softcapping", 0),
                architecture.gemma() ? (float) Math.sqrt(hidden) : 1f,
                (float) number("rms_norm_eps", 1e-6),
                activation(),
                false,
                layers(headDim),
                experts(),
                integer("bos_token_id", -1),
                eosTokens());
    }

    private Activation activation() {
        String name = text("hidden_activation", text("hidden_act", "silu"));
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            // Gemma's early configurations say gelu and mean its tanh form.
            case "gelu" -> {
                if (architecture.gemma()) {
                    yield Activation.GELU_TANH;
                }
                throw unsupported("hidden_act", name);
            }
            default -> throw unsupported("hidden_act", name);
        };
    }

    private @Nullable Experts experts() {
        return switch (architecture) {
            case MIXTRAL -> new Experts(integer("num_local_experts"), integer("num_experts_per_tok"), true);
            case QWEN3_MOE ->
                new Experts(integer("num_experts"), integer("num_experts_per_tok"), flag("norm_topk_prob", false));
            default -> null;
        };
    }

    private List<Layer> layers(int headDim) {
        int count = integer("num_hidden_layers");
        if (count < 1 || count > 4096) {
            throw LayercakeException.badModel("num_hidden_layers in config.json is " + count);
        }
        RopeConfig global = rope(headDim);
        RopeConfig local = architecture == Architecture.GEMMA3
                ? new RopeConfig(number("rope_local_base_freq", 10_000), headDim, new RopeConfig.None())
                : global;
        int window = integer("sliding_window", 0);
        IntPredicate sliding = slidingLayers(window, count);
        List<Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < count; layer++) {
            layers.add(sliding.test(layer) ? new Layer(window, local) : new Layer(0, global));
        }
        return layers;
    }

    private IntPredicate slidingLayers(int window, int count) {
        if (window == 0) {
            return layer -> false;
        }
        JsonNode types = json.path("layer_types");
        if (types.isArray()) {
            if (types.size() != count) {
                throw LayercakeException.badModel(
                        "config.json names " + types.size() + " layer_types for " + count + " layers");
            }
            return layer -> types.get(layer).asString("").equals("sliding_attention");
        }
        return switch (architecture) {
            case GEMMA2 -> layer -> layer % 2 == 0;
            case GEMMA3 -> {
                int pattern = Math.max(1, integer("sliding_window_pattern", 6));
                yield layer -> (layer + 1) % pattern != 0;
            }
            case QWEN2, QWEN3, QWEN3_MOE -> {
                int firstSliding = integer("max_window_layers", count);
                boolean used = flag("use_sliding_window", false);
                yield layer -> used && layer >= firstSliding;
            }
            case LLAMA -> layer -> false;
            case MISTRAL, MIXTRAL, PHI3 -> layer -> true;
        };
    }

    private RopeConfig rope(int headDim) {
        JsonNode rules =
                json.path("rope_parameters").isObject() ? json.path("rope_parameters") : json.path("rope_scaling");
        double theta = rules.path("rope_theta").asDouble(number("rope_theta", 10_000));
        double rotatedShare = number("partial_rotary_factor", 1);
        return new RopeConfig(
                theta, (int) (headDim * rotatedShare), rules.isObject() ? scaling(rules) : new RopeConfig.None());
    }

    private RopeConfig.Scaling scaling(JsonNode rules) {
        String type = rules.path("rope_type").asString(rules.path("type").asString("default"));
        int context = integer("max_position_embeddings", 2048);
        double factor = rules.path("factor").asDouble(1);
        return switch (type) {
            case "default" -> new RopeConfig.None();
            case "linear" -> new RopeConfig.Linear(factor);
            case "llama3" ->
                new RopeConfig.Llama3(
                        factor,
                        rules.path("low_freq_factor").asDouble(1),
                        rules.path("high_freq_factor").asDouble(4),
                        rules.path("original_max_position_embeddings").asInt(8192));
            case "yarn" -> yarn(rules, factor, context);
            case "longrope", "su" -> longRope(rules, context);
            default ->
                throw LayercakeException.badModel("rope scaling '" + type
                        + "' in config.json is not supported; known are linear, llama3, yarn, longrope");
        };
    }

    private static RopeConfig.Yarn yarn(JsonNode rules, double factor, int context) {
        double attention = rules.path("attention_factor").asDouble(0);
        if (attention == 0) {
            double scale = rules.path("mscale").asDouble(0);
            double scaleAll = rules.path("mscale_all_dim").asDouble(0);
            attention = scale != 0 && scaleAll != 0
                    ? yarnScale(factor, scale) / yarnScale(factor, scaleAll)
                    : RopeConfig.Yarn.defaultAttentionFactor(factor);
        }
        return new RopeConfig.Yarn(
                factor,
                rules.path("original_max_position_embeddings").asInt(context),
                rules.path("beta_fast").asDouble(32),
                rules.path("beta_slow").asDouble(1),
                attention,
                rules.path("truncate").asBoolean(true));
    }

    private static double yarnScale(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private RopeConfig.LongRope longRope(JsonNode rules, int context) {
        int original = integer(
                "original_max_position_embeddings",
                rules.path("original_max_position_embeddings").asInt(context));
        double factor = (double) context / original;
        double attention = rules.path("attention_factor")
                .asDouble(factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)));
        return new RopeConfig.LongRope(
                floats(rules.path("short_factor")), floats(rules.path("long_factor")), original, attention);
    }

    private static List<Float> floats(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(value -> (float) value.asDouble())
                .toList();
    }

    private List<Integer> eosTokens() {
        return Stream.of(json, generation)
                .map(file -> file.path("eos_token_id"))
                .flatMap(eos -> eos.isArray() ? StreamSupport.stream(eos.spliterator(), false) : Stream.of(eos))
                .filter(JsonNode::isIntegralNumber)
                .map(JsonNode::asInt)
                .distinct()
                .toList();
    }

    private String text(String key) {
        String value = json.path(key).asString("");
        if (value.isEmpty()) {
            throw LayercakeException.badModel("config.json has no text '" + key + "'");
        }
        return value;
    }

    private String text(String key, String fallback) {
        return json.path(key).asString(fallback);
    }

    private int integer(String key) {
        if (!json.path(key).isIntegralNumber()) {
            throw LayercakeException.badModel("config.json has no whole number '" + key + "'");
        }
        return integer(key, 0);
    }

    private int integer(String key, int fallback) {
        JsonNode value = json.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return fallback;
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw LayercakeException.badModel("'" + key + "' in config.json is " + value + ", not a whole number");
        }
        return value.asInt();
    }

    private double number(String key, double fallback) {
        JsonNode value = json.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return fallback;
        }
        if (!value.isNumber()) {
            throw LayercakeException.badModel("'" + key + "' in config.json is " + value + ", not a number");
        }
        return value.asDouble();
    }

    private boolean flag(String key, boolean fallback) {
        return json.path(key).asBoolean(fallback);
    }

    private static LayercakeException unsupported(String key, String value) {
        return LayercakeException.badModel(key + " '" + value + "' in config.json is not supported");
    }
}
