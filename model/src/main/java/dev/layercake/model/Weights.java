package dev.layercake.model;

import dev.layercake.kernels.Tensor;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a model, as the forward pass wants them: matrices of any dtype, norms and biases in float32.
 *
 * @param embedding [vocabulary x hidden]
 * @param outputNorm [1 x hidden]
 * @param output [vocabulary x hidden]; the embedding itself where the checkpoint ties them
 */
record Weights(Tensor embedding, List<Layer> layers, Tensor outputNorm, Tensor output) {

    /**
     * One layer.
     *
     * @param attentionOutputNorm norm of the block's output before it is added (Gemma), null elsewhere
     * @param feedForwardOutputNorm likewise
     */
    record Layer(
            Tensor attentionNorm,
            Attention attention,
            @Nullable Tensor attentionOutputNorm,
            Tensor feedForwardNorm,
            FeedForward feedForward,
            @Nullable Tensor feedForwardOutputNorm) {}

    /** A matrix [outputs x inputs] and, if there is one, its bias [1 x outputs]. */
    record Linear(Tensor matrix, @Nullable Tensor bias) {}

    /**
     * @param queryNorm [1 x headDim], applied to each head before the rotary embedding (Qwen 3, Gemma 3)
     * @param keyNorm likewise
     */
    record Attention(
            Linear query,
            Linear key,
            Linear value,
            Linear output,
            @Nullable Tensor queryNorm,
            @Nullable Tensor keyNorm) {}

    /** What follows attention in a layer. */
    sealed interface FeedForward {}

    /** {@code down(activation(gate(x)) * up(x))}. */
    record Gated(Linear gate, Linear up, Linear down) implements FeedForward {}

    /** A router [experts x hidden] and the experts it chooses from. */
    record Mixture(Tensor router, List<Gated> experts) implements FeedForward {}

    /** Bytes of all matrices, norms and biases; what a tied output shares is counted once. */
    long bytes() {
        return tensors().mapToLong(Tensor::bytes).sum();
    }

    /** Numbers in all of them, likewise. */
    long elements() {
        return tensors().mapToLong(tensor -> tensor.rows() * tensor.columns()).sum();
    }

    /** Rows of the widest gate. */
    int feedForwardSize() {
        return (int) layers.stream()
                .flatMap(layer -> blocks(layer.feedForward))
                .mapToLong(block -> block.gate.matrix.rows())
                .max()
                .orElse(0);
    }

    private Stream<Tensor> tensors() {
        Stream<Tensor> ends =
                output == embedding ? Stream.of(embedding, outputNorm) : Stream.of(embedding, outputNorm, output);
        return Stream.concat(ends, layers.stream().flatMap(Weights::tensors));
    }

    private static Stream<Tensor> tensors(Layer layer) {
        Attention attention = layer.attention;
        Stream<@Nullable Tensor> norms = Stream.of(
                layer.attentionNorm,
                layer.attentionOutputNorm,
                layer.feedForwardNorm,
                layer.feedForwardOutputNorm,
                attention.queryNorm,
                attention.keyNorm,
                layer.feedForward instanceof Mixture mixture ? mixture.router : null);
        Stream<Linear> linears = Stream.concat(
                Stream.of(attention.query, attention.key, attention.value, attention.output),
                blocks(layer.feedForward).flatMap(block -> Stream.of(block.gate, block.up, block.down)));
        return Stream.concat(norms, linears.flatMap(linear -> Stream.<@Nullable Tensor>of(linear.matrix, linear.bias)))
                .mapMulti((tensor, sink) -> {
                    if (tensor != null) {
                        sink.accept(tensor);
                    }
                });
    }

    private static Stream<Gated> blocks(FeedForward feedForward) {
        return switch (feedForward) {
            case Gated gated -> Stream.of(gated);
            case Mixture mixture -> mixture.experts.stream();
        };
    }
}
