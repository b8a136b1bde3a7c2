package dev.layercake.model.tokenizer;

import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufMetadata;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A GGUF file that holds a vocabulary and nothing else. */
final class VocabularyFile {
    private final Map<String, GgufValue> values = new LinkedHashMap<>();

    private VocabularyFile(String kind, List<String> tokens) {
        values.put("general.architecture", GgufValue.string("llama"));
        with("model", GgufValue.string(kind));
        with("tokens", GgufValue.strings(tokens));
    }

    static VocabularyFile of(String kind, List<String> tokens) {
        return new VocabularyFile(kind, tokens);
    }

    VocabularyFile pre(String name) {
        return with("pre", GgufValue.string(name));
    }

    VocabularyFile merges(List<String> merges) {
        return with("merges", GgufValue.strings(merges));
    }

    VocabularyFile scores(List<Float> scores) {
        float[] values = new float[scores.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = scores.get(i);
        }
        return with("scores", GgufValue.floats(values));
    }

    VocabularyFile types(List<Integer> types) {
        return with(
                "token_type",
                GgufValue.ints(types.stream().mapToInt(Integer::intValue).toArray()));
    }

    VocabularyFile id(String name, int id) {
        return with(name + "_token_id", GgufValue.uint32(id));
    }

    VocabularyFile flag(String name, boolean value) {
        return with(name, GgufValue.bool(value));
    }

    private VocabularyFile with(String key, GgufValue value) {
        values.put("tokenizer.ggml." + key, value);
        return this;
    }

    GgufMetadata metadata() {
        try {
            Path file = Files.createTempFile("vocabulary", ".gguf");
            try {
                GgufWriter writer = new GgufWriter();
                values.forEach(writer::metadata);
                Files.delete(file);
                writer.write(file);
                try (GgufFile opened = GgufFile.open(file)) {
                    return opened.metadata();
                }
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Tokenizer tokenizer() {
        return Tokenizer.of(metadata());
    }
}
