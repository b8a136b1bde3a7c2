package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import dev.layercake.model.format.TensorContent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes a loaded model as a GGUF file, weights in the dtypes they have: names, metadata and the order of rotary pairs as
 * llama.cpp's converter makes them. The tokenizer is not written.
 */
public final class GgufModelWriter {
    private final ModelConfig config;
    private final Weights weights;
    private final Architecture architecture;
    private final TensorNames names;
    private final GgufWriter writer = new GgufWriter();

    private GgufModelWriter(Model model) {
        this.config = model.config();
        this.weights = model.weights();
        this.architecture = Architecture.ofHuggingFace(config.architecture());
        this.names = TensorNames.gguf(architecture);
        writer.metadata("general.architecture", GgufValue.string(architecture.ggufName()));
        writer.metadata("general.name", GgufValue.string(model.name()));
        // The format's word for "bring your own token ids".
        writer.metadata("tokenizer.ggml.model", GgufValue.string("none"));
    }

    /**
     * Writes the file; it appears only when it is complete.
     *
     * @throws LayercakeException (bad input) if it cannot be written; nothing is left of it then
     */
    public static void write(Model model, Path path) {
        GgufModelWriter writer = new GgufModelWriter(model);
        writer.metadata();
        writer.weights();
        writer.writer.write(path);
    }

    private void metadata() {
        count("block_count", config.layerCount());
        count("context_length", config.contextLength());
        count("embedding_length", config.hiddenSize());
        count("feed_forward_length", weights.feedForwardSize());
        count("attention.head_count", config.queryHeads());
        count("attention.head_count_kv", config.kvHeads());
        count("attention.key_length", config.headDim());
        count("attention.value_length", config.headDim());
        count("vocab_size", config.vocabularySize());
        number("attention.layer_norm_rms_epsilon", config.normEpsilon());
        number("attention.scale", config.attentionScale());
        if (architecture == Architecture.GEMMA2) {
            number("attn_logit_softcapping", config.attentionSoftcap());
            number("final_logit_softcapping", config.logitSoftcap());
        }
        if (config.experts() != null) {
            count("expert_count", config.experts().count());
            count("expert_used_count", config.experts().perToken());
            writer.metadata(
                    key("expert_weights_norm"), GgufValue.bool(config.experts().normalized()));
        }
        slidingWindow();
        rope();
        if (config.bosToken() >= 0) {
            writer.metadata("tokenizer.ggml.bos_token_id", GgufValue.uint32(config.bosToken()));
        }
        // Without a vocabulary to find the others in, the format has room for three.
        int ends = Math.min(config.eosTokens().size(), GgufConfig.END_KEYS.size());
        for (int end = 0; end < ends; end++) {
            writer.metadata(
                    GgufConfig.END_KEYS.get(end),
                    GgufValue.uint32(config.eosTokens().get(end)));
        }
    }

    private void slidingWindow() {
        boolean[] sliding = new boolean[config.layerCount()];
        int window = 0;
        for (int layer = 0; layer < sliding.length; layer++) {
            int own = config.layers().get(layer).slidingWindow();
            sliding[layer] = own > 0;
            window = Math.max(window, own);
        }
        if (window > 0) {
            count("attention.sliding_window", window);
            writer.metadata(key("attention.sliding_window_pattern"), GgufValue.bools(sliding));
        } else if (architecture == Architecture.GEMMA2) {
            // Without the key it would be the family's usual window.
            count("attention.sliding_window", 0);
        }
    }

    private void rope() {
        RopeConfig rope = config.layers().getLast().rope();
        for (ModelConfig.Layer layer : config.layers()) {
            if (layer.slidingWindow() == 0) {
                rope = layer.rope();
            } else if (architecture == Architecture.GEMMA3) {
                number("rope.freq_base_swa", (float) layer.rope().theta());
            }
        }
        count("rope.dimension_count", rope.rotatedElements());
        number("rope.freq_base", (float) rope.theta());
        switch (rope.scaling()) {
            case RopeConfig.None _ -> {}
            case RopeConfig.Linear linear -> {
                writer.metadata(key("rope.scaling.type"), GgufValue.string("linear"));
                number("rope.scaling.factor", (float) linear.factor());
            }
            case RopeConfig.Yarn yarn -> {
                writer.metadata(key("rope.scaling.type"), GgufValue.string("yarn"));
                number("rope.scaling.factor", (float) yarn.factor());
                number("rope.scaling.yarn_beta_fast", (float) yarn.betaFast());
                number("rope.scaling.yarn_beta_slow", (float) yarn.betaSlow());
                number("rope.scaling.attn_factor", (float)
                        (yarn.attentionFactor() / RopeConfig.Yarn.defaultAttentionFactor(yarn.factor())));
                count("rope.scaling.original_context_length", yarn.originalContext());
            }
            case RopeConfig.Dynamic _ ->
                throw LayercakeException.badInput(
                        "GGUF has no key for dynamic rotary scaling; use the model as it is.");
            case RopeConfig.Llama3 _ -> factors(GgufRope.FACTORS, rope.frequencyDivisors());
            case RopeConfig.Factors factors -> factors(GgufRope.FACTORS, factors.factors());
            case RopeConfig.LongRope longRope -> {
                factors(GgufRope.LONG_FACTORS, longRope.longFactors());
                factors(GgufRope.SHORT_FACTORS, longRope.shortFactors());
                number("rope.scaling.attn_factor", (float) longRope.attentionFactor());
                count("rope.scaling.original_context_length", longRope.originalContext());
            }
        }
    }

    private void factors(String name, List<Float> values) {
        float[] row = new float[values.size()];
        for (int pair = 0; pair < row.length; pair++) {
            row[pair] = values.get(pair);
        }
        writer.add(name, DType.F32, TensorContent.ofFloats(row), row.length);
    }

    private void weights() {
        matrix(names.embedding(), weights.embedding());
        vector(names.outputNorm() + ".weight", weights.outputNorm());
        if (weights.output() != weights.embedding()) {
            matrix(names.output(), weights.output());
        }
        for (int layer = 0; layer < config.layerCount(); layer++) {
            layer(layer, weights.layers().get(layer));
        }
    }

    private void layer(int layer, Weights.Layer layerWeights) {
        Weights.Attention attention = layerWeights.attention();
        norm(names.attentionNorm(), layer, layerWeights.attentionNorm());
        norm(names.queryNorm(), layer, attention.queryNorm());
        norm(names.keyNorm(), layer, attention.keyNorm());
        norm(names.attentionOutputNorm(), layer, layerWeights.attentionOutputNorm());
        norm(names.feedForwardNorm(), layer, layerWeights.feedForwardNorm());
        norm(names.feedForwardOutputNorm(), layer, layerWeights.feedForwardOutputNorm());
        if (architecture == Architecture.PHI3) {
            stacked(
                    at(names.fusedQueryKeyValue(), layer),
                    List.of(attention.query(), attention.key(), attention.value()));
        } else {
            rotary(at(names.query(), layer), attention.query());
            rotary(at(names.key(), layer), attention.key());
            linear(at(names.value(), layer), attention.value());
        }
        linear(at(names.attentionOutput(), layer), attention.output());
        switch (layerWeights.feedForward()) {
            case Weights.Gated gated -> gated(layer, gated);
            case Weights.Mixture mixture -> mixture(layer, mixture);
        }
    }

    private void gated(int layer, Weights.Gated gated) {
        if (architecture == Architecture.PHI3) {
            stacked(at(names.fusedGateUp(), layer), List.of(gated.gate(), gated.up()));
        } else {
            linear(at(names.gate(), layer), gated.gate());
            linear(at(names.up(), layer), gated.up());
        }
        linear(at(names.down(), layer), gated.down());
    }

    private void mixture(int layer, Weights.Mixture mixture) {
        matrix(at(names.router(), layer), mixture.router());
        experts(
                at(names.expertGate(), layer),
                mixture.experts().stream().map(Weights.Gated::gate).toList());
        experts(
                at(names.expertUp(), layer),
                mixture.experts().stream().map(Weights.Gated::up).toList());
        experts(
                at(names.expertDown(), layer),
                mixture.experts().stream().map(Weights.Gated::down).toList());
    }

    private void experts(String name, List<Weights.Linear> experts) {
        Tensor first = experts.getFirst().matrix();
        writer.add(name + ".weight", first.dtype(), content(experts), experts.size(), first.rows(), first.columns());
    }

    private void stacked(String name, List<Weights.Linear> parts) {
        Tensor first = parts.getFirst().matrix();
        long rows = parts.stream().mapToLong(part -> part.matrix().rows()).sum();
        writer.add(name + ".weight", first.dtype(), content(parts), rows, first.columns());
    }

    private static TensorContent content(List<Weights.Linear> parts) {
        return out -> parts.forEach(part -> TensorContent.of(part.matrix()).writeTo(out));
    }

    /** Queries and keys of a Llama lie pair by pair in GGUF; all others, and their biases, as in Hugging Face's files. */
    private void rotary(String name, Weights.Linear linear) {
        if (!architecture.interleavedInGguf() || config.interleavedRope()) {
            linear(name, linear);
            return;
        }
        Tensor matrix = linear.matrix();
        writer.add(name + ".weight", matrix.dtype(), interleaved(matrix), matrix.rows(), matrix.columns());
        if (linear.bias() != null) {
            Tensor bias = linear.bias();
            // One element per row, so that the same reordering serves.
            TensorContent content = interleaved(new Tensor(DType.F32, bias.data(), bias.columns(), 1));
            writer.add(name + ".bias", DType.F32, content, bias.columns());
        }
    }

    private TensorContent interleaved(Tensor rows) {
        long half = config.headDim() / 2;
        return out -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment head = arena.allocate(config.headDim() * rows.rowBytes());
                for (long first = 0; first < rows.rows(); first += config.headDim()) {
                    for (int row = 0; row < config.headDim(); row++) {
                        long source = first + row / 2 + (row % 2) * half;
                        MemorySegment.copy(
                                rows.data(), source * rows.rowBytes(), head, row * rows.rowBytes(), rows.rowBytes());
                    }
                    out.accept(head);
                }
            }
        };
    }

    private void linear(String name, Weights.Linear linear) {
        matrix(name, linear.matrix());
        if (linear.bias() != null) {
            vector(name + ".bias", linear.bias());
        }
    }

    private void matrix(String name, Tensor matrix) {
        writer.add(name + ".weight", matrix);
    }

    private void norm(String name, int layer, @Nullable Tensor norm) {
        if (norm != null) {
            vector(at(name, layer) + ".weight", norm);
        }
    }

    private void vector(String fullName, Tensor row) {
        writer.add(fullName, row.dtype(), TensorContent.of(row), row.columns());
    }

    private static String at(String name, int layer) {
        return TensorNames.at(name, layer);
    }

    private String key(String suffix) {
        return architecture.ggufName() + "." + suffix;
    }

    private void count(String suffix, int value) {
        writer.metadata(key(suffix), GgufValue.uint32(value));
    }

    private void number(String suffix, float value) {
        writer.metadata(key(suffix), GgufValue.float32(value));
    }
}
