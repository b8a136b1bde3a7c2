package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Checkpoints whose description does not fit their weights: each is refused in one sentence, or runs. Kernels compute with
 * raw addresses, so that a wrong size that slipped through would bring the process down. {@code -Dlayercake.mutations=N}
 * tries more of them.
 */
class HostileModelTest {
    private static final int MUTATIONS = Integer.getInteger("layercake.mutations", 1500);

    @TempDir
    private Path temporary;

    private final Kernels kernels = KernelSelection.choose().kernels();
    private int loaded;
    private int refused;

    @Test
    void mutatedConfigurations() throws IOException {
        Mutations mutations = new Mutations(20261122);
        List<Path> folders = new ArrayList<>();
        for (JsonNode entry : GoldenFolder.named("model").cases()) {
            folders.add(linked(entry.path("dir").asString()));
        }
        for (int index = 0; index < MUTATIONS; index++) {
            Path folder = folders.get(index % folders.size());
            // The originals of what is changed are links into the golden folder.
            String name = index % 5 == 0 ? "generation_config.json" : "config.json";
            Path file = folder.resolve(name);
            Path original = Files.readSymbolicLink(folder.resolve(name + ".original"));
            String changed = mutations.ofJson(Files.readString(original));
            Files.writeString(file, changed, StandardCharsets.ISO_8859_1);
            attempt(folder, changed);
            Files.copy(original, file, StandardCopyOption.REPLACE_EXISTING);
        }
        assertThat(loaded).as("configurations that still load").isGreaterThan(MUTATIONS / 20);
        assertThat(refused).as("refusals").isGreaterThan(MUTATIONS / 10);
    }

    private Path linked(String dir) throws IOException {
        Path source = GoldenFolder.named("model").path().resolve(dir).toAbsolutePath();
        Path folder = Files.createDirectory(temporary.resolve(source.getFileName()));
        try (var files = Files.list(source)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.endsWith("config.json")) {
                    Files.createSymbolicLink(folder.resolve(name + ".original"), file);
                    Files.copy(file, folder.resolve(name));
                } else if (!name.startsWith("expected")) {
                    Files.createSymbolicLink(folder.resolve(name), file);
                }
            }
        }
        return folder;
    }

    @Test
    void mutatedGguf() throws IOException {
        Mutations mutations = new Mutations(7);
        List<byte[]> originals = new ArrayList<>();
        for (JsonNode entry : GoldenFolder.named("model").cases()) {
            Path folder =
                    GoldenFolder.named("model").path().resolve(entry.path("dir").asString());
            Path gguf = temporary.resolve("original.gguf");
            try (Workers workers = new Workers(1);
                    Model model = Model.load(folder, null, kernels, workers)) {
                GgufModelWriter.write(model, gguf);
            }
            originals.add(Files.readAllBytes(gguf));
        }
        for (int index = 0; index < MUTATIONS / 5; index++) {
            byte[] original = originals.get(index % originals.size());
            // Metadata and tensor descriptions lie in front; weights may be any bits.
            byte[] copy = mutations.ofBytes(original, 4, 2400);
            attempt(Files.write(temporary.resolve("mutated.gguf"), copy), "file " + index);
        }
        assertThat(loaded).isPositive();
        assertThat(refused).isPositive();
    }

    private void attempt(Path path, String what) {
        try {
            run(path);
            loaded++;
        } catch (LayercakeException e) {
            assertThat(e.getMessage())
                    .as(what)
                    .isNotBlank()
                    .doesNotContain("\n")
                    .hasSizeLessThan(1000);
            refused++;
        } catch (RuntimeException | Error e) {
            throw new AssertionError(what, e);
        }
    }

    @Test
    void aConfigurationOfFewerLayersThanTheWeightsIsRefused() throws IOException {
        GoldenFolder golden = GoldenFolder.named("model");
        Path source =
                golden.path().resolve(golden.cases().getFirst().path("dir").asString());
        String config = Files.readString(source.resolve("config.json"));
        Files.copy(source.resolve("model.safetensors"), temporary.resolve("model.safetensors"));
        Files.writeString(
                temporary.resolve("config.json"),
                config.replaceFirst("\"num_hidden_layers\": *\\d+", "\"num_hidden_layers\": 1"));
        assertThatThrownBy(() -> run(temporary))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("1 layers")
                .hasMessageContaining("weights of more");
    }

    private void run(Path path) {
        try (Workers workers = new Workers(1);
                Model model = Model.load(path, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                KvCache cache = TestModels.cache(model, "full", 8, DType.F32)) {
            forward.prefill(cache, new int[] {1, 2, 3, 4, 5}, Forward.Progress.NONE);
            forward.decode(cache, 6);
            assertThat(model.endTokens()).doesNotContain(-1);
        }
    }
}
