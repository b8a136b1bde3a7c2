package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.model.format.TensorSource;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Finds a model's weights among the tensors of its files and checks each shape against the configuration. Matrices stay
 * where they are in the mapped file, unless they are to be quantised; norms and biases are widened to float32.
 */
final class WeightLoader {
    private final ModelConfig config;
    private final TensorSource source;
    private final TensorNames names;
    private final float normOffset;
    private final Arena arena;
    private final @Nullable DType quantizeTo;
    private final Kernels kernels;
    private final Workers workers;

    /**
     * @param normOffset added to every norm weight (1 for Gemma in Hugging Face's form)
     * @param quantizeTo dtype for matrices that are F32, F16 or BF16, null to take them as they are
     * @param arena for what is not in the files; as long-lived as the model
     */
    WeightLoader(
            ModelConfig config,
            TensorSource source,
            TensorNames names,
            float normOffset,
            @Nullable DType quantizeTo,
            Arena arena,
            Kernels kernels,
            Workers workers) {
        this.config = config;
        this.source = source;
        this.names = names;
        this.normOffset = normOffset;
        this.quantizeTo = quantizeTo;
        this.arena = arena;
        this.kernels = kernels;
        this.workers = workers;
    }

    Weights load() {
        Tensor embedding = matrix(names.embedding(), config.vocabularySize(), config.hiddenSize());
        List<Weights.Layer> layers = new ArrayList<>();
        for (int layer = 0; layer < config.layerCount(); layer++) {
            layers.add(layer(layer));
        }
        if (has(at(names.attentionNorm(), config.layerCount()))) {
            throw LayercakeException.badModel(source.path() + ": the configuration speaks of " + config.layerCount()
                    + " layers, but there are weights of more; configuration and weights belong to different models");
        }
        Tensor outputNorm = norm(names.outputNorm(), config.hiddenSize());
        return new Weights(embedding, layers, outputNorm, config.tiedOutput() ? embedding : output());
    }

    private Tensor output() {
        if (!has(names.output())) {
            throw LayercakeException.badModel(source.path() + ": there is no tensor '" + names.output()
                    + ".weight', though the configuration says (tie_word_embeddings) that the output matrix is not the embedding;"
                    + " the model is not complete, or was saved without its head");
        }
        return matrix(names.output(), config.vocabularySize(), config.hiddenSize());
    }

    private Weights.Layer layer(int layer) {
        return new Weights.Layer(
                norm(at(names.attentionNorm(), layer), config.hiddenSize()),
                attention(layer),
                optionalNorm(names.attentionOutputNorm(), layer, config.hiddenSize()),
                norm(at(names.feedForwardNorm(), layer), config.hiddenSize()),
                feedForward(layer),
                optionalNorm(names.feedForwardOutputNorm(), layer, config.hiddenSize()));
    }

    private Weights.Attention attention(int layer) {
        int queryRows = config.queryHeads() * config.headDim();
        int kvRows = config.kvHeads() * config.headDim();
        int hidden = config.hiddenSize();
        Weights.Linear query;
        Weights.Linear key;
        Weights.Linear value;
        String fused = at(names.fusedQueryKeyValue(), layer);
        if (has(fused)) {
            Weights.Linear all = linear(fused, queryRows + 2 * kvRows, hidden);
            query = rows(all, 0, queryRows);
            key = rows(all, queryRows, kvRows);
            value = rows(all, queryRows + kvRows, kvRows);
        } else {
            if (Architecture.ofHuggingFace(config.architecture()).biasesAttention()) {
                source.info(at(names.query(), layer) + ".bias");
                source.info(at(names.key(), layer) + ".bias");
                source.info(at(names.value(), layer) + ".bias");
            }
            query = linear(at(names.query(), layer), queryRows, hidden);
            key = linear(at(names.key(), layer), kvRows, hidden);
            value = linear(at(names.value(), layer), kvRows, hidden);
        }
        return new Weights.Attention(
                query,
                key,
                value,
                linear(at(names.attentionOutput(), layer), hidden, queryRows),
                headNorm(names.queryNorm(), layer),
                headNorm(names.keyNorm(), layer));
    }

    private Weights.FeedForward feedForward(int layer) {
        String router = at(names.router(), layer);
        if (config.experts() != null && has(router)) {
            return mixture(layer, router, config.experts().count());
        }
        String fused = names.fusedGateUp().isEmpty() ? "" : at(names.fusedGateUp(), layer);
        String down = at(names.down(), layer);
        int size = columns(down);
        if (!fused.isEmpty() && has(fused)) {
            Weights.Linear both = linear(fused, 2 * size, config.hiddenSize());
            return new Weights.Gated(
                    rows(both, 0, size), rows(both, size, size), linear(down, config.hiddenSize(), size));
        }
        return new Weights.Gated(
                linear(at(names.gate(), layer), size, config.hiddenSize()),
                linear(at(names.up(), layer), size, config.hiddenSize()),
                linear(down, config.hiddenSize(), size));
    }

    private Weights.Mixture mixture(int layer, String router, int count) {
        List<Weights.Gated> experts = new ArrayList<>();
        boolean stacked = has(at(names.expertGate(), layer));
        for (int expert = 0; expert < count; expert++) {
            Tensor gate = expert(names.expertGate(), layer, expert, stacked);
            Tensor up = expert(names.expertUp(), layer, expert, stacked);
            Tensor down = expert(names.expertDown(), layer, expert, stacked);
            requireShape(at(names.expertGate(), layer), gate, gate.rows(), config.hiddenSize());
            requireShape(at(names.expertUp(), layer), up, gate.rows(), config.hiddenSize());
            requireShape(at(names.expertDown(), layer), down, config.hiddenSize(), gate.rows());
            experts.add(new Weights.Gated(linear(gate), linear(up), linear(down)));
        }
        return new Weights.Mixture(widened(router + ".weight", count, config.hiddenSize(), 0f), experts);
    }

    private Tensor expert(String name, int layer, int expert, boolean stacked) {
        return stacked
                ? source.tensor(at(name, layer) + ".weight", expert)
                : source.tensor(name.formatted(layer, expert) + ".weight");
    }

    private Weights.Linear linear(Tensor matrix) {
        return new Weights.Linear(quantized(matrix), null);
    }

    private boolean has(String name) {
        return source.find(name + ".weight").isPresent();
    }

    private int columns(String name) {
        return Math.toIntExact(
                Math.min(Integer.MAX_VALUE / 4, source.info(name + ".weight").columns()));
    }

    private static String at(String name, int layer) {
        return TensorNames.at(name, layer);
    }

    private Weights.Linear linear(String name, int outputs, int inputs) {
        Tensor bias = source.find(name + ".bias").isPresent() ? widened(name + ".bias", 1, outputs, 0f) : null;
        return new Weights.Linear(matrix(name, outputs, inputs), bias);
    }

    private static Weights.Linear rows(Weights.Linear all, int first, int count) {
        Tensor bias = all.bias();
        if (bias != null) {
            bias = new Tensor(
                    DType.F32, bias.data().asSlice((long) first * Float.BYTES, (long) count * Float.BYTES), 1, count);
        }
        return new Weights.Linear(all.matrix().slice(first, count), bias);
    }

    private Tensor matrix(String name, int rows, int columns) {
        return quantized(checked(name + ".weight", rows, columns));
    }

    private Tensor norm(String name, int size) {
        return widened(name + ".weight", 1, size, normOffset);
    }

    /** A norm that the architectures have whose tensors have a name for it. */
    private @Nullable Tensor optionalNorm(String name, int layer, int size) {
        return name.isEmpty() ? null : norm(at(name, layer), size);
    }

    private @Nullable Tensor headNorm(String name, int layer) {
        boolean needed = Architecture.ofHuggingFace(config.architecture()).normsHeads();
        return needed || has(at(name, layer)) ? norm(at(name, layer), config.headDim()) : null;
    }

    private Tensor widened(String fullName, int rows, int columns, float offset) {
        Tensor stored = checked(fullName, rows, columns);
        if (stored.dtype() == DType.F32 && offset == 0) {
            return stored;
        }
        Tensor wide = Tensor.allocate(arena, DType.F32, rows, columns);
        for (int row = 0; row < rows; row++) {
            kernels.dequantize(stored, row, wide.slice(row, 1));
            for (int column = 0; offset != 0 && column < columns; column++) {
                wide.set(row, column, wide.get(row, column) + offset);
            }
        }
        return wide;
    }

    private Tensor quantized(Tensor matrix) {
        if (quantizeTo == null || matrix.dtype().quantized() || matrix.columns() % quantizeTo.blockElements() != 0) {
            return matrix;
        }
        Tensor target = Tensor.allocate(arena, quantizeTo, matrix.rows(), matrix.columns());
        // Row blocks bound the float32 copy that a narrower source needs.
        long blockRows = Math.max(1, (1 << 22) / Math.max(1, matrix.columns()));
        try (Arena scratch = Arena.ofShared()) {
            Tensor wide = Tensor.allocate(scratch, DType.F32, Math.min(blockRows, matrix.rows()), matrix.columns());
            for (long first = 0; first < matrix.rows(); first += blockRows) {
                long count = Math.min(blockRows, matrix.rows() - first);
                for (long row = 0; row < count; row++) {
                    kernels.dequantize(matrix, first + row, wide.slice(row, 1));
                }
                kernels.quantize(wide.slice(0, count), target.slice(first, count), workers);
            }
        }
        return target;
    }

    private Tensor checked(String fullName, long rows, long columns) {
        Tensor tensor = source.tensor(fullName);
        requireShape(fullName, tensor, rows, columns);
        return tensor;
    }

    private void requireShape(String fullName, Tensor tensor, long rows, long columns) {
        if (tensor.rows() != rows || tensor.columns() != columns) {
            throw LayercakeException.badModel(source.path() + ": tensor '" + fullName + "' has shape " + tensor.rows()
                    + " x " + tensor.columns() + " where the configuration asks for " + rows + " x " + columns
                    + "; configuration and weights belong to different models");
        }
    }
}
