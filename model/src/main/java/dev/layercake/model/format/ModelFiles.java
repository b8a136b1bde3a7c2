package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The files of one model: its tensors, and what describes them. Three forms are known: a folder as Hugging Face lays it
 * out (config.json and Safetensors, in one file or in parts), one Safetensors file, one GGUF file. They are told apart by
 * their first bytes.
 */
public final class ModelFiles implements AutoCloseable {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final String CONFIG = "config.json";
    private static final String ADAPTER_CONFIG = "adapter_config.json";
    private static final String ADAPTER = "adapter_model.safetensors";
    private static final Pattern PART = Pattern.compile(".*-\\d{5}-of-\\d{5}\\.safetensors");
    private static final long LARGEST_JSON_BYTES = 64L << 20;
    private static final int MOST_NAMED = 4;

    private final Path path;
    private final TensorSource tensors;
    private final @Nullable Path folder;

    private ModelFiles(Path path, TensorSource tensors, @Nullable Path folder) {
        this.path = path;
        this.tensors = tensors;
        this.folder = folder;
    }

    /**
     * Opens a model.
     *
     * @param path a folder with config.json and Safetensors files (or with one GGUF file and no Safetensors), a
     *     Safetensors file, the index of a model in parts, or a GGUF file
     * @throws LayercakeException (bad model) if nothing is there, something is missing or a file is not sound
     */
    public static ModelFiles open(Path path) {
        return Files.isDirectory(path) ? openFolder(path) : openFile(path);
    }

    private static ModelFiles openFolder(Path folder) {
        refuseAdapter(folder);
        Path single = folder.resolve(SINGLE);
        Path index = folder.resolve(INDEX);
        if (Files.exists(single) || Files.exists(index)) {
            requireConfig(folder);
            return new ModelFiles(
                    folder,
                    Files.exists(single) ? SafetensorsFile.open(single) : SafetensorsFile.openSharded(index),
                    folder);
        }
        List<Path> safetensors = filesEnding(folder, ".safetensors");
        if (safetensors.size() == 1 && !isPart(safetensors.getFirst())) {
            requireConfig(folder);
            return new ModelFiles(folder, SafetensorsFile.open(safetensors.getFirst()), folder);
        }
        if (!safetensors.isEmpty()) {
            throw LayercakeException.badModel(folder + " has " + named(safetensors) + " but no " + INDEX
                    + ", which says where each tensor is: download it too");
        }
        List<Path> gguf = filesEnding(folder, ".gguf");
        if (gguf.size() == 1) {
            return openFile(gguf.getFirst());
        }
        if (!gguf.isEmpty()) {
            throw LayercakeException.badModel(
                    folder + " has several GGUF files, " + named(gguf) + ": give the path of one of them");
        }
        List<Path> pickled = Stream.of(".bin", ".pt", ".pth", ".ckpt")
                .flatMap(ending -> filesEnding(folder, ending).stream())
                .toList();
        if (!pickled.isEmpty()) {
            throw LayercakeException.badModel(folder + " has only PyTorch files, " + named(pickled)
                    + ", which Layercake does not read: convert the model to Safetensors or GGUF");
        }
        throw LayercakeException.badModel(
                folder + " has neither " + SINGLE + " nor " + INDEX + " nor a GGUF file: give the folder of a model");
    }

    /** What a fine-tuning leaves that changes a model and is none itself. */
    private static void refuseAdapter(Path folder) {
        if (Files.exists(folder.resolve(ADAPTER_CONFIG)) && !Files.exists(folder.resolve(CONFIG))) {
            throw LayercakeException.badModel(folder + " holds a LoRA adapter" + baseModel(folder)
                    + ", which Layercake does not apply: merge the two (merge_and_unload of PEFT) and give the folder of the"
                    + " result");
        }
    }

    private static String baseModel(Path folder) {
        JsonNode base =
                Json.object(folder.resolve(ADAPTER_CONFIG), LARGEST_JSON_BYTES).path("base_model_name_or_path");
        return base.isString() ? " for the model " + Quote.of(base.stringValue()) : " for another model";
    }

    private static void requireConfig(Path folder) {
        if (!Files.exists(folder.resolve(CONFIG))) {
            throw LayercakeException.badModel(folder + " has Safetensors files but no " + CONFIG
                    + ", which describes the model: download it too");
        }
    }

    private static ModelFiles openFile(Path path) {
        Path folder = path.toAbsolutePath().getParent();
        String name = String.valueOf(path.getFileName());
        switch (FileKind.of(path)) {
            case GGUF -> {
                GgufFile file = GgufFile.open(path);
                refusePartial(file);
                return new ModelFiles(path, file, null);
            }
            case JSON -> {
                if (name.endsWith(".json")) {
                    return new ModelFiles(path, SafetensorsFile.openSharded(path), folder);
                }
            }
            case SAFETENSORS -> {
                if (name.equals(ADAPTER) && folder != null) {
                    refuseAdapter(folder);
                }
                if (isPart(path)) {
                    throw LayercakeException.badModel(
                            path + " is one part of a model: give the folder that holds all parts and " + INDEX);
                }
                return new ModelFiles(path, SafetensorsFile.open(path), folder);
            }
            case PYTORCH ->
                throw LayercakeException.badModel(
                        path + " is a PyTorch file, which Layercake does not read: convert the "
                                + "model to Safetensors or GGUF");
            case OLD_GGML ->
                throw LayercakeException.badModel(
                        path + " is of a format older than GGUF, which Layercake does not read: convert it to GGUF");
            case UNKNOWN -> {
                if (name.endsWith(".safetensors")) {
                    return new ModelFiles(path, SafetensorsFile.open(path), folder);
                }
                if (name.endsWith(".gguf")) {
                    return new ModelFiles(path, GgufFile.open(path), null);
                }
            }
        }
        throw LayercakeException.badModel(
                path + " is neither a Safetensors nor a GGUF file: give the path of one, or the folder of a model");
    }

    private static void refusePartial(GgufFile file) {
        String key = "split.count";
        boolean whole = false;
        try {
            if (file.metadata().string("general.type", "model").equals("adapter")) {
                throw LayercakeException.badModel(
                        file.path() + " holds a LoRA adapter for another model, which Layercake"
                                + " does not apply: merge the two with llama.cpp's llama-export-lora and give the result");
            }
            int parts = file.metadata().intValue(key, 1);
            if (parts > 1) {
                throw LayercakeException.badModel(file.path() + " is one of " + parts
                        + " parts of a model: join them with llama.cpp's llama-gguf-split --merge");
            }
            whole = true;
        } finally {
            if (!whole) {
                file.close();
            }
        }
    }

    private static boolean isPart(Path file) {
        return PART.matcher(String.valueOf(file.getFileName())).matches();
    }

    private static List<Path> filesEnding(Path folder, String ending) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> String.valueOf(file.getFileName()).endsWith(ending))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw MappedFile.unreadable(folder, e);
        }
    }

    private static String named(List<Path> files) {
        String names = String.join(
                ", ",
                files.stream()
                        .limit(MOST_NAMED)
                        .map(file -> String.valueOf(file.getFileName()))
                        .toList());
        return files.size() > MOST_NAMED ? names + " and " + (files.size() - MOST_NAMED) + " more" : names;
    }

    /** The path as the user gave it, or the one GGUF file of the folder that was given. */
    public Path path() {
        return path;
    }

    /** The model's tensors; closed with this. */
    public TensorSource tensors() {
        return tensors;
    }

    /** The metadata of a GGUF file; empty for Safetensors, whose description is in {@link #json}. */
    public Optional<GgufMetadata> metadata() {
        return tensors instanceof GgufFile gguf ? Optional.of(gguf.metadata()) : Optional.empty();
    }

    /**
     * A file that lies beside the Safetensors, such as config.json or tokenizer.json; empty if it is not there. A GGUF
     * file has none: it carries everything itself.
     */
    public Optional<Path> companion(String fileName) {
        return Optional.ofNullable(folder)
                .map(parent -> parent.resolve(fileName))
                .filter(Files::isRegularFile);
    }

    /**
     * A companion file read as JSON, empty if it is not there.
     *
     * @throws LayercakeException (bad model) if it is not a JSON object, has a name twice, is nested too deep or too large
     */
    public Optional<JsonNode> json(String fileName) {
        return companion(fileName).map(file -> Json.object(file, LARGEST_JSON_BYTES));
    }

    /** Closes the tensors: none may be used from then on. */
    @Override
    public void close() {
        tensors.close();
    }
}
