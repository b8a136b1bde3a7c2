package dev.layercake.model;

/**
 * What a config.json need not say, because transformers' configuration class of the architecture says it: multimodal
 * folders leave out of {@code text_config} whatever is as in the class (transformers 5, {@code configuration_*.py}).
 *
 * @param kvHeads 0 for as many as there are query heads
 * @param headDim 0 for the hidden size divided by the query heads
 * @param slidingWindow 0 for none
 * @param ropeTheta of layers that see everything
 * @param tiedOutput whether the output matrix is the embedding
 */
record HuggingFaceDefaults(
        int hiddenSize,
        int vocabularySize,
        int layers,
        int queryHeads,
        int kvHeads,
        int headDim,
        int contextLength,
        int slidingWindow,
        double normEpsilon,
        double ropeTheta,
        boolean tiedOutput) {

    static HuggingFaceDefaults of(Architecture architecture) {
        return switch (architecture) {
            case LLAMA -> new HuggingFaceDefaults(4096, 32_000, 32, 32, 0, 0, 2048, 0, 1e-6, 10_000, false);
            case MISTRAL -> new HuggingFaceDefaults(4096, 32_000, 32, 32, 8, 0, 131_072, 4096, 1e-6, 10_000, false);
            case MIXTRAL -> new HuggingFaceDefaults(4096, 32_000, 32, 32, 8, 0, 131_072, 0, 1e-5, 1_000_000, false);
            case QWEN2 -> new HuggingFaceDefaults(4096, 151_936, 32, 32, 0, 0, 32_768, 4096, 1e-6, 10_000, false);
            case QWEN3 -> new HuggingFaceDefaults(4096, 151_936, 32, 32, 0, 128, 32_768, 4096, 1e-6, 10_000, false);
            case QWEN3_MOE -> new HuggingFaceDefaults(2048, 151_936, 24, 32, 4, 0, 32_768, 4096, 1e-6, 10_000, false);
            case GEMMA2 -> new HuggingFaceDefaults(2304, 256_000, 26, 8, 4, 256, 8192, 4096, 1e-6, 10_000, true);
            case GEMMA3 -> new HuggingFaceDefaults(2304, 262_208, 26, 8, 4, 256, 131_072, 4096, 1e-6, 1_000_000, true);
            case PHI3 -> new HuggingFaceDefaults(3072, 32_064, 32, 32, 0, 0, 4096, 0, 1e-5, 10_000, false);
        };
    }
}
