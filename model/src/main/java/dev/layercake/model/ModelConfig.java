package dev.layercake.model;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.KvLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a checkpoint says of itself: the facts that the forward pass needs and that are no weights. The same for every
 * architecture and for both file formats.
 *
 * @param architecture name of the family, as the checkpoint calls it ("llama", "gemma2")
 * @param hiddenSize elements of a token's hidden state
 * @param vocabularySize rows of the embedding
 * @param contextLength tokens the model was made for
 * @param headDim elements of a query, key or value
 * @param attentionScale factor on q.k
 * @param attentionSoftcap cap on attention logits, 0 for none
 * @param logitSoftcap cap on output logits, 0 for none
 * @param embeddingScale factor on embeddings
 * @param normEpsilon of every RMS norm
 * @param activation of the gated feed-forward
 * @param interleavedRope whether rotary pairs are neighbours (GGUF's Llama layout) or lie half a head apart
 * @param layers one per layer, bottom first
 * @param experts routing of the mixture-of-experts layers, null if there are none
 * @param bosToken token that begins a text, -1 for none
 * @param eosTokens tokens that end an answer, as far as the configuration names them ({@link Model#endTokens} are all)
 */
public record ModelConfig(
        String architecture,
        int hiddenSize,
        int vocabularySize,
        int contextLength,
        int queryHeads,
        int kvHeads,
        int headDim,
        float attentionScale,
        float attentionSoftcap,
        float logitSoftcap,
        float embeddingScale,
        float normEpsilon,
        Activation activation,
        boolean interleavedRope,
        List<Layer> layers,
        @Nullable Experts experts,
        int bosToken,
        List<Integer> eosTokens) {

    /** The non-linearity on the gate of the feed-forward. */
    public enum Activation {
        SILU,
        GELU_TANH
    }

    /**
     * What may differ from layer to layer.
     *
     * @param slidingWindow tokens that a token sees, itself included; 0 for all
     */
    public record Layer(int slidingWindow, RopeConfig rope) {}

    /**
     * How tokens are routed to experts.
     *
     * @param normalized whether the chosen experts' probabilities are scaled to sum to 1
     */
    public record Experts(int count, int perToken, boolean normalized) {
        public Experts {
            require(
                    count >= 1 && perToken >= 1 && perToken <= count,
                    "routes to " + perToken + " of " + count + " experts");
        }
    }

    public ModelConfig {
        layers = List.copyOf(layers);
        eosTokens = List.copyOf(eosTokens);
        require(hiddenSize >= 1 && hiddenSize <= 1 << 20, "has a hidden size of " + hiddenSize);
        require(vocabularySize >= 1 && vocabularySize <= 1 << 24, "has a vocabulary of " + vocabularySize);
        require(!layers.isEmpty() && layers.size() <= 4096, "has " + layers.size() + " layers");
        require(queryHeads >= 1 && queryHeads <= 1 << 14, "has " + queryHeads + " query heads");
        require(
                kvHeads >= 1 && queryHeads % kvHeads == 0,
                "has " + queryHeads + " query heads on " + kvHeads + " KV heads");
        require(headDim >= 2 && headDim <= 1 << 14, "has heads of " + headDim + " elements");
        require(contextLength >= 1, "has a context of " + contextLength + " tokens");
        require(normEpsilon >= 0 && normEpsilon < 1, "has a norm epsilon of " + normEpsilon);
        for (Layer layer : layers) {
            require(layer.slidingWindow >= 0, "has a sliding window of " + layer.slidingWindow);
            require(
                    layer.rope.rotatedElements() <= headDim,
                    "rotates " + layer.rope.rotatedElements() + " elements of heads of " + headDim);
        }
    }

    /** Number of layers. */
    public int layerCount() {
        return layers.size();
    }

    /** The attention of one layer. */
    public AttentionShape attentionShape(int layer) {
        return new AttentionShape(
                queryHeads, kvHeads, headDim, attentionScale, attentionSoftcap, layers.get(layer).slidingWindow);
    }

    /** How this model's cache lies in memory. */
    public KvLayout kvLayout(DType keyType, DType valueType) {
        List<Integer> slidingWindows = layers.stream().map(Layer::slidingWindow).toList();
        return new KvLayout(layerCount(), kvHeads, headDim, keyType, valueType, slidingWindows);
    }

    private static void require(boolean holds, String whatItHas) {
        if (!holds) {
            throw LayercakeException.badModel(
                    "the checkpoint " + whatItHas + ", which no model has; its configuration is damaged");
        }
    }
}
