package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The families of checkpoints that are understood, as data: what a family does that its configuration does not say. A new
 * family of the Llama kind is a line here and, if it names its tensors in a new way, one in {@link TensorNames}.
 */
enum Architecture {
    LLAMA("llama", "llama"),
    // In GGUF a Mistral or Mixtral calls itself llama; what makes it one is its window and its experts.
    MISTRAL("mistral", "llama"),
    MIXTRAL("mixtral", "llama"),
    QWEN2("qwen2", "qwen2"),
    QWEN3("qwen3", "qwen3"),
    QWEN3_MOE("qwen3_moe", "qwen3moe"),
    GEMMA2("gemma2", "gemma2"),
    GEMMA3("gemma3_text", "gemma3"),
    PHI3("phi3", "phi3");

    private final String huggingFaceName;
    private final String ggufName;

    Architecture(String huggingFaceName, String ggufName) {
        this.huggingFaceName = huggingFaceName;
        this.ggufName = ggufName;
    }

    /** {@code model_type} in config.json. */
    String huggingFaceName() {
        return huggingFaceName;
    }

    /** {@code general.architecture} in GGUF metadata. */
    String ggufName() {
        return ggufName;
    }

    /** Gemma scales embeddings, norms with 1 + weight, and norms each block's output too. */
    boolean gemma() {
        return this == GEMMA2 || this == GEMMA3;
    }

    /** Whether queries, keys and values have biases always; elsewhere they have them if the checkpoint does. */
    boolean biasesAttention() {
        return this == QWEN2;
    }

    /** Whether queries and keys are normed, head by head, before the rotary embedding. */
    boolean normsHeads() {
        return this == QWEN3 || this == QWEN3_MOE || this == GEMMA3;
    }

    /** Whether GGUF files of the family hold rotary pairs as neighbours. */
    boolean interleavedInGguf() {
        return ggufName.equals("llama");
    }

    static boolean isHuggingFace(String modelType) {
        return named(modelType, candidate -> candidate.huggingFaceName).isPresent();
    }

    static Architecture ofHuggingFace(String modelType) {
        return named(modelType, candidate -> candidate.huggingFaceName)
                .orElseThrow(() -> unknown(modelType, "model_type in config.json"));
    }

    static Architecture ofGguf(String name) {
        return named(name, candidate -> candidate.ggufName)
                .orElseThrow(() -> unknown(name, "general.architecture in the GGUF metadata"));
    }

    private static Optional<Architecture> named(String name, java.util.function.Function<Architecture, String> naming) {
        return Arrays.stream(values())
                .filter(candidate -> naming.apply(candidate).equals(name))
                .findFirst();
    }

    private static LayercakeException unknown(String name, String where) {
        String known = Arrays.stream(values())
                .map(candidate -> candidate.huggingFaceName)
                .collect(Collectors.joining(", "));
        return LayercakeException.badModel(
                "architecture " + Quote.of(name) + " (" + where + ") is not supported; known are " + known);
    }
}
