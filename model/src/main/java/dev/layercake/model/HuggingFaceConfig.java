package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.ModelConfig.Activation;
import dev.layercake.model.ModelConfig.Experts;
import dev.layercake.model.ModelConfig.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads {@link ModelConfig} from a Hugging Face config.json. */
final class HuggingFaceConfig {
    private final ConfigFields fields;
    private final Architecture architecture;

    private HuggingFaceConfig(ConfigFields fields) {
        this.fields = fields;
        if (!fields.has("model_type")) {
            throw LayercakeException.badModel("config.json has no 'model_type', so the architecture is unknown");
        }
        this.architecture = Architecture.ofHuggingFace(fields.text("model_type", ""));
    }

    /**
     * Reads config.json.
     *
     * @param generation generation_config.json, which may name more tokens that end an answer; empty if there is none
     * @throws LayercakeException (bad model) if the architecture is unknown or an entry is missing or of the wrong kind
     */
    static ModelConfig parse(JsonNode json, Optional<JsonNode> generation) {
        ConfigFields fields = new ConfigFields(json);
        Stream<ConfigFields> files = Stream.concat(Stream.of(fields), generation.map(ConfigFields::new).stream());
        List<Integer> eosTokens = files.flatMap(file -> file.tokens("eos_token_id").stream())
                .distinct()
                .toList();
        return new HuggingFaceConfig(fields).config(eosTokens);
    }

    private ModelConfig config(List<Integer> eosTokens) {
        int hidden = fields.integer("hidden_size");
        int queryHeads = fields.integer("num_attention_heads");
        if (queryHeads < 1) {
            throw LayercakeException.badModel("num_attention_heads in config.json is " + queryHeads);
        }
        int headDim = fields.integer("head_dim", hidden / queryHeads);
        double scaleDivisor = architecture.gemma() ? fields.number("query_pre_attn_scalar", 256) : headDim;
        return new ModelConfig(
                architecture.huggingFaceName(),
                hidden,
                fields.integer("vocab_size"),
                fields.integer("max_position_embeddings", architecture == Architecture.GEMMA2 ? 8192 : 2048),
                queryHeads,
                fields.integer("num_key_value_heads", queryHeads),
                headDim,
                (float) (1 / Math.sqrt(scaleDivisor)),
                (float) fields.number("attn_logit_softcapping", 0),
                (float) fields.number("final_logit_softcapping", 0),
                architecture.gemma() ? (float) Math.sqrt(hidden) : 1f,
                (float) fields.number("rms_norm_eps", 1e-6),
                activation(),
                false,
                layers(headDim),
                experts(),
                bosToken(),
                eosTokens);
    }

    private Activation activation() {
        String name = fields.text("hidden_activation", fields.text("hidden_act", "silu"));
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
            case MIXTRAL ->
                new Experts(fields.integer("num_local_experts"), fields.integer("num_experts_per_tok"), true);
            case QWEN3_MOE ->
                new Experts(
                        fields.integer("num_experts"),
                        fields.integer("num_experts_per_tok"),
                        fields.flag("norm_topk_prob", false));
            default -> null;
        };
    }

    private List<Layer> layers(int headDim) {
        int count = fields.integer("num_hidden_layers");
        if (count < 1 || count > 4096) {
            throw LayercakeException.badModel("num_hidden_layers in config.json is " + count);
        }
        RopeConfig global = rope(headDim);
        RopeConfig local = architecture == Architecture.GEMMA3
                ? new RopeConfig(fields.number("rope_local_base_freq", 10_000), headDim, new RopeConfig.None())
                : global;
        int window = fields.integer("sliding_window", 0);
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
        if (fields.has("layer_types")) {
            List<String> types = fields.texts("layer_types");
            if (types.size() != count) {
                throw LayercakeException.badModel(
                        "config.json names " + types.size() + " layer_types for " + count + " layers");
            }
            return layer -> types.get(layer).equals("sliding_attention");
        }
        return switch (architecture) {
            case GEMMA2 -> layer -> layer % 2 == 0;
            case GEMMA3 -> {
                int pattern = Math.max(1, fields.integer("sliding_window_pattern", 6));
                yield layer -> (layer + 1) % pattern != 0;
            }
            case QWEN2, QWEN3, QWEN3_MOE -> {
                int firstSliding = fields.integer("max_window_layers", count);
                boolean used = fields.flag("use_sliding_window", false);
                yield layer -> used && layer >= firstSliding;
            }
            case LLAMA -> layer -> false;
            case MISTRAL, MIXTRAL, PHI3 -> layer -> true;
        };
    }

    private RopeConfig rope(int headDim) {
        double theta = fields.number("rope_theta", 10_000);
        int rotated = (int) (headDim * fields.number("partial_rotary_factor", 1));
        // Newer configurations call it rope_parameters and keep the base there too.
        for (String key : List.of("rope_parameters", "rope_scaling")) {
            if (fields.hasObject(key)) {
                ConfigFields rules = fields.object(key);
                return new RopeConfig(rules.number("rope_theta", theta), rotated, scaling(rules));
            }
        }
        return new RopeConfig(theta, rotated, new RopeConfig.None());
    }

    private RopeConfig.Scaling scaling(ConfigFields rules) {
        String type = rules.text("rope_type", rules.text("type", "default"));
        int context = fields.integer("max_position_embeddings", 2048);
        double factor = rules.number("factor", 1);
        return switch (type) {
            case "default" -> new RopeConfig.None();
            case "linear" -> new RopeConfig.Linear(factor);
            case "llama3" ->
                new RopeConfig.Llama3(
                        factor,
                        rules.number("low_freq_factor", 1),
                        rules.number("high_freq_factor", 4),
                        rules.integer("original_max_position_embeddings", 8192));
            case "yarn" -> yarn(rules, factor, context);
            case "longrope", "su" -> longRope(rules, context);
            default ->
                throw LayercakeException.badModel("rope scaling '" + type
                        + "' in config.json is not supported; known are linear, llama3, yarn, longrope");
        };
    }

    private static RopeConfig.Yarn yarn(ConfigFields rules, double factor, int context) {
        double attention = rules.number("attention_factor", 0);
        if (attention == 0) {
            double scale = rules.number("mscale", 0);
            double scaleAll = rules.number("mscale_all_dim", 0);
            attention = scale != 0 && scaleAll != 0
                    ? yarnScale(factor, scale) / yarnScale(factor, scaleAll)
                    : RopeConfig.Yarn.defaultAttentionFactor(factor);
        }
        return new RopeConfig.Yarn(
                factor,
                rules.integer("original_max_position_embeddings", context),
                rules.number("beta_fast", 32),
                rules.number("beta_slow", 1),
                attention,
                rules.flag("truncate", true));
    }

    private static double yarnScale(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private RopeConfig.LongRope longRope(ConfigFields rules, int context) {
        int original = fields.integer(
                "original_max_position_embeddings", rules.integer("original_max_position_embeddings", context));
        double factor = (double) context / original;
        double attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new RopeConfig.LongRope(
                rules.floats("short_factor"),
                rules.floats("long_factor"),
                original,
                rules.number("attention_factor", attention));
    }

    private int bosToken() {
        List<Integer> tokens = fields.tokens("bos_token_id");
        return tokens.isEmpty() ? -1 : tokens.getFirst();
    }

    private static LayercakeException unsupported(String key, String value) {
        return LayercakeException.badModel(key + " '" + value + "' in config.json is not supported");
    }
}
