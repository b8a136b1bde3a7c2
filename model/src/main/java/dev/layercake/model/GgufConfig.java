package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.model.ModelConfig.Activation;
import dev.layercake.model.ModelConfig.Experts;
import dev.layercake.model.ModelConfig.Layer;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufMetadata;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@link ModelConfig} from GGUF metadata. Keys are those of ggml's documentation; where llama.cpp knows a fact from
 * the architecture alone (Gemma's window pattern), the file may still say otherwise.
 */
final class GgufConfig {
    static final String ROPE_FACTORS = "rope_freqs.weight";
    static final String LONG_FACTORS = "rope_factors_long.weight";
    static final String SHORT_FACTORS = "rope_factors_short.weight";

    /** The end of a text, of a turn, and of a message that a tool answers. */
    static final List<String> END_KEYS =
            List.of("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id");

    private final GgufFile file;
    private final GgufMetadata metadata;
    private final Architecture architecture;
    private final String prefix;

    private GgufConfig(GgufFile file) {
        this.file = file;
        this.metadata = file.metadata();
        this.architecture = Architecture.ofGguf(metadata.string("general.architecture"));
        this.prefix = architecture.ggufName() + ".";
    }

    /** @throws LayercakeException if the architecture is unknown or a key is missing or of the wrong kind */
    static ModelConfig parse(GgufFile file) {
        return new GgufConfig(file).config();
    }

    private ModelConfig config() {
        int hidden = integer("embedding_length");
        int queryHeads = uniform("attention.head_count", 0);
        if (queryHeads < 1) {
            throw LayercakeException.badModel(file.path() + ": the metadata give " + queryHeads + " attention heads");
        }
        int headDim = integer("attention.key_length", hidden / queryHeads);
        if (integer("attention.value_length", headDim) != headDim) {
            throw LayercakeException.badModel(
                    file.path() + ": keys and values differ in length, which is not supported");
        }
        return new ModelConfig(
                architecture.huggingFaceName(),
                hidden,
                vocabularySize(),
                integer("context_length", 2048),
                queryHeads,
                uniform("attention.head_count_kv", queryHeads),
                headDim,
                number("attention.scale", (float) (1 / Math.sqrt(headDim))),
                number("attn_logit_softcapping", architecture == Architecture.GEMMA2 ? 50 : 0),
                number("final_logit_softcapping", architecture == Architecture.GEMMA2 ? 30 : 0),
                architecture.gemma() ? (float) Math.sqrt(hidden) : 1f,
                number("attention.layer_norm_rms_epsilon", 1e-6f),
                architecture.gemma() ? Activation.GELU_TANH : Activation.SILU,
                architecture.interleavedInGguf(),
                layers(headDim),
                experts(),
                metadata.intValue("tokenizer.ggml.bos_token_id", -1),
                eosTokens());
    }

    private int vocabularySize() {
        return Math.toIntExact(
                Math.min(Integer.MAX_VALUE, file.info("token_embd.weight").rows()));
    }

    private @Nullable Experts experts() {
        int count = integer("expert_count", 0);
        return count == 0
                ? null
                : new Experts(count, integer("expert_used_count"), metadata.bool(prefix + "expert_weights_norm", true));
    }

    private List<Layer> layers(int headDim) {
        int count = integer("block_count");
        if (count < 1 || count > 4096) {
            throw LayercakeException.badModel(file.path() + ": the metadata give " + count + " layers");
        }
        int rotated = integer("rope.dimension_count", headDim);
        RopeConfig global = new RopeConfig(number("rope.freq_base", 10_000), rotated, scaling());
        RopeConfig local = architecture == Architecture.GEMMA3
                ? new RopeConfig(number("rope.freq_base_swa", 10_000), rotated, new RopeConfig.None())
                : global;
        int window = integer("attention.sliding_window", 0);
        IntPredicate sliding = slidingLayers(count);
        List<Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < count; layer++) {
            layers.add(window > 0 && sliding.test(layer) ? new Layer(window, local) : new Layer(0, global));
        }
        return layers;
    }

    /** The pattern key holds either a period, whose last layer sees everything, or a flag per layer. */
    private IntPredicate slidingLayers(int count) {
        String key = prefix + "attention.sliding_window_pattern";
        if (metadata.isArray(key)) {
            boolean[] flags = metadata.bools(key);
            if (flags.length != count) {
                throw LayercakeException.badModel(
                        file.path() + ": " + key + " has " + flags.length + " flags for " + count + " layers");
            }
            return layer -> flags[layer];
        }
        int period = Math.max(1, metadata.intValue(key, architecture == Architecture.GEMMA3 ? 6 : 2));
        return switch (architecture) {
            case GEMMA2, GEMMA3 -> layer -> (layer + 1) % period != 0;
            default -> layer -> true;
        };
    }

    private RopeConfig.Scaling scaling() {
        if (file.find(ROPE_FACTORS).isPresent()) {
            return new RopeConfig.Factors(floats(ROPE_FACTORS));
        }
        int original = integer("rope.scaling.original_context_length", integer("context_length", 2048));
        double factor = number("rope.scaling.factor", 1);
        if (file.find(LONG_FACTORS).isPresent()) {
            return new RopeConfig.LongRope(
                    floats(SHORT_FACTORS), floats(LONG_FACTORS), original, number("rope.scaling.attn_factor", 1));
        }
        String type = metadata.string(prefix + "rope.scaling.type", "none");
        return switch (type) {
            case "none" -> new RopeConfig.None();
            case "linear" -> new RopeConfig.Linear(factor);
            case "yarn" ->
                new RopeConfig.Yarn(
                        factor,
                        original,
                        number("rope.scaling.yarn_beta_fast", 32),
                        number("rope.scaling.yarn_beta_slow", 1),
                        number("rope.scaling.attn_factor", 1) * RopeConfig.Yarn.defaultAttentionFactor(factor),
                        true);
            default ->
                throw LayercakeException.badModel(file.path() + ": rope scaling '" + type
                        + "' is not supported; known are none, linear, yarn, and factors as tensors");
        };
    }

    private List<Float> floats(String name) {
        Tensor tensor = file.tensor(name);
        if (tensor.dtype() != DType.F32 || tensor.columns() > 1 << 14) {
            throw LayercakeException.badModel(
                    file.path() + ": tensor " + name + " is " + tensor + ", not a short row of F32");
        }
        return IntStream.range(0, (int) tensor.columns())
                .mapToObj(column -> tensor.get(0, column))
                .toList();
    }

    private List<Integer> eosTokens() {
        List<Integer> tokens = new ArrayList<>();
        for (String key : END_KEYS) {
            int token = metadata.intValue(key, -1);
            if (token >= 0 && !tokens.contains(token)) {
                tokens.add(token);
            }
        }
        return tokens;
    }

    /** A number that some files give per layer; only the same for all layers is supported. */
    private int uniform(String key, int fallback) {
        if (!metadata.isArray(prefix + key)) {
            return integer(key, fallback);
        }
        int[] perLayer = metadata.ints(prefix + key);
        if (perLayer.length == 0 || Arrays.stream(perLayer).distinct().count() != 1) {
            throw LayercakeException.badModel(
                    file.path() + ": " + prefix + key + " differs from layer to layer, which is not supported");
        }
        return perLayer[0];
    }

    private int integer(String key) {
        return metadata.intValue(prefix + key);
    }

    private int integer(String key, int fallback) {
        return metadata.intValue(prefix + key, fallback);
    }

    private float number(String key, float fallback) {
        return metadata.floatValue(prefix + key, fallback);
    }
}
