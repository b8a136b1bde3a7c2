package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.SafetensorsFile;
import dev.layercake.model.format.SafetensorsWriter;
import dev.layercake.model.format.TensorContent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same weights under the names that other ways of saving a model give them, and models that lack some. */
class CheckpointNamesTest {
    private static final int[] PROMPT = {5, 9, 17, 3, 40, 41, 8};

    @TempDir
    private Path temporary;

    private final Kernels kernels = TestModels.kernels().getLast();

    /** Copies a golden model; a tensor whose new name is empty is left out. */
    private Path renamed(String model, UnaryOperator<String> names, UnaryOperator<String> config) throws IOException {
        Path source = GoldenFolder.named("model").path().resolve(model);
        SafetensorsWriter writer = new SafetensorsWriter();
        try (SafetensorsFile file = SafetensorsFile.open(source.resolve("model.safetensors"))) {
            for (String name : file.names()) {
                if (!names.apply(name).isEmpty()) {
                    writer.add(names.apply(name), file.tensor(name));
                }
            }
            // What the other parts of a multimodal model have.
            writer.add("vision_tower.patch.weight", DType.F32, TensorContent.ofFloats(1, 2), 1, 2);
            writer.write(temporary.resolve("model.safetensors"));
        }
        Files.writeString(
                temporary.resolve("config.json"), config.apply(Files.readString(source.resolve("config.json"))));
        return temporary;
    }

    private float[] logits(Path path) {
        try (Workers workers = new Workers(1);
                Model model = Model.load(path, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                KvCache cache = TestModels.cache(model, "full", 16, DType.F32)) {
            return Forward.row(forward.prefill(cache, PROMPT, Forward.Progress.NONE), 0);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "model., language_model.model., lm_head, language_model.lm_head",
        "model., model.language_model., lm_head, lm_head",
        "model., '', lm_head, lm_head"
    })
    void aLanguageModelIsFoundWhereverItStands(String prefix, String place, String head, String output)
            throws IOException {
        float[] expected = logits(GoldenFolder.named("model").path().resolve("llama_untied"));
        Path folder = renamed(
                "llama_untied",
                name -> name.replaceFirst("^" + prefix, place).replaceFirst("^" + head + "\\.", output + "."),
                config -> "{\"model_type\": \"llava\", \"text_config\": " + config + "}");
        assertThat(logits(folder)).isEqualTo(expected);
    }

    @Test
    void theTextPartOfAGemma3Folder() throws IOException {
        float[] expected = logits(GoldenFolder.named("model").path().resolve("gemma3_text"));
        Path folder = renamed(
                "gemma3_text",
                name -> "language_model." + name,
                config -> "{\"model_type\": \"gemma3\", \"text_config\": " + config + "}");
        assertThat(logits(folder)).isEqualTo(expected);
    }

    @Test
    void aModelWithoutItsOutputMatrixIsRefused() throws IOException {
        Path folder = renamed("llama_untied", name -> name.startsWith("lm_head") ? "" : name, config -> config);
        assertThatThrownBy(() -> logits(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("lm_head.weight")
                .hasMessageContaining("tie_word_embeddings");
    }

    @Test
    void aTiedModelReadsItsEmbeddingTwice() throws IOException {
        Path folder = renamed(
                "llama_untied",
                name -> name.startsWith("lm_head") ? "" : name,
                config -> config.replaceFirst("\"tie_word_embeddings\": *false", "\"tie_word_embeddings\": true"));
        try (Workers workers = new Workers(1);
                Model model = Model.load(folder, null, kernels, workers)) {
            assertThat(model.weights().output()).isSameAs(model.weights().embedding());
        }
    }

    @Test
    void aNormThatTheArchitectureHasMustBeThere() throws IOException {
        Path folder =
                renamed("qwen3_tied", name -> name.contains("layers.1.self_attn.q_norm") ? "" : name, config -> config);
        assertThatThrownBy(() -> logits(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("model.layers.1.self_attn.q_norm.weight");
    }

    @Test
    void aBiasThatTheArchitectureHasMustBeThere() throws IOException {
        Path folder = renamed(
                "qwen2_tied",
                name -> name.equals("model.layers.2.self_attn.k_proj.bias") ? "" : name,
                config -> config);
        assertThatThrownBy(() -> logits(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("model.layers.2.self_attn.k_proj.bias");
    }
}
