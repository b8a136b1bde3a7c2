package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import dev.layercake.model.format.ModelFiles;
import dev.layercake.model.format.SafetensorsWriter;
import dev.layercake.model.format.TensorContent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ends an answer, in files that name it in one place only, whichever that is. */
class TurnEndsTest {
    private static final int NORMAL = 1;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;

    @TempDir
    private Path temporary;

    @Test
    void theEndOfAPhi3TurnIsNoEosOfItsGguf() {
        assertThat(gguf(
                        Map.of("</s>", CONTROL, "<|endoftext|>", CONTROL, "<|end|>", CONTROL),
                        Map.of("eos", "</s>"),
                        ""))
                .containsExactlyInAnyOrder("</s>", "<|endoftext|>", "<|end|>");
    }

    @Test
    void theEndOfAnEarlyLlama3TurnIsNoEosOfItsGguf() {
        assertThat(gguf(
                        Map.of("<|end_of_text|>", CONTROL, "<|eot_id|>", CONTROL, "<|eom_id|>", CONTROL),
                        Map.of("eos", "<|end_of_text|>"),
                        ""))
                .containsExactlyInAnyOrder("<|end_of_text|>", "<|eot_id|>", "<|eom_id|>");
    }

    @Test
    void everyKeyOfAGgufCounts() {
        assertThat(gguf(
                        Map.of("<a>", CONTROL, "<b>", CONTROL, "<c>", CONTROL, "<d>", CONTROL),
                        Map.of("eos", "<a>", "eot", "<b>", "eom", "<c>"),
                        ""))
                .containsExactlyInAnyOrder("<a>", "<b>", "<c>");
    }

    @Test
    void minusOneIsNoToken() throws IOException {
        // A piece that is not there has the index -1, which an unsigned key holds as 4294967295.
        assertThat(gguf(Map.of("<a>", CONTROL, "<b>", CONTROL), Map.of("eos", "<a>", "eot", "none", "bos", "none"), ""))
                .containsExactly("<a>");
        assertThat(folder("-1", "[2, -1]", "null", false)).containsExactlyInAnyOrder(2, 6);
    }

    @Test
    void aKnownTextEndsATurnOnlyAsAControlToken() {
        Map<String, Integer> tokens =
                Map.of("<end_of_turn>", CONTROL, "</s>", USER_DEFINED, "<|im_end|>", NORMAL, "<|end|>", USER_DEFINED);
        assertThat(gguf(tokens, Map.of(), "")).containsExactly("<end_of_turn>");
        // What the chat template writes steers the model, whatever its type says.
        assertThat(gguf(tokens, Map.of(), "{{ messages[0].content }}<|im_end|>"))
                .containsExactlyInAnyOrder("<end_of_turn>", "<|im_end|>");
    }

    @Test
    void aFolderNamesItsEndsInFourFiles() throws IOException {
        assertThat(folder("1", "[2, 3]", "\"<e4>\"", false)).containsExactlyInAnyOrder(1, 2, 3, 4, 6);
        assertThat(folder("[1]", "2", "{\"content\": \"<e4>\", \"special\": true}", false))
                .containsExactlyInAnyOrder(1, 2, 4, 6);
        assertThat(folder("null", "null", "null", false)).containsExactly(6);
        // <|im_end|> is no special token of tokenizer.json, but its neighbour declares it.
        assertThat(folder("1", "1", "null", true)).containsExactlyInAnyOrder(1, 5, 6);
    }

    private List<String> gguf(Map<String, Integer> endings, Map<String, String> keys, String template) {
        List<String> pieces = new ArrayList<>(List.of("<unk>", "\u2581", "a", "\u2581a"));
        List<Integer> types = new ArrayList<>(List.of(2, NORMAL, NORMAL, NORMAL));
        endings.forEach((piece, type) -> {
            pieces.add(piece);
            types.add(type);
        });
        GgufWriter writer = new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .metadata("llama.embedding_length", GgufValue.uint32(4))
                .metadata("llama.attention.head_count", GgufValue.uint32(1))
                .metadata("llama.block_count", GgufValue.uint32(1))
                .metadata("tokenizer.ggml.model", GgufValue.string("llama"))
                .metadata("tokenizer.ggml.tokens", GgufValue.strings(pieces))
                .metadata("tokenizer.ggml.scores", GgufValue.floats(new float[pieces.size()]))
                .metadata(
                        "tokenizer.ggml.token_type",
                        GgufValue.ints(
                                types.stream().mapToInt(Integer::intValue).toArray()));
        keys.forEach((key, piece) -> writer.metadata(
                "tokenizer.ggml." + key + "_token_id", GgufValue.uint32(pieces.indexOf(piece) & 0xFFFFFFFFL)));
        if (!template.isEmpty()) {
            writer.metadata("tokenizer.chat_template", GgufValue.string(template));
        }
        float[] embedding = new float[4 * pieces.size()];
        Path path = temporary.resolve("ends" + Arrays.hashCode(new Object[] {endings, keys, template}) + ".gguf");
        writer.add("token_embd.weight", DType.F32, TensorContent.ofFloats(embedding), pieces.size(), 4);
        writer.write(path);
        try (GgufFile file = GgufFile.open(path)) {
            return ModelText.ofGguf(file.metadata()).endTokens(GgufConfig.parse(file)).stream()
                    .map(pieces::get)
                    .toList();
        }
    }

    /** Token 6 is special and a known end; 5 is known, but special only if so declared. */
    private List<Integer> folder(String config, String generation, String eosToken, boolean declared)
            throws IOException {
        Path folder = Files.createTempDirectory(temporary, "folder");
        Files.writeString(folder.resolve("config.json"), """
                {"model_type": "llama", "hidden_size": 4, "num_attention_heads": 1, "num_hidden_layers": 1,
                 "vocab_size": 7, "eos_token_id": %s}""".formatted(config));
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": %s}".formatted(generation));
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "added_tokens": [
                   {"id": 5, "content": "<|im_end|>", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": false},
                   {"id": 6, "content": "<|eot_id|>", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true}],
                 "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                    "trim_offsets": true, "use_regex": true},
                 "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": false,
                    "trim_offsets": true, "use_regex": true},
                 "model": {"type": "BPE", "vocab": {"a": 0, "<e1>": 1, "<e2>": 2, "<e3>": 3, "<e4>": 4}, "merges": []}}
                """);
        String decoder = declared ? "\"5\": {\"content\": \"<|im_end|>\", \"special\": true}" : "";
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"eos_token\": %s, \"added_tokens_decoder\": {%s}}".formatted(eosToken, decoder));
        new SafetensorsWriter()
                .add("model.embed_tokens.weight", DType.F32, TensorContent.ofFloats(new float[28]), 7, 4)
                .write(folder.resolve("model.safetensors"));
        try (ModelFiles files = ModelFiles.open(folder)) {
            ModelConfig parsed = HuggingFaceConfig.parse(
                    files.json("config.json").orElseThrow(), files.json("generation_config.json"));
            return ModelText.ofCheckpoint(files).endTokens(parsed);
        }
    }
}
