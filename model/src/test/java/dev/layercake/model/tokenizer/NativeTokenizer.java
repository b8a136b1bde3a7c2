package dev.layercake.model.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * A tokenizer inside Hugging Face's Rust library, as DJL ships it for the JVM. Its memory is given back when this object
 * is no longer reachable; any number of threads may use it at once.
 *
 * <p>It talks to the library's thin native layer and not to {@code HuggingFaceTokenizer}: that one reports its use to a
 * host on the network, and copies token strings, character spans and masks out of every encoding, which nobody here reads.
 */
final class NativeTokenizer {
    private static final String VERBOSITY = "slf4j.internal.verbosity";
    private static final Cleaner CLEANER = Cleaner.create();
    private static final TokenizersLibrary LIBRARY = load();

    private final long handle;

    NativeTokenizer(String json) {
        long created;
        try {
            created = LIBRARY.createTokenizerFromString(json);
        } catch (RuntimeException e) {
            throw LayercakeException.badModel(
                    "The tokenizer cannot be built: " + e.getMessage() + "; check tokenizer.json.", e);
        }
        handle = created;
        CLEANER.register(this, () -> LIBRARY.deleteTokenizer(created));
        // A tokenizer.json may carry both from training; a prompt must never be cut or filled up.
        LIBRARY.disableTruncation(created);
        LIBRARY.disablePadding(created);
    }

    int[] encode(String text, boolean addSpecialTokens) {
        long encoding = 0;
        try {
            encoding = LIBRARY.encode(handle, text, addSpecialTokens);
            long[] ids = LIBRARY.getTokenIds(encoding);
            int[] tokens = new int[ids.length];
            for (int i = 0; i < ids.length; i++) {
                tokens[i] = Math.toIntExact(ids[i]);
            }
            return tokens;
        } catch (RuntimeException e) {
            throw LayercakeException.badInput("The text cannot be tokenized: " + e.getMessage() + ".", e);
        } finally {
            if (encoding != 0) {
                LIBRARY.deleteEncoding(encoding);
            }
            Reference.reachabilityFence(this);
        }
    }

    /** The library's own decoding, against which ours is tested. */
    String decode(int[] tokens, boolean skipSpecial) {
        long[] ids = new long[tokens.length];
        for (int i = 0; i < tokens.length; i++) {
            ids[i] = tokens[i];
        }
        try {
            return LIBRARY.decode(handle, ids, skipSpecial);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private static TokenizersLibrary load() {
        // The loader asks these settings; "cpu" is the only flavour inside the jar, any other would be a download.
        setIfAbsent("RUST_FLAVOR", "cpu");
        setIfAbsent("ai.djl.offline", "true");
        provideCacheDirectory();
        // The loader logs through SLF4J, which without a provider complains on stderr at its first use.
        boolean quiet = System.getProperty(VERBOSITY) == null;
        if (quiet) {
            System.setProperty(VERBOSITY, "ERROR");
        }
        try {
            LibUtils.checkStatus();
            return TokenizersLibrary.LIB;
        } catch (EngineException | LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw LayercakeException.internal(
                    "The native tokenizer library cannot be loaded on " + System.getProperty("os.name") + " "
                            + System.getProperty("os.arch") + ": " + cause.getMessage()
                            + "; Linux on x86-64 and aarch64, macOS on aarch64 and Windows on x86-64 are supported.",
                    e);
        } finally {
            if (quiet) {
                System.clearProperty(VERBOSITY);
            }
        }
    }

    /**
     * The library is unpacked once into {@code .djl.ai} in the home directory. Where nothing can be written there, it is
     * unpacked into a private temporary directory at every start.
     */
    private static void provideCacheDirectory() {
        if (setting("ENGINE_CACHE_DIR") != null || setting("DJL_CACHE_DIR") != null) {
            return;
        }
        Path home = Path.of(System.getProperty("user.home", ""));
        Path cache = home.resolve(".djl.ai");
        if (Files.isWritable(Files.exists(cache) ? cache : home)) {
            return;
        }
        try {
            Path temporary = Files.createTempDirectory("layercake-native");
            System.setProperty("ENGINE_CACHE_DIR", temporary.toString());
            Runtime.getRuntime().addShutdownHook(new Thread(() -> deleteTree(temporary)));
        } catch (IOException e) {
            throw LayercakeException.internal(
                    "Neither the home directory nor the directory for temporary files can be written, but the native"
                            + " tokenizer library must be unpacked somewhere; set DJL_CACHE_DIR to a writable directory.",
                    e);
        }
    }

    private static void deleteTree(Path directory) {
        try (var paths = Files.walk(directory)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            // The process ends; what is left lies among temporary files.
            return;
        }
    }

    private static void setIfAbsent(String name, String value) {
        if (setting(name) == null) {
            System.setProperty(name, value);
        }
    }

    private static @Nullable String setting(String name) {
        String environment = System.getenv(name);
        return environment == null || environment.isEmpty() ? System.getProperty(name) : environment;
    }
}
