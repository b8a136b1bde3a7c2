package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The shape of a well-known model, for measuring speed and memory without its weights.
 *
 * @param name as on the command line ("llama-3.2-1b")
 * @param tied whether the output matrix is the embedding
 */
public record ModelShape(
        String name,
        int layers,
        int hiddenSize,
        int queryHeads,
        int kvHeads,
        int headDim,
        int feedForwardSize,
        int vocabularySize,
        int contextLength,
        double ropeTheta,
        boolean tied) {

    private static final List<ModelShape> KNOWN = List.of(
            new ModelShape("tiny", 4, 256, 8, 2, 32, 704, 1024, 8192, 10_000, true),
            new ModelShape("llama-3.2-1b", 16, 2048, 32, 8, 64, 8192, 128_256, 131_072, 500_000, true),
            new ModelShape("llama-3.2-3b", 28, 3072, 24, 8, 128, 8192, 128_256, 131_072, 500_000, true),
            new ModelShape("llama-3.1-8b", 32, 4096, 32, 8, 128, 14_336, 128_256, 131_072, 500_000, false),
            new ModelShape("llama-2-7b", 32, 4096, 32, 32, 128, 11_008, 32_000, 4096, 10_000, false),
            new ModelShape("mistral-7b", 32, 4096, 32, 8, 128, 14_336, 32_768, 32_768, 1_000_000, false),
            new ModelShape("qwen2.5-0.5b", 24, 896, 14, 2, 64, 4864, 151_936, 32_768, 1_000_000, true),
            new ModelShape("qwen2.5-7b", 28, 3584, 28, 4, 128, 18_944, 152_064, 131_072, 1_000_000, false));

    /** All known shapes. */
    public static List<ModelShape> known() {
        return KNOWN;
    }

    /**
     * The shape of that name.
     *
     * @throws LayercakeException (bad input) if there is none
     */
    public static ModelShape named(String name) {
        return KNOWN.stream()
                .filter(shape -> shape.name.equals(name))
                .findFirst()
                .orElseThrow(() -> LayercakeException.badInput("there is no shape '" + name + "'; known are "
                        + KNOWN.stream().map(ModelShape::name).collect(Collectors.joining(", "))));
    }

    ModelConfig config() {
        RopeConfig rope = new RopeConfig(ropeTheta, headDim, new RopeConfig.None());
        ModelConfig.Layer[] layerConfigs = new ModelConfig.Layer[layers];
        Arrays.fill(layerConfigs, new ModelConfig.Layer(0, rope));
        return new ModelConfig(
                Architecture.LLAMA.huggingFaceName(),
                hiddenSize,
                vocabularySize,
                contextLength,
                queryHeads,
                kvHeads,
                headDim,
                (float) (1 / Math.sqrt(headDim)),
                0,
                0,
                1,
                1e-5f,
                ModelConfig.Activation.SILU,
                false,
                tied,
                Arrays.asList(layerConfigs),
                null,
                1,
                Collections.emptyList());
    }
}
