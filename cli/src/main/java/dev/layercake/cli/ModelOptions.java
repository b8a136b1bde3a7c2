package dev.layercake.cli;

import dev.layercake.engine.EngineOptions;
import dev.layercake.engine.LanguageModel;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say which model to load and how to run it. */
final class ModelOptions {
    @Option(
            names = {"-m", "--model"},
            paramLabel = "PATH",
            description = "Hugging Face folder or GGUF file; without it, or with 'crumb', the small bundled model.")
    @Nullable
    Path model;

    @Option(
            names = {"-t", "--threads"},
            paramLabel = "N",
            description = "Threads that compute; one per processor if not given.")
    int threads = Runtime.getRuntime().availableProcessors();

    @Option(
            names = {"-c", "--ctx-size"},
            paramLabel = "N",
            description = "Most tokens of a text; what the model was made for if not given. A model with LongRoPE reads"
                    + " all texts with the frequencies for this length.")
    int contextTokens;

    @Option(
            names = "--beyond-context",
            description = "Let -c be more than the model was made for, whatever it makes of such texts.")
    boolean beyondContext;

    @Option(
            names = {"-ctk", "--cache-type-k"},
            paramLabel = "TYPE",
            description = "Type of the keys in the cache: f32, f16, bf16 (default) or q8_0.")
    String keyType = "bf16";

    @Option(
            names = {"-ctv", "--cache-type-v"},
            paramLabel = "TYPE",
            description = "Type of the values in the cache: f32, f16, bf16 (default) or q8_0.")
    String valueType = "bf16";

    @Option(
            names = "--kv-memory",
            paramLabel = "SIZE",
            description = "Most KV memory to use, for example 512m or 4g; what the machine has left if not given.")
    @Nullable
    String kvMemory;

    @Option(
            names = "--quantize",
            paramLabel = "TYPE",
            description = "Quantise unquantised weights while loading: q8_0 or q4_0.")
    @Nullable
    String quantize;

    Path path() {
        return Installation.model(model);
    }

    LanguageModel load() {
        return LanguageModel.load(path(), engineOptions());
    }

    /** What a person should know before the first token of a text that may be too long for the model. */
    static Optional<String> beyondContext(LanguageModel language) {
        int made = language.model().config().contextLength();
        return language.contextTokens() <= made
                ? Optional.empty()
                : Optional.of("note: the model was made for texts of up to " + Bars.number(made)
                        + " tokens; what it makes of longer ones, up to the " + Bars.number(language.contextTokens())
                        + " allowed, may be worth nothing");
    }

    EngineOptions engineOptions() {
        return EngineOptions.builder()
                .threads(threads)
                .contextTokens(contextTokens)
                .beyondContext(beyondContext)
                .keyType(type("-ctk", keyType, DType.F32, DType.F16, DType.BF16, DType.Q8_0))
                .valueType(type("-ctv", valueType, DType.F32, DType.F16, DType.BF16, DType.Q8_0))
                .kvMemoryBytes(kvMemory == null ? 0 : size(kvMemory))
                .quantizeTo(quantize == null ? null : type("--quantize", quantize, DType.Q8_0, DType.Q4_0))
                .build();
    }

    /** The type that a person names, one of those allowed. */
    static DType type(String option, String name, DType... allowed) {
        return Arrays.stream(allowed)
                .filter(type -> type.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> LayercakeException.badInput(option + " cannot be '" + name + "'; possible are "
                        + Arrays.stream(allowed)
                                .map(type -> type.name().toLowerCase(Locale.ROOT))
                                .collect(Collectors.joining(", "))
                        + "."));
    }

    /** Bytes as a person writes them: 1048576, 512m, 4g, 1.5GiB. */
    static long size(String text) {
        String lower = text.strip().toLowerCase(Locale.ROOT);
        if (!lower.matches("[0-9]{1,15}(\\.[0-9]{1,6})?\\s*([kmgt](i?b)?|b)?")) {
            throw LayercakeException.badInput(
                    "--kv-memory cannot be '" + text + "'; write a number of bytes, or 512m, or 4g.");
        }
        String digits = lower.replaceAll("[^0-9.]", "");
        String unit = lower.replaceAll("[0-9.\\s]", "");
        int power = unit.isEmpty() ? 0 : "bkmgt".indexOf(unit.charAt(0));
        double bytes = Double.parseDouble(digits) * Math.pow(1024, power);
        if (bytes < 1 || bytes > 1L << 60) {
            throw LayercakeException.badInput("--kv-memory " + text + " is no amount of memory that a machine has.");
        }
        return (long) bytes;
    }
}
