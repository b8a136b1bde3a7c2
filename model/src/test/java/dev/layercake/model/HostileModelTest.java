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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Checkpoints whose description does not fit their weights: each is refused in one sentence, or runs. Kernels compute with
 * raw addresses, so that a wrong size that slipped through would bring the process down.
 */
class HostileModelTest {
    private static final int MUTATIONS = 1500;
    private static final List<String> NUMBERS = List.of(
            "0", "-1", "1", "3", "2147483647", "9223372036854775807", "1e308", "0.5", "null", "\"x\"", "[]", "[7]");

    @TempDir
    private Path temporary;

    private final Kernels kernels = KernelSelection.choose().kernels();

    @Test
    void mutatedConfigurations() throws IOException {
        GoldenFolder golden = GoldenFolder.named("model");
        List<Path> folders = golden.cases().stream()
                .map(entry -> golden.path().resolve(entry.path("dir").asString()))
                .toList();
        SplittableRandom random = new SplittableRandom(20261122);
        int loaded = 0;
        List<String> refusals = new ArrayList<>();
        for (int index = 0; index < MUTATIONS; index++) {
            Path source = folders.get(index % folders.size());
            Path folder = Files.createDirectory(temporary.resolve("m" + index));
            try (var files = Files.list(source)) {
                for (Path file : files.toList()) {
                    if (file.getFileName().toString().startsWith("model")) {
                        Files.createSymbolicLink(folder.resolve(file.getFileName()), file.toAbsolutePath());
                    }
                }
            }
            String config = mutated(Files.readString(source.resolve("config.json")), random);
            Files.writeString(folder.resolve("config.json"), config);
            try {
                run(folder);
                loaded++;
            } catch (LayercakeException e) {
                assertThat(e.getMessage()).as(config).isNotBlank().doesNotContain("\n");
                refusals.add(e.getMessage());
            }
        }
        assertThat(loaded).as("configurations that still load").isGreaterThan(MUTATIONS / 20);
        assertThat(refusals).as("refusals").hasSizeGreaterThan(MUTATIONS / 10);
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

    @Test
    void mutatedGguf() throws IOException {
        GoldenFolder golden = GoldenFolder.named("model");
        Path source =
                golden.path().resolve(golden.cases().getFirst().path("dir").asString());
        Path gguf = temporary.resolve("model.gguf");
        try (Workers workers = new Workers(1);
                Model model = Model.load(source, null, kernels, workers)) {
            GgufModelWriter.write(model, gguf);
        }
        byte[] bytes = Files.readAllBytes(gguf);
        SplittableRandom random = new SplittableRandom(7);
        int loaded = 0;
        int refused = 0;
        for (int index = 0; index < MUTATIONS / 5; index++) {
            byte[] copy = bytes.clone();
            // Metadata and tensor descriptions lie in front; weights may be any bits.
            for (int change = random.nextInt(1, 4); change > 0; change--) {
                copy[random.nextInt(8, 2400)] = (byte) random.nextInt();
            }
            Path file = Files.write(temporary.resolve("mutated" + index + ".gguf"), copy);
            try {
                run(file);
                loaded++;
            } catch (LayercakeException e) {
                assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
                refused++;
            }
            Files.delete(file);
        }
        assertThat(loaded).isPositive();
        assertThat(refused).isPositive();
    }

    /** Replaces one value of the JSON object by another one. */
    private static String mutated(String config, SplittableRandom random) {
        List<Integer> colons = new ArrayList<>();
        for (int at = config.indexOf(':'); at >= 0; at = config.indexOf(':', at + 1)) {
            colons.add(at);
        }
        int start = colons.get(random.nextInt(colons.size())) + 1;
        int end = start;
        while (end < config.length() && ",}\n".indexOf(config.charAt(end)) < 0) {
            end++;
        }
        return config.substring(0, start) + NUMBERS.get(random.nextInt(NUMBERS.size())) + config.substring(end);
    }

    private void run(Path path) {
        try (Workers workers = new Workers(1);
                Model model = Model.load(path, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                KvCache cache = TestModels.cache(model, "full", 8, DType.F32)) {
            forward.prefill(cache, new int[] {1, 2, 3, 4, 5}, Forward.Progress.NONE);
            forward.decode(cache, 6);
        }
    }
}
