package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the rotary embeddings from config.json, in all the forms that transformers has written: {@code rope_theta} with
 * {@code rope_scaling} beside it, {@code rope_parameters} that hold both, and {@code rope_parameters} by type of layer.
 * What is not understood is refused: other frequencies than a model was trained with give fluent nonsense.
 */
final class HuggingFaceRope {
    static final String FULL = "full_attention";
    static final String SLIDING = "sliding_attention";

    private static final String NEW_KEY = "rope_parameters";
    private static final String OLD_KEY = "rope_scaling";
    private static final String ORIGINAL = "original_max_position_embeddings";
    private static final double MOST_THETA = 1e15;
    private static final double LEAST_FACTOR = 1e-3;
    private static final double MOST_FACTOR = 1e6;

    /** Understood with any type, or without meaning for the computation. */
    private static final Set<String> COMMON_KEYS =
            Set.of("rope_type", "type", "rope_theta", "partial_rotary_factor", ORIGINAL, "finetuned");

    private final JsonFields fields;
    private final Architecture architecture;
    private final int headDim;
    private final int contextLength;
    private final double theta;

    HuggingFaceRope(JsonFields fields, Architecture architecture, int headDim, int contextLength) {
        this.fields = fields;
        this.architecture = architecture;
        this.headDim = headDim;
        this.contextLength = contextLength;
        this.theta =
                theta(fields, "rope_theta", HuggingFaceDefaults.of(architecture).ropeTheta());
    }

    /** Of layers that see everything. */
    RopeConfig full() {
        JsonFields rules = rules();
        return rules == null ? plain(theta) : read(byLayerType(rules) ? part(rules, FULL) : rules, theta);
    }

    /** Of layers with a sliding window. */
    RopeConfig sliding() {
        JsonFields rules = rules();
        double own = architecture == Architecture.GEMMA3 ? theta(fields, "rope_local_base_freq", 10_000) : theta;
        if (rules != null && byLayerType(rules)) {
            return read(part(rules, SLIDING), own);
        }
        // Gemma 3's scaling is for the layers that see far.
        return architecture == Architecture.GEMMA3 ? plain(own) : full();
    }

    private @Nullable JsonFields rules() {
        if (fields.has(NEW_KEY) && fields.has(OLD_KEY) && !fields.node(NEW_KEY).equals(fields.node(OLD_KEY))) {
            throw fields.unsupported(OLD_KEY, "beside " + NEW_KEY + " it must be the same: remove one of them");
        }
        for (String key : new String[] {NEW_KEY, OLD_KEY}) {
            if (fields.has(key)) {
                return fields.object(key);
            }
        }
        return null;
    }

    private static boolean byLayerType(JsonFields rules) {
        return rules.has(FULL) || rules.has(SLIDING);
    }

    private static @Nullable JsonFields part(JsonFields rules, String layerType) {
        for (String key : rules.keys()) {
            if (!key.equals(FULL) && !key.equals(SLIDING)) {
                throw rules.unsupported(key, "beside " + FULL + " and " + SLIDING + " nothing else is known");
            }
        }
        return rules.has(layerType) ? rules.object(layerType) : null;
    }

    private RopeConfig plain(double base) {
        return new RopeConfig(base, rotated(null), new RopeConfig.None());
    }

    private RopeConfig read(@Nullable JsonFields rules, double fallbackTheta) {
        if (rules == null) {
            return plain(fallbackTheta);
        }
        return new RopeConfig(theta(rules, "rope_theta", fallbackTheta), rotated(rules), scaling(rules));
    }

    private static double theta(JsonFields fields, String key, double fallback) {
        return fields.number(key, fallback, 2, MOST_THETA);
    }

    private int rotated(@Nullable JsonFields rules) {
        String key = "partial_rotary_factor";
        JsonFields place = rules != null && rules.has(key) ? rules : fields;
        int rotated = (int) (headDim * place.number(key, 1, 0, 1));
        if (rotated < 2 || rotated % 2 != 0) {
            throw place.has(key)
                    ? place.refused(key, "a share that makes a whole number of pairs of " + headDim + " elements")
                    : LayercakeException.badModel("config.json speaks of heads of " + headDim
                            + " elements, which cannot be rotated in pairs; the file is damaged, download it again");
        }
        return rotated;
    }

    private RopeConfig.Scaling scaling(JsonFields rules) {
        String type = type(rules);
        return switch (type) {
            case "default" -> {
                requireKnown(rules, Set.of());
                yield new RopeConfig.None();
            }
            case "linear" -> {
                requireKnown(rules, Set.of("factor"));
                yield new RopeConfig.Linear(factor(rules, "factor"));
            }
            case "dynamic" -> {
                requireKnown(rules, Set.of("factor"));
                yield new RopeConfig.Dynamic(factor(rules, "factor"), contextLength);
            }
            case "llama3" -> llama3(rules);
            case "yarn" -> yarn(rules);
            case "longrope", "su" -> longRope(rules);
            default ->
                throw rules.unsupported(
                        rules.has("rope_type") ? "rope_type" : "type",
                        "known are default, linear, dynamic, llama3, yarn, longrope");
        };
    }

    private static String type(JsonFields rules) {
        String type = rules.text("rope_type", rules.text("type", "default"));
        if (rules.has("type") && !known(rules.text("type")).equals(known(type))) {
            throw rules.unsupported("type", "rope_type beside it says otherwise");
        }
        if (!rules.has("rope_type") && !rules.has("type") && rules.has("factor")) {
            throw rules.unsupported("factor", "a rope_type must say what it is a factor of");
        }
        return type;
    }

    /** LongRoPE was called su once. */
    private static String known(String type) {
        return type.equals("su") ? "longrope" : type;
    }

    private static void requireKnown(JsonFields rules, Set<String> ofType) {
        Set<String> unknown = new HashSet<>(rules.keys());
        unknown.removeAll(COMMON_KEYS);
        unknown.removeAll(ofType);
        for (String key : unknown) {
            throw rules.unsupported(key, "rotary embeddings of this type have no such key");
        }
    }

    private static double factor(JsonFields rules, String key) {
        return rules.number(key, LEAST_FACTOR, MOST_FACTOR);
    }

    private static double factor(JsonFields rules, String key, double fallback) {
        return rules.number(key, fallback, LEAST_FACTOR, MOST_FACTOR);
    }

    private int original(JsonFields rules) {
        JsonFields place = rules.has(ORIGINAL) && !fields.has(ORIGINAL) ? rules : fields;
        return place.integer(ORIGINAL, contextLength, 2, ModelConfig.MOST_CONTEXT);
    }

    private RopeConfig.Llama3 llama3(JsonFields rules) {
        String low = "low_freq_factor";
        String high = "high_freq_factor";
        requireKnown(rules, Set.of("factor", low, high));
        double lowFactor = factor(rules, low);
        double highFactor = factor(rules, high);
        if (highFactor <= lowFactor) {
            throw rules.refused(high, "above " + low);
        }
        return new RopeConfig.Llama3(factor(rules, "factor"), lowFactor, highFactor, original(rules));
    }

    private RopeConfig.Yarn yarn(JsonFields rules) {
        requireKnown(
                rules,
                Set.of("factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"));
        int original = original(rules);
        double factor = factor(rules, "factor");
        double attention;
        if (rules.has("attention_factor")) {
            attention = factor(rules, "attention_factor");
        } else {
            double scale = rules.numberOrZero("mscale", 0, LEAST_FACTOR, MOST_FACTOR);
            double scaleAll = rules.numberOrZero("mscale_all_dim", 0, LEAST_FACTOR, MOST_FACTOR);
            attention = scale != 0 && scaleAll != 0
                    ? yarnScale(factor, scale) / yarnScale(factor, scaleAll)
                    : RopeConfig.Yarn.defaultAttentionFactor(factor);
        }
        double fast = factor(rules, "beta_fast", 32);
        double slow = factor(rules, "beta_slow", 1);
        return new RopeConfig.Yarn(factor, original, fast, slow, attention, rules.flag("truncate", true));
    }

    private static double yarnScale(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private RopeConfig.LongRope longRope(JsonFields rules) {
        requireKnown(rules, Set.of("short_factor", "long_factor", "factor", "attention_factor"));
        int original = original(rules);
        double factor = factor(rules, "factor", (double) contextLength / original);
        return new RopeConfig.LongRope(
                rules.numbers("short_factor", LEAST_FACTOR, MOST_FACTOR),
                rules.numbers("long_factor", LEAST_FACTOR, MOST_FACTOR),
                original,
                factor(rules, "attention_factor", RopeConfig.LongRope.defaultAttentionFactor(factor, original)));
    }
}
