package dev.layercake.model;

import dev.layercake.model.format.TensorSource;
import java.util.List;

/**
 * Where each weight lies: the names of tensors in the two worlds. Names with {@code %d} take a layer, then an expert.
 * An empty name means that the world has no such tensor.
 */
record TensorNames(
        String embedding,
        String output,
        String outputNorm,
        String attentionNorm,
        String query,
        String key,
        String value,
        String fusedQueryKeyValue,
        String attentionOutput,
        String queryNorm,
        String keyNorm,
        String attentionOutputNorm,
        String feedForwardNorm,
        String feedForwardOutputNorm,
        String gate,
        String up,
        String down,
        String fusedGateUp,
        String router,
        String expertGate,
        String expertUp,
        String expertDown) {

    private static final String EMBEDDING = "embed_tokens";

    /** A name with its layer filled in. */
    static String at(String name, int layer) {
        return name.replaceFirst("%d", Integer.toString(layer));
    }

    /** Where the language model stands in a Hugging Face checkpoint, and its output matrix. */
    private record Place(String prefix, String output) {}

    /** By itself, without its head, and as the text part of a multimodal model in its older and newer forms. */
    private static final List<Place> PLACES = List.of(
            new Place("model.", "lm_head"),
            new Place("", "lm_head"),
            new Place("language_model.model.", "language_model.lm_head"),
            new Place("model.language_model.", "lm_head"),
            new Place("language_model.", "lm_head"));

    /** Names in a Hugging Face checkpoint, without the suffixes ".weight" and ".bias". */
    static TensorNames huggingFace(Architecture architecture, TensorSource source) {
        Place place = PLACES.stream()
                .filter(candidate ->
                        source.find(candidate.prefix + EMBEDDING + ".weight").isPresent())
                .findFirst()
                .orElse(PLACES.getFirst());
        return huggingFace(architecture, place);
    }

    private static TensorNames huggingFace(Architecture architecture, Place place) {
        boolean mixtral = architecture == Architecture.MIXTRAL;
        boolean gemma = architecture.gemma();
        String layer = place.prefix + "layers.%d.";
        String expert = layer + (mixtral ? "block_sparse_moe.experts.%d." : "mlp.experts.%d.");
        return new TensorNames(
                place.prefix + EMBEDDING,
                place.output,
                place.prefix + "norm",
                layer + "input_layernorm",
                layer + "self_attn.q_proj",
                layer + "self_attn.k_proj",
                layer + "self_attn.v_proj",
                layer + "self_attn.qkv_proj",
                layer + "self_attn.o_proj",
                layer + "self_attn.q_norm",
                layer + "self_attn.k_norm",
                gemma ? layer + "post_attention_layernorm" : "",
                gemma ? layer + "pre_feedforward_layernorm" : layer + "post_attention_layernorm",
                gemma ? layer + "post_feedforward_layernorm" : "",
                layer + "mlp.gate_proj",
                layer + "mlp.up_proj",
                layer + "mlp.down_proj",
                layer + "mlp.gate_up_proj",
                layer + (mixtral ? "block_sparse_moe.gate" : "mlp.gate"),
                expert + (mixtral ? "w1" : "gate_proj"),
                expert + (mixtral ? "w3" : "up_proj"),
                expert + (mixtral ? "w2" : "down_proj"));
    }

    /** Names in a GGUF file, likewise; experts of a layer are slices of one tensor. */
    static TensorNames gguf(Architecture architecture) {
        String layer = "blk.%d.";
        boolean fused = architecture == Architecture.PHI3;
        return new TensorNames(
                "token_embd",
                "output",
                "output_norm",
                layer + "attn_norm",
                layer + "attn_q",
                layer + "attn_k",
                layer + "attn_v",
                layer + "attn_qkv",
                layer + "attn_output",
                layer + "attn_q_norm",
                layer + "attn_k_norm",
                architecture.gemma() ? layer + "post_attention_norm" : "",
                layer + "ffn_norm",
                architecture.gemma() ? layer + "post_ffw_norm" : "",
                layer + "ffn_gate",
                // Phi-3's ffn_up holds gate and up one after the other.
                fused ? "" : layer + "ffn_up",
                layer + "ffn_down",
                fused ? layer + "ffn_up" : "",
                layer + "ffn_gate_inp",
                layer + "ffn_gate_exps",
                layer + "ffn_up_exps",
                layer + "ffn_down_exps");
    }
}
