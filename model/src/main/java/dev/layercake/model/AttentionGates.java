package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.model.format.SafetensorsFile;
import dev.layercake.model.format.SafetensorsWriter;
import dev.layercake.model.format.TensorContent;
import dev.layercake.model.format.TensorInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The gates of a model (Attention-Gate, Zeng et al., arXiv 2410.12876; no published code): in each layer a small attention
 * of its own over the prompt's normed hidden states, without rotary embedding, that gives every token and KV head a score;
 * what does not exceed the threshold is hidden from the other tokens and not cached.
 *
 * <p>On disk: a Safetensors file with {@code layers.N.gate.wq}, {@code wk} and {@code wv} [heads * headDim x hidden], {@code
 * wo} [kvHeads x heads * headDim] and {@code bias} [kvHeads], F32, F16 or BF16, and the metadata {@code nG} (heads), {@code
 * dG} (headDim), {@code tau} (threshold), {@code causal} (whether a gate sees earlier tokens only) and {@code perKvHead},
 * which must be true.
 *
 * @param heads of the gates' attention
 * @param headDim elements of one of its heads
 * @param threshold a score must exceed it
 * @param causal whether a gate sees earlier tokens only
 */
public record AttentionGates(int heads, int headDim, double threshold, boolean causal, List<Layer> layers) {
    private static final int MOST = 4096;
    private static final float OPEN = 4;

    /**
     * One layer's gate.
     *
     * @param query [heads * headDim x hidden], {@code key} and {@code value} likewise
     * @param output [kvHeads x heads * headDim]
     * @param bias [1 x kvHeads] float32
     */
    public record Layer(Tensor query, Tensor key, Tensor value, Tensor output, Tensor bias) {}

    /** Elements of all heads together. */
    int width() {
        return heads * headDim;
    }

    /** Bytes that the evaluation for a prompt of so many tokens takes. */
    long bytes(int tokens, int kvHeads) {
        long chunk = Math.min(tokens, Forward.CHUNK_TOKENS);
        return (2L * tokens * width() + chunk * (4L * width() + kvHeads)) * Float.BYTES + (long) tokens * kvHeads;
    }

    /**
     * Reads a file.
     *
     * @param arena for the weights
     * @throws LayercakeException (bad model) if it is missing, damaged, or was made for another model
     */
    static AttentionGates load(Path path, ModelConfig config, Arena arena) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            Map<String, String> metadata = file.metadata();
            int heads = whole(path, metadata, "nG");
            int headDim = whole(path, metadata, "dG");
            double threshold = threshold(path, metadata);
            boolean causal = flag(path, metadata, "causal");
            if (!flag(path, metadata, "perKvHead")) {
                throw unfit(path, "its gates score query heads, and only gates per KV head can free memory");
            }
            List<Layer> layers = new ArrayList<>();
            for (int layer = 0; layer < config.layerCount(); layer++) {
                String prefix = "layers." + layer + ".gate.";
                int width = heads * headDim;
                layers.add(new Layer(
                        matrix(file, prefix + "wq", arena, width, config.hiddenSize()),
                        matrix(file, prefix + "wk", arena, width, config.hiddenSize()),
                        matrix(file, prefix + "wv", arena, width, config.hiddenSize()),
                        matrix(file, prefix + "wo", arena, config.kvHeads(), width),
                        bias(file, prefix + "bias", arena, config.kvHeads())));
            }
            if (file.names().contains("layers." + config.layerCount() + ".gate.wq")) {
                throw unfit(path, "it has gates for more layers than the model's " + config.layerCount());
            }
            return new AttentionGates(heads, headDim, threshold, causal, layers);
        }
    }

    private static int whole(Path path, Map<String, String> metadata, String key) {
        String value = metadata.getOrDefault(key, "");
        if (!value.matches("[0-9]{1,4}") || Integer.parseInt(value) < 1 || Integer.parseInt(value) > MOST) {
            throw unfit(path, "its metadata have no whole number from 1 to " + MOST + " for " + key);
        }
        return Integer.parseInt(value);
    }

    private static double threshold(Path path, Map<String, String> metadata) {
        String value = metadata.getOrDefault("tau", "");
        if (!value.matches("[0-9]{1,3}(\\.[0-9]{1,17})?") || Double.parseDouble(value) > 1) {
            throw unfit(path, "its metadata have no number from 0 to 1 for tau");
        }
        return Double.parseDouble(value);
    }

    private static boolean flag(Path path, Map<String, String> metadata, String key) {
        String value = metadata.getOrDefault(key, "");
        if (!value.equals("true") && !value.equals("false")) {
            throw unfit(path, "its metadata have neither true nor false for " + key);
        }
        return value.equals("true");
    }

    private static Tensor matrix(SafetensorsFile file, String name, Arena arena, int rows, int columns) {
        TensorInfo info = require(file, name, List.of((long) rows, (long) columns));
        Tensor matrix = Tensor.allocate(arena, info.dtype().orElseThrow(), rows, columns);
        MemorySegment.copy(file.data(name), 0, matrix.data(), 0, matrix.bytes());
        return matrix;
    }

    private static Tensor bias(SafetensorsFile file, String name, Arena arena, int kvHeads) {
        TensorInfo info = require(file, name, List.of((long) kvHeads));
        Tensor bias = Tensor.allocate(arena, DType.F32, 1, kvHeads);
        MemorySegment data = file.data(name);
        for (int head = 0; head < kvHeads; head++) {
            bias.set(0, head, element(info.dtype().orElseThrow(), data, head));
        }
        return bias;
    }

    private static float element(DType dtype, MemorySegment data, int index) {
        return switch (dtype) {
            case F32 -> data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, (long) index * Float.BYTES);
            case F16 -> Float.float16ToFloat(data.get(ValueLayout.JAVA_SHORT_UNALIGNED, (long) index * Short.BYTES));
            case BF16 ->
                Float.intBitsToFloat(data.get(ValueLayout.JAVA_SHORT_UNALIGNED, (long) index * Short.BYTES) << 16);
            default -> throw new IllegalArgumentException("a bias of " + dtype);
        };
    }

    private static TensorInfo require(SafetensorsFile file, String name, List<Long> shape) {
        TensorInfo info = file.find(name).orElseThrow(() -> unfit(file.path(), "the tensor " + name + " is missing"));
        if (!info.shape().equals(shape)) {
            throw unfit(file.path(), "the tensor " + name + " has the shape " + info.shape() + " instead of " + shape);
        }
        if (info.dtype().isEmpty()) {
            throw unfit(
                    file.path(),
                    "the tensor " + name + " is of the type " + info.dtypeName()
                            + ", and F32, F16 and BF16 are possible");
        }
        return info;
    }

    private static LayercakeException unfit(Path path, String why) {
        return LayercakeException.badModel("The gates in " + path + " do not fit this model: " + why
                + "; give a file with gates that were trained for it.");
    }

    /**
     * Writes gates that let everything through: what a training begins with.
     *
     * @throws LayercakeException (bad input) if the file cannot be written
     */
    public static void writeOpen(Path path, ModelConfig config, int heads, int headDim) {
        SafetensorsWriter writer = new SafetensorsWriter()
                .metadata("nG", Integer.toString(heads))
                .metadata("dG", Integer.toString(headDim))
                .metadata("tau", "0.5")
                .metadata("causal", "false")
                .metadata("perKvHead", "true");
        try (Arena arena = Arena.ofConfined()) {
            Tensor inner = Tensor.allocate(arena, DType.F32, (long) heads * headDim, config.hiddenSize());
            Tensor output = Tensor.allocate(arena, DType.F32, config.kvHeads(), (long) heads * headDim);
            float[] open = new float[config.kvHeads()];
            Arrays.fill(open, OPEN);
            Tensor bias = Tensor.of(arena, 1, config.kvHeads(), open);
            for (int layer = 0; layer < config.layerCount(); layer++) {
                String prefix = "layers." + layer + ".gate.";
                writer.add(prefix + "wq", inner).add(prefix + "wk", inner).add(prefix + "wv", inner);
                writer.add(prefix + "wo", output);
                writer.add(prefix + "bias", DType.F32, TensorContent.of(bias), config.kvHeads());
            }
            writer.write(path);
        }
    }
}
