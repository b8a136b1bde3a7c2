package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.ModelConfig.Activation;
import dev.layercake.model.ModelConfig.Experts;
import dev.layercake.model.ModelConfig.Layer;
import dev.layercake.model.format.GgufFile;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Reads {@link ModelConfig} from GGUF metadata. Keys are those of ggml's documentation; where llama.cpp knows a fact from
 * the architecture alone (Gemma's window pattern), the file may still say otherwise.
 */
final class GgufConfig {
    /** The end of a text, of a turn, and of a message that a tool answers. */
    static final List<String> END_KEYS =
            List.of("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id");

    private static final List<String> BOS_KEY = List.of("tokenizer.ggml.bos_token_id");
    private static final int GEMMA2_WINDOW = 4096;

    private final GgufFile file;
    private final GgufFields fields;
    private final GgufFields anyKey;
    private final Architecture architecture;

    private GgufConfig(GgufFile file) {
        this.file = file;
        this.anyKey = new GgufFields(file, "");
        this.architecture = Architecture.ofGguf(anyKey.text("general.architecture"));
        this.fields = new GgufFields(file, architecture.ggufName() + ".");
    }

    /**
     * @throws LayercakeException (bad model) if the architecture is unknown, or a key is missing, of the wrong kind or beyond
     *     what any model has
     */
    static ModelConfig parse(GgufFile file) {
        return new GgufConfig(file).config();
    }

    private ModelConfig config() {
        int hidden = fields.integer("embedding_length", 1, ModelConfig.MOST_HIDDEN);
        int queryHeads = queryHeads();
        int headDim = headDim(hidden, queryHeads);
        int vocabulary = vocabularySize();
        int count = fields.integer("block_count", 1, ModelConfig.MOST_LAYERS);
        int context = fields.integer("context_length", 2048, 1, ModelConfig.MOST_CONTEXT);
        boolean capped = architecture == Architecture.GEMMA2;
        return new ModelConfig(
                architecture.huggingFaceName(),
                hidden,
                vocabulary,
                context,
                queryHeads,
                kvHeads(queryHeads),
                headDim,
                (float) fields.number("attention.scale", attentionScale(count, hidden, queryHeads, headDim), 1e-5, 1e5),
                softcap("attn_logit_softcapping", capped ? 50 : 0),
                softcap("final_logit_softcapping", capped ? 30 : 0),
                architecture.gemma() ? (float) Math.sqrt(hidden) : 1f,
                (float) fields.number(
                        "attention.layer_norm_rms_epsilon", 1e-6, ModelConfig.LEAST_EPSILON, ModelConfig.MOST_EPSILON),
                architecture.gemma() ? Activation.GELU_TANH : Activation.SILU,
                architecture.interleavedInGguf(),
                file.find("output.weight").isEmpty(),
                layers(count, headDim, context),
                experts(),
                anyKey.tokens(BOS_KEY, vocabulary).stream().findFirst().orElse(-1),
                anyKey.tokens(END_KEYS, vocabulary));
    }

    private int queryHeads() {
        String key = "attention.head_count";
        return fields.isArray(key)
                ? fields.uniform(key, 1, 1, ModelConfig.MOST_HEADS)
                : fields.integer(key, 1, ModelConfig.MOST_HEADS);
    }

    private int kvHeads(int queryHeads) {
        String key = "attention.head_count_kv";
        int kvHeads = fields.uniform(key, queryHeads, 1, ModelConfig.MOST_HEADS);
        if (queryHeads % kvHeads != 0) {
            throw fields.refused(key, "a divisor of the " + queryHeads + " attention heads");
        }
        return kvHeads;
    }

    private int headDim(int hidden, int queryHeads) {
        if (!fields.has("attention.key_length") && hidden / queryHeads < 2) {
            throw fields.refused("attention.head_count", "a number of heads that " + hidden + " elements allow");
        }
        int headDim = fields.integer("attention.key_length", hidden / queryHeads, 2, ModelConfig.MOST_HEAD_DIM);
        if (fields.integer("attention.value_length", headDim, 1, ModelConfig.MOST_HEAD_DIM) != headDim) {
            throw fields.refused("attention.value_length", headDim + ", the length of a key");
        }
        return headDim;
    }

    /**
     * Gemma's files do not say their scale. It is that of the head, but for the two models of 27B, which are known by their
     * number of layers and scale by hidden size and heads (query_pre_attn_scalar in their published configurations).
     */
    private double attentionScale(int layers, int hidden, int queryHeads, int headDim) {
        boolean of27B = switch (architecture) {
            case GEMMA2 -> layers == 46;
            case GEMMA3 -> layers == 62;
            default -> false;
        };
        return 1 / Math.sqrt(of27B ? (double) hidden / queryHeads : headDim);
    }

    private float softcap(String key, double fallback) {
        return (float) fields.numberOrZero(key, fallback, ModelConfig.LEAST_SOFTCAP, ModelConfig.MOST_SOFTCAP);
    }

    private int vocabularySize() {
        long rows = file.info("token_embd.weight").rows();
        if (rows < 1 || rows > ModelConfig.MOST_VOCABULARY) {
            throw LayercakeException.badModel(file.path() + ": tensor token_embd.weight has " + rows
                    + " rows, which is no vocabulary; the file is damaged, download or convert it again");
        }
        return (int) rows;
    }

    private @Nullable Experts experts() {
        int count = fields.integer("expert_count", 0, 0, ModelConfig.MOST_EXPERTS);
        return count == 0
                ? null
                : new Experts(
                        count, fields.integer("expert_used_count", 1, count), fields.flag("expert_weights_norm", true));
    }

    private List<Layer> layers(int count, int headDim, int context) {
        GgufRope rope = new GgufRope(file, fields, architecture, headDim, context);
        Layer full = new Layer(0, rope.full());
        // The first files of Gemma 2 were written without.
        int fallback = architecture == Architecture.GEMMA2 ? GEMMA2_WINDOW : 0;
        int window = fields.integer("attention.sliding_window", fallback, 0, Integer.MAX_VALUE);
        Layer windowed = new Layer(window, rope.sliding());
        IntPredicate sliding = slidingLayers(count);
        List<Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < count; layer++) {
            layers.add(window > 0 && sliding.test(layer) ? windowed : full);
        }
        return layers;
    }

    /** The pattern key holds either a period, whose last layer sees everything, or a flag per layer. */
    private IntPredicate slidingLayers(int count) {
        String key = "attention.sliding_window_pattern";
        if (fields.isArray(key)) {
            boolean[] flags = fields.flags(key);
            if (flags.length != count) {
                throw fields.refused(key, "a flag for each of the " + count + " layers");
            }
            return layer -> flags[layer];
        }
        int period = fields.integer(key, architecture == Architecture.GEMMA3 ? 6 : 2, 1, ModelConfig.MOST_LAYERS);
        return switch (architecture) {
            case GEMMA2, GEMMA3 -> layer -> (layer + 1) % period != 0;
            default -> layer -> true;
        };
    }
}
