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
 * @param tiedOutput whether the output matrix is the embedding
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
        boolean tiedOutput,
        List<Layer> layers,
        @Nullable Experts experts,
        int bosToken,
        List<Integer> eosTokens) {

    // What no model exceeds. Readers of files refuse more by the key's name; here it is a last resort.
    static final int MOST_HIDDEN = 1 << 20;
    static final int MOST_VOCABULARY = 1 << 24;
    static final int MOST_LAYERS = 4096;
    static final int MOST_HEADS = 1 << 14;
    static final int MOST_HEAD_DIM = 1 << 14;
    static final int MOST_EXPERTS = 1 << 14;
    static final int MOST_CONTEXT = 1 << 30;
    static final double LEAST_EPSILON = 1e-15;
    static final double MOST_EPSILON = 0.1;
    static final double LEAST_SOFTCAP = 1e-3;
    static final double MOST_SOFTCAP = 1e6;

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
        require(hiddenSize >= 1 && hiddenSize <= MOST_HIDDEN, "has a hidden size of " + hiddenSize);
        require(vocabularySize >= 1 && vocabularySize <= MOST_VOCABULARY, "has a vocabulary of " + vocabularySize);
        require(!layers.isEmpty() && layers.size() <= MOST_LAYERS, "has " + layers.size() + " layers");
        require(queryHeads >= 1 && queryHeads <= MOST_HEADS, "has " + queryHeads + " query heads");
        require(
                kvHeads >= 1 && queryHeads % kvHeads == 0,
                "has " + queryHeads + " query heads on " + kvHeads + " KV heads");
        require(headDim >= 2 && headDim <= MOST_HEAD_DIM, "has heads of " + headDim + " elements");
        require(contextLength >= 1 && contextLength <= MOST_CONTEXT, "has a context of " + contextLength + " tokens");
        require(attentionScale > 0 && attentionScale < 1e6, "scales attention by " + attentionScale);
        require(embeddingScale > 0 && embeddingScale < 1e6, "scales embeddings by " + embeddingScale);
        require(attentionSoftcap >= 0 && attentionSoftcap <= MOST_SOFTCAP, "caps attention at " + attentionSoftcap);
        require(logitSoftcap >= 0 && logitSoftcap <= MOST_SOFTCAP, "caps its output at " + logitSoftcap);
        require(normEpsilon > 0 && normEpsilon <= MOST_EPSILON, "has a norm epsilon of " + normEpsilon);
        require(bosToken >= -1 && bosToken < vocabularySize, "begins texts with token " + bosToken);
        for (int token : eosTokens) {
            require(token >= 0 && token < vocabularySize, "ends answers with token " + token);
        }
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
