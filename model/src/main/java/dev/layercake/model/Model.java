package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Workers;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.ModelFiles;
import dev.layercake.model.format.TensorInfo;
import dev.layercake.model.format.TensorSource;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.tokenizer.Tokenizer;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A model ready to run: configuration, weights, tokenizer and chat template. Immutable, shared by any number of threads
 * and {@link Forward}s; weights are mapped from the file, not copied, unless they were quantised while loading.
 */
public final class Model implements AutoCloseable {
    private final String name;
    private final String format;
    private final ModelConfig config;
    private final Weights weights;
    private final List<TensorInfo> tensors;
    private final ModelText text;
    private final Lazy<List<Integer>> endTokens;
    private final @Nullable ModelFiles files;
    private final Arena arena;

    private Model(
            String name,
            String format,
            ModelConfig config,
            Weights weights,
            List<TensorInfo> tensors,
            ModelText text,
            @Nullable ModelFiles files,
            Arena arena) {
        this.name = name;
        this.format = format;
        this.config = config;
        this.weights = weights;
        this.tensors = List.copyOf(tensors);
        this.text = text;
        this.endTokens = new Lazy<>(() -> text.endTokens(config));
        this.files = files;
        this.arena = arena;
    }

    /**
     * Loads a checkpoint: a Hugging Face folder (config.json and safetensors), one of its safetensors files, or a GGUF
     * file.
     *
     * @param quantizeTo Q8_0 or Q4_0 to convert unquantised matrices while loading, null to take them as they are
     * @throws LayercakeException (bad model) if the files are missing, damaged or of an unknown architecture
     */
    public static Model load(Path path, @Nullable DType quantizeTo, Kernels kernels, Workers workers) {
        if (quantizeTo != null && quantizeTo != DType.Q8_0 && quantizeTo != DType.Q4_0) {
            throw LayercakeException.badInput("weights can be quantised to q8_0 or q4_0, not " + quantizeTo);
        }
        ModelFiles files = ModelFiles.open(path);
        Arena arena = Arena.ofShared();
        try {
            return files.tensors() instanceof GgufFile gguf
                    ? loadGguf(files, gguf, quantizeTo, kernels, workers, arena)
                    : loadHuggingFace(files, quantizeTo, kernels, workers, arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            files.close();
            throw e;
        }
    }

    /** A model of a known shape with random weights, the same for the same seed; it has no tokenizer. */
    public static Model random(ModelShape shape, DType dtype, long seed) {
        Arena arena = Arena.ofShared();
        try {
            Weights weights = RandomWeights.create(shape, dtype, seed, arena);
            return new Model(shape.name(), "random", shape.config(), weights, List.of(), ModelText.none(), null, arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static Model loadGguf(
            ModelFiles files,
            GgufFile file,
            @Nullable DType quantizeTo,
            Kernels kernels,
            Workers workers,
            Arena arena) {
        ModelConfig config = GgufConfig.parse(file);
        TensorNames names = TensorNames.gguf(Architecture.ofHuggingFace(config.architecture()));
        Weights weights = new WeightLoader(config, file, names, 0f, quantizeTo, arena, kernels, workers).load();
        return new Model(
                fileName(files.path()),
                "GGUF v" + file.version(),
                config,
                weights,
                infos(file),
                ModelText.ofGguf(file.metadata()),
                files,
                arena);
    }

    private static Model loadHuggingFace(
            ModelFiles files, @Nullable DType quantizeTo, Kernels kernels, Workers workers, Arena arena) {
        JsonNode json = files.json("config.json")
                .orElseThrow(
                        () -> LayercakeException.badModel(
                                files.path()
                                        + " has no config.json beside it, so the architecture is unknown; download it beside the weights"));
        ModelConfig config = HuggingFaceConfig.parse(json, files.json("generation_config.json"));
        Architecture architecture = Architecture.ofHuggingFace(config.architecture());
        TensorSource source = files.tensors();
        TensorNames names = TensorNames.huggingFace(architecture, source);
        // Gemma's norms multiply by 1 + weight; GGUF files hold the sum.
        float normOffset = architecture.gemma() ? 1f : 0f;
        Weights weights =
                new WeightLoader(config, source, names, normOffset, quantizeTo, arena, kernels, workers).load();
        return new Model(
                fileName(files.path()),
                "safetensors",
                config,
                weights,
                infos(source),
                ModelText.ofCheckpoint(files),
                files,
                arena);
    }

    private static List<TensorInfo> infos(TensorSource source) {
        return source.names().stream().map(source::info).toList();
    }

    private static String fileName(Path path) {
        Path name = path.toAbsolutePath().normalize().getFileName();
        return name == null ? path.toString() : name.toString();
    }

    /** Name of the file or folder. */
    public String name() {
        return name;
    }

    /** "safetensors", "GGUF v3" or "random". */
    public String format() {
        return format;
    }

    public ModelConfig config() {
        return config;
    }

    Weights weights() {
        return weights;
    }

    ModelText text() {
        return text;
    }

    /** Weights in the model; what tied matrices share counts once. */
    public long parameters() {
        return weights.elements();
    }

    /** Bytes of all weights, in the file or in memory. */
    public long weightBytes() {
        return weights.bytes();
    }

    /** What the files list; empty for a random model. */
    public List<TensorInfo> tensors() {
        return tensors;
    }

    /** Rows of the widest feed-forward matrix of any layer or expert. */
    public int feedForwardSize() {
        return weights.feedForwardSize();
    }

    /** Whether the checkpoint has a tokenizer, good or not. */
    public boolean hasTokenizer() {
        return text.hasTokenizer();
    }

    /**
     * The tokenizer, loaded at the first call.
     *
     * @throws LayercakeException (bad model) if the checkpoint has none, or an unsupported one
     */
    public Tokenizer tokenizer() {
        return text.tokenizer();
    }

    /**
     * All tokens that end an answer: those that the configuration names, the tokenizer's own end, and control tokens whose text
     * is a known end of a turn. Found at the first call.
     *
     * @throws LayercakeException (bad model) if the checkpoint has a tokenizer that cannot be used
     */
    public List<Integer> endTokens() {
        return endTokens.get();
    }

    /** How a conversation is written for this model; empty if the checkpoint does not say. */
    public Optional<ChatTemplate> chatTemplate() {
        return text.chatTemplate();
    }

    @Override
    public void close() {
        arena.close();
        if (files != null) {
            files.close();
        }
    }
}
