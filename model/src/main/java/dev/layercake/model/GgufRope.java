package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.Quote;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Reads the rotary embeddings from GGUF metadata and the tensors that hold factors. What is not understood is refused, as in
 * {@link HuggingFaceRope}.
 */
final class GgufRope {
    static final String FACTORS = "rope_freqs.weight";
    static final String LONG_FACTORS = "rope_factors_long.weight";
    static final String SHORT_FACTORS = "rope_factors_short.weight";

    private static final String ATTENTION_FACTOR = "rope.scaling.attn_factor";
    private static final String ORIGINAL = "rope.scaling.original_context_length";
    private static final double LEAST_FACTOR = 1e-3;
    private static final double MOST_FACTOR = 1e6;
    private static final Set<String> KNOWN_KEYS = Set.of(
            "rope.dimension_count",
            "rope.dimension_count_swa",
            "rope.freq_base",
            "rope.freq_base_swa",
            "rope.scale_linear",
            "rope.scaling.type",
            "rope.scaling.factor",
            "rope.scaling.finetuned",
            "rope.scaling.yarn_beta_fast",
            "rope.scaling.yarn_beta_slow",
            ATTENTION_FACTOR,
            ORIGINAL);

    private final GgufFile file;
    private final GgufFields fields;
    private final Architecture architecture;
    private final int rotated;
    private final int contextLength;

    GgufRope(GgufFile file, GgufFields fields, Architecture architecture, int headDim, int contextLength) {
        this.file = file;
        this.fields = fields;
        this.architecture = architecture;
        this.contextLength = contextLength;
        this.rotated = fields.integer("rope.dimension_count", headDim, 2, headDim);
        if (rotated % 2 != 0) {
            throw fields.refused("rope.dimension_count", "an even number");
        }
        fields.integer("rope.dimension_count_swa", rotated, rotated, rotated);
        for (String key : fields.keys("rope.")) {
            if (!KNOWN_KEYS.contains(key)) {
                throw LayercakeException.badModel(file.path() + ": the metadata key " + Quote.of(key)
                        + " changes the rotary embedding in a way that Layercake does not support");
            }
        }
    }

    /** Of layers that see everything. */
    RopeConfig full() {
        return new RopeConfig(
                theta("rope.freq_base", HuggingFaceDefaults.of(architecture).ropeTheta()), rotated, scaling());
    }

    /** Of layers with a sliding window. */
    RopeConfig sliding() {
        double local = theta("rope.freq_base_swa", 10_000);
        // Gemma 3's scaling is for the layers that see far.
        return architecture == Architecture.GEMMA3 ? new RopeConfig(local, rotated, new RopeConfig.None()) : full();
    }

    private double theta(String key, double fallback) {
        return fields.number(key, fallback, 2, 1e15);
    }

    private double factor(String key, double fallback) {
        return fields.number(key, fallback, LEAST_FACTOR, MOST_FACTOR);
    }

    private RopeConfig.Scaling scaling() {
        double factor = fields.numberOrZero(
                fields.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear",
                1,
                LEAST_FACTOR,
                MOST_FACTOR);
        boolean scaled = factor != 0 && factor != 1;
        // The format's first files had factors only, and meant linear ones.
        String type = fields.text("rope.scaling.type", scaled ? "linear" : "none");
        int original = fields.integer(ORIGINAL, contextLength, 2, ModelConfig.MOST_CONTEXT);
        if (file.find(LONG_FACTORS).isPresent()) {
            double attention = RopeConfig.LongRope.defaultAttentionFactor((double) contextLength / original, original);
            return new RopeConfig.LongRope(
                    floats(SHORT_FACTORS), floats(LONG_FACTORS), original, factor(ATTENTION_FACTOR, attention));
        }
        boolean factors = file.find(FACTORS).isPresent();
        return switch (type) {
            case "none", "linear", "yarn" -> {
                if (factors && scaled && !type.equals("none")) {
                    throw fields.refused("rope.scaling.type", "none, as the tensor " + FACTORS + " scales already");
                }
                if (!type.equals("yarn") && factor(ATTENTION_FACTOR, 1) != 1) {
                    throw fields.refused(ATTENTION_FACTOR, "1, as " + type + " scaling has it");
                }
                if (factors) {
                    yield new RopeConfig.Factors(floats(FACTORS));
                }
                yield scaled ? byFactor(type, factor, original) : new RopeConfig.None();
            }
            default -> throw fields.refused("rope.scaling.type", "one of none, linear, yarn, or factors as tensors");
        };
    }

    private RopeConfig.Scaling byFactor(String type, double factor, int original) {
        return switch (type) {
            case "linear" -> new RopeConfig.Linear(factor);
            case "yarn" ->
                new RopeConfig.Yarn(
                        factor,
                        original,
                        factor("rope.scaling.yarn_beta_fast", 32),
                        factor("rope.scaling.yarn_beta_slow", 1),
                        factor(ATTENTION_FACTOR, 1) * RopeConfig.Yarn.defaultAttentionFactor(factor),
                        true);
            default -> new RopeConfig.None();
        };
    }

    private List<Float> floats(String name) {
        Tensor tensor = file.tensor(name);
        if (tensor.dtype() != DType.F32 || tensor.columns() > ModelConfig.MOST_HEAD_DIM) {
            throw LayercakeException.badModel(
                    file.path() + ": tensor " + name + " is " + tensor + ", not a short row of F32");
        }
        return IntStream.range(0, (int) tensor.columns())
                .mapToObj(column -> divisor(name, tensor.get(0, column)))
                .toList();
    }

    private float divisor(String name, float value) {
        if (!(value >= LEAST_FACTOR && value <= MOST_FACTOR)) {
            throw LayercakeException.badModel(file.path() + ": tensor " + name + " holds " + value
                    + ", which is no factor of a frequency; the file is damaged, download or convert it again");
        }
        return value;
    }
}
