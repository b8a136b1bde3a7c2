package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What a layer does to a chunk of tokens, attention itself apart: the matrices, norms and biases around it. */
final class LayerBlocks {
    private final ModelConfig config;
    private final Weights weights;
    private final Kernels kernels;
    private final Workers workers;
    private final @Nullable MixtureRouter router;

    LayerBlocks(Model model, Kernels kernels, Workers workers) {
        this.config = model.config();
        this.weights = model.weights();
        this.kernels = kernels;
        this.workers = workers;
        this.router = config.experts() == null ? null : new MixtureRouter(config.experts());
    }

    /** Queries, keys and values of a chunk, with their biases and norms. */
    void project(Weights.Layer layerWeights, Tensor states, Activations chunk) {
        Weights.Attention attention = layerWeights.attention();
        kernels.rmsNorm(states, layerWeights.attentionNorm(), config.normEpsilon(), chunk.normed(), workers);
        Tensor[] matrices = {
            attention.query().matrix(),
            attention.key().matrix(),
            attention.value().matrix()
        };
        kernels.matmulAll(
                matrices, chunk.normed(), new Tensor[] {chunk.queries(), chunk.keys(), chunk.values()}, workers);
        addBias(attention.query(), chunk.queries());
        addBias(attention.key(), chunk.keys());
        addBias(attention.value(), chunk.values());
        normHeads(attention.queryNorm(), chunk.queries());
        normHeads(attention.keyNorm(), chunk.keys());
    }

    /** The rotary embedding of a chunk's queries and keys. */
    void rotate(int layer, Activations chunk, RopeTables rope, int firstRope) {
        int count = (int) chunk.queries().rows();
        Tensor cos = rope.cos(layer, firstRope, count);
        Tensor sin = rope.sin(layer, firstRope, count);
        kernels.rope(chunk.queries(), config.headDim(), cos, sin, config.interleavedRope(), workers);
        kernels.rope(chunk.keys(), config.headDim(), cos, sin, config.interleavedRope(), workers);
    }

    private void normHeads(@Nullable Tensor norm, Tensor heads) {
        if (norm != null) {
            Tensor rows = heads.reshape(heads.rows() * heads.columns() / config.headDim(), config.headDim());
            kernels.rmsNorm(rows, norm, config.normEpsilon(), rows, workers);
        }
    }

    /** Adds what came of a chunk's attention to its hidden states. */
    void addAttention(Weights.Layer layer, Activations chunk, Tensor states) {
        linear(layer.attention().output(), chunk.attended(), chunk.projected());
        addBlock(layer.attentionOutputNorm(), chunk.projected(), states);
    }

    /** Adds what the feed-forward block makes of a chunk's hidden states to them. */
    void addFeedForward(Weights.Layer layer, Activations chunk, Tensor states) {
        kernels.rmsNorm(states, layer.feedForwardNorm(), config.normEpsilon(), chunk.normed(), workers);
        switch (layer.feedForward()) {
            case Weights.Gated gated -> gated(gated, chunk.normed(), chunk.gate(), chunk.up(), chunk.projected());
            case Weights.Mixture mixture -> mixture(mixture, chunk);
        }
        addBlock(layer.feedForwardOutputNorm(), chunk.projected(), states);
    }

    private void addBlock(@Nullable Tensor norm, Tensor output, Tensor states) {
        if (norm != null) {
            kernels.rmsNorm(output, norm, config.normEpsilon(), output, workers);
        }
        kernels.addScaled(states, output, 1f, workers);
    }

    private void gated(Weights.Gated block, Tensor x, Tensor gateRows, Tensor upRows, Tensor out) {
        Tensor gate = narrow(gateRows, block.gate().matrix().rows());
        Tensor up = narrow(upRows, block.up().matrix().rows());
        Tensor[] matrices = {block.gate().matrix(), block.up().matrix()};
        kernels.matmulAll(matrices, x, new Tensor[] {gate, up}, workers);
        addBias(block.gate(), gate);
        addBias(block.up(), up);
        switch (config.activation()) {
            case SILU -> kernels.siluGate(gate, up, workers);
            case GELU_TANH -> kernels.geluGate(gate, up, workers);
        }
        linear(block.down(), gate, out);
    }

    /** The same memory as a matrix of fewer columns; layers of one model may differ in feed-forward size. */
    private static Tensor narrow(Tensor rows, long columns) {
        return rows.columns() == columns ? rows : new Tensor(DType.F32, rows.data(), rows.rows(), columns);
    }

    /** Each expert reads the rows of the tokens that chose it, and adds its weighted output to theirs. */
    private void mixture(Weights.Mixture mixture, Activations chunk) {
        if (router == null) {
            throw new IllegalStateException("a mixture layer in a model without experts");
        }
        router.route(mixture.router(), chunk.normed(), kernels, workers);
        chunk.projected().data().asSlice(0, chunk.projected().bytes()).fill((byte) 0);
        try (Arena scratch = Arena.ofConfined()) {
            Tensor gathered = Tensor.allocate(scratch, DType.F32, chunk.normed().rows(), config.hiddenSize());
            Tensor answers = Tensor.allocate(scratch, DType.F32, chunk.normed().rows(), config.hiddenSize());
            for (int expert = 0; expert < mixture.experts().size(); expert++) {
                int count = router.count(expert);
                if (count == 0) {
                    continue;
                }
                for (int index = 0; index < count; index++) {
                    copyRow(chunk.normed(), router.token(expert, index), gathered, index);
                }
                Tensor out = answers.slice(0, count);
                gated(
                        mixture.experts().get(expert),
                        gathered.slice(0, count),
                        chunk.gate().slice(0, count),
                        chunk.up().slice(0, count),
                        out);
                for (int index = 0; index < count; index++) {
                    Tensor target = chunk.projected().slice(router.token(expert, index), 1);
                    kernels.addScaled(target, out.slice(index, 1), router.weight(expert, index), workers);
                }
            }
        }
    }

    static void copyRow(Tensor source, long sourceRow, Tensor target, long targetRow) {
        MemorySegment.copy(
                source.data(),
                sourceRow * source.rowBytes(),
                target.data(),
                targetRow * target.rowBytes(),
                source.rowBytes());
    }

    private void linear(Weights.Linear linear, Tensor x, Tensor out) {
        kernels.matmul(linear.matrix(), x, out, workers);
        addBias(linear, out);
    }

    private void addBias(Weights.Linear linear, Tensor out) {
        if (linear.bias() != null) {
            kernels.addScaled(out, linear.bias(), 1f, workers);
        }
    }

    /** The first hidden state of a token: [1 x hidden]. */
    void embed(int tokenId, Tensor target) {
        if (tokenId < 0 || tokenId >= config.vocabularySize()) {
            throw LayercakeException.badInput("token " + tokenId + " is outside the model's vocabulary of "
                    + config.vocabularySize() + "; the tokenizer belongs to another model");
        }
        kernels.dequantize(weights.embedding(), tokenId, target);
        if (config.embeddingScale() != 1f) {
            kernels.scale(target, config.embeddingScale(), workers);
        }
    }
}
