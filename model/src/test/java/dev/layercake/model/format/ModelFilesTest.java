package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTest {
    @TempDir
    Path folder;

    private Path safetensors(String name) {
        Path path = folder.resolve(name);
        new SafetensorsWriter()
                .add("a", DType.F32, TensorContent.ofFloats(1, 2), 2)
                .write(path);
        return path;
    }

    private Path gguf(String name) {
        Path path = folder.resolve(name);
        new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .add("a", DType.F32, TensorContent.ofFloats(3, 4), 2)
                .write(path);
        return path;
    }

    private void config() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"llama\"}");
    }

    private void assertRefused(Path path, String message) {
        assertThatThrownBy(() -> ModelFiles.open(path).close())
                .isInstanceOfSatisfying(
                        LayercakeException.class, e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL))
                .hasMessageContaining(path.toString())
                .hasMessageContaining(message);
    }

    @Test
    void refusesAnAdapterInOneSentence() throws IOException {
        safetensors("adapter_model.safetensors");
        Files.writeString(
                folder.resolve("adapter_config.json"),
                "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"someone/some-model\"}");
        assertRefused(folder, "LoRA adapter for the model \"someone/some-model\"");
        assertThatThrownBy(() -> ModelFiles.open(folder.resolve("adapter_model.safetensors"))
                        .close())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("LoRA adapter");
        Path gguf = folder.resolve("adapter.gguf");
        new GgufWriter()
                .metadata("general.type", GgufValue.string("adapter"))
                .metadata("general.architecture", GgufValue.string("llama"))
                .add("a", DType.F32, TensorContent.ofFloats(3, 4), 2)
                .write(gguf);
        assertRefused(gguf, "LoRA adapter");
    }

    @Test
    void opensAFolder() throws IOException {
        safetensors("model.safetensors");
        config();
        try (ModelFiles files = ModelFiles.open(folder)) {
            assertThat(files.tensors().tensor("a").toArray()).containsExactly(1, 2);
            assertThat(files.json("config.json"))
                    .hasValueSatisfying(json ->
                            assertThat(json.get("model_type").asString()).isEqualTo("llama"));
            assertThat(files.companion("config.json")).contains(folder.resolve("config.json"));
            assertThat(files.companion("tokenizer.json")).isEmpty();
            assertThat(files.json("tokenizer_config.json")).isEmpty();
            assertThat(files.metadata()).isEmpty();
            assertThat(files.path()).isEqualTo(folder);
        }
    }

    @Test
    void opensAFolderOfParts() throws IOException {
        safetensors("model-00001-of-00001.safetensors");
        config();
        Path index = Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"a\":\"model-00001-of-00001.safetensors\"}}");
        for (Path path : new Path[] {folder, index}) {
            try (ModelFiles files = ModelFiles.open(path)) {
                assertThat(files.tensors().tensor("a").toArray()).containsExactly(1, 2);
                assertThat(files.json("config.json")).isPresent();
            }
        }
        assertRefused(folder.resolve("model-00001-of-00001.safetensors"), "is one part of a model: give the folder");
    }

    @Test
    void recognisesAFileByItsFirstBytes() throws IOException {
        Path disguised = Files.move(gguf("a.gguf"), folder.resolve("a.safetensors"));
        try (ModelFiles files = ModelFiles.open(disguised)) {
            assertThat(files.metadata())
                    .hasValueSatisfying(metadata ->
                            assertThat(metadata.string("general.architecture")).isEqualTo("llama"));
            assertThat(files.tensors().tensor("a").toArray()).containsExactly(3, 4);
            assertThat(files.companion("a.safetensors")).isEmpty();
        }
        Path bare = Files.move(safetensors("b.safetensors"), folder.resolve("weights"));
        config();
        try (ModelFiles files = ModelFiles.open(bare)) {
            assertThat(files.tensors().tensor("a").toArray()).containsExactly(1, 2);
            assertThat(files.json("config.json")).isPresent();
        }
    }

    @Test
    void opensAFolderWithOneGgufFile() {
        gguf("a.gguf");
        try (ModelFiles files = ModelFiles.open(folder)) {
            assertThat(files.metadata()).isPresent();
        }
        gguf("b.gguf");
        assertRefused(folder, "several GGUF files, a.gguf, b.gguf");
    }

    @Test
    void saysWhatAFolderLacks() throws IOException {
        assertRefused(folder, "neither model.safetensors nor");
        Files.writeString(folder.resolve("pytorch_model.bin"), "x");
        assertRefused(folder, "only PyTorch files, pytorch_model.bin");
        safetensors("model-00001-of-00002.safetensors");
        assertRefused(folder, "but no model.safetensors.index.json");
        safetensors("model.safetensors");
        assertRefused(folder, "no config.json");
    }

    @Test
    void saysWhatAFileIsInstead() throws IOException {
        assertRefused(folder.resolve("none"), "does not exist");
        assertRefused(Files.createFile(folder.resolve("empty")), "is empty");
        assertRefused(Files.writeString(folder.resolve("text"), "Once upon a time there was a model"), "neither");
        assertRefused(Files.writeString(folder.resolve("zip"), "PK\3\4.........................."), "PyTorch");
        assertRefused(Files.writeString(folder.resolve("ggml"), "tjgg............................"), "older than GGUF");
        assertRefused(
                Files.writeString(folder.resolve("lfs"), "version https://git-lfs.github.com/spec/v1"), "git lfs");
        assertRefused(Files.writeString(folder.resolve("x.safetensors"), "Not a model at all"), "the header has");
        assertRefused(Files.writeString(folder.resolve("x.gguf"), "Not a model at all"), "does not begin with");
        assertRefused(Files.writeString(folder.resolve("x.json"), "{\"a\":1}"), "weight_map is missing");
    }

    @Test
    void refusesOnePartOfASplitGguf() {
        Path path = folder.resolve("a-00001-of-00003.gguf");
        new GgufWriter()
                .metadata("split.count", GgufValue.integer(GgufType.UINT16, 3))
                .write(path);
        assertRefused(path, "one of 3 parts");
    }

    @Test
    void refusesABadCompanion() throws IOException {
        safetensors("model.safetensors");
        Files.writeString(folder.resolve("config.json"), "{\"a\":1,\"a\":2}");
        try (ModelFiles files = ModelFiles.open(folder)) {
            assertThatThrownBy(() -> files.json("config.json"))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("config.json: it is not valid JSON");
            for (String text : new String[] {"", "[]", "7", "{} {}", "{\"a\":"}) {
                Files.writeString(folder.resolve("config.json"), text);
                assertThatThrownBy(() -> files.json("config.json"))
                        .as(text)
                        .isInstanceOf(LayercakeException.class)
                        .hasMessageContaining("config.json: it ");
            }
        }
    }

    @Test
    void saysThatAFileMayNotBeRead() {
        Path path = safetensors("a.safetensors");
        assumeTrue(path.toFile().setReadable(false, false) && !Files.isReadable(path), "this user may read every file");
        assertRefused(path, "cannot be read: give yourself permission");
    }

    @Test
    void aFolderOfPointersSaysSo() throws IOException {
        config();
        Files.writeString(folder.resolve("model.safetensors"), "version https://git-lfs.github.com/spec/v1\n");
        assertRefused(folder, "git lfs pull");
    }
}
