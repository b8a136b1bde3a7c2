package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.model.format.GgufFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * llama.cpp's conformance vectors ({@code ggml-vocab-*.gguf.inp} and {@code .out}) over real vocabularies. They are third
 * party's and lie outside the repository; where they are absent these tests say that they are skipped, and
 * {@link GgufTokenizerTest} covers the same code with vocabularies of our own.
 */
class LlamaCppVectorsTest {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final Path TOKENIZERS = shared().resolve("data").resolve("tokenizers");
    private static final String SUFFIX = ".gguf";

    @TestFactory
    Stream<DynamicTest> everyGgufVocabularyMatches() throws IOException {
        Path folder = TOKENIZERS.resolve("llama.cpp");
        if (!Files.isDirectory(folder)) {
            return Stream.of(DynamicTest.dynamicTest("llama.cpp", () -> assumePresent(folder)));
        }
        List<Path> vocabularies;
        try (Stream<Path> entries = Files.list(folder)) {
            vocabularies = entries.filter(path -> path.toString().endsWith(SUFFIX))
                    .sorted()
                    .toList();
        }
        assertThat(vocabularies).isNotEmpty();
        return vocabularies.stream().map(path -> {
            String name = path.getFileName().toString();
            return DynamicTest.dynamicTest(name, () -> {
                try (GgufFile file = GgufFile.open(path)) {
                    assertMatches(Tokenizer.of(file.metadata()), name);
                }
            });
        });
    }

    @Test
    void llamaThreeMatchesThroughItsVocabularyAndMergeFiles() throws IOException {
        Path vocabulary = TOKENIZERS.resolve("llama3").resolve("ollama_llama3.2_encoder.json");
        Path merges = TOKENIZERS.resolve("llama3").resolve("ollama_llama3.2_vocab.bpe");
        assertMatches(fromVocabularyAndMerges(vocabulary, merges, "llama-bpe"), "ggml-vocab-llama-bpe.gguf");
    }

    @Test
    void gptTwoMatchesThroughItsVocabularyAndMergeFiles() throws IOException {
        Path vocabulary = TOKENIZERS.resolve("gpt2").resolve("encoder.json");
        Path merges = TOKENIZERS.resolve("gpt2").resolve("vocab.bpe");
        assertMatches(fromVocabularyAndMerges(vocabulary, merges, "gpt-2"), "ggml-vocab-gpt-2.gguf");
    }

    @Test
    void qwenTwoMatchesThroughItsRankFile() throws IOException {
        Path ranks = TOKENIZERS.resolve("qwen").resolve("qwen.tiktoken");
        assumePresent(ranks);
        List<String> tokens = new ArrayList<>();
        for (String line : Files.readAllLines(ranks)) {
            String[] fields = line.split(" ", -1);
            assertThat(Integer.parseInt(fields[1])).isEqualTo(tokens.size());
            StringBuilder piece = new StringBuilder();
            for (byte octet : Base64.getDecoder().decode(fields[0])) {
                piece.append(ByteAlphabet.characterOf(octet & 0xFF));
            }
            tokens.add(piece.toString());
        }
        Tokenizer tokenizer = byteLevel("qwen2", tokens, mergesOfRanks(tokens));
        assertMatches(tokenizer, "ggml-vocab-qwen2.gguf");
        assertMatches(tokenizer, "ggml-vocab-deepseek-r1-qwen.gguf");
    }

    private static Tokenizer fromVocabularyAndMerges(Path vocabulary, Path merges, String pre) throws IOException {
        assumePresent(vocabulary);
        assumePresent(merges);
        JsonNode ids = MAPPER.readTree(Files.readAllBytes(vocabulary));
        String[] tokens = new String[ids.size()];
        ids.properties().forEach(entry -> tokens[entry.getValue().intValue()] = entry.getKey());
        List<String> lines = Files.readAllLines(merges).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#version"))
                .toList();
        return byteLevel(pre, List.of(tokens), lines);
    }

    private static Tokenizer byteLevel(String pre, List<String> tokens, List<String> merges) {
        return VocabularyFile.of("gpt2", tokens).pre(pre).merges(merges).tokenizer();
    }

    /** The merge that makes each token: what is left of its bytes when only merges of lower rank are made. */
    private static List<String> mergesOfRanks(List<String> tokens) {
        Map<String, Integer> ranks = new HashMap<>();
        for (String token : tokens) {
            ranks.put(token, ranks.size());
        }
        List<String> merges = new ArrayList<>();
        for (String token : tokens) {
            List<String> parts = new ArrayList<>(
                    token.codePoints().mapToObj(Character::toString).toList());
            while (parts.size() > 2) {
                int best = -1;
                int bestRank = ranks.getOrDefault(token, 0);
                for (int i = 0; i + 1 < parts.size(); i++) {
                    int rank = ranks.getOrDefault(parts.get(i) + parts.get(i + 1), Integer.MAX_VALUE);
                    if (rank < bestRank) {
                        best = i;
                        bestRank = rank;
                    }
                }
                if (best < 0) {
                    break;
                }
                parts.set(best, parts.get(best) + parts.remove(best + 1));
            }
            if (parts.size() == 2) {
                merges.add(String.join(" ", parts));
            }
        }
        return merges;
    }

    private static void assertMatches(Tokenizer tokenizer, String vectors) throws IOException {
        Path folder = TOKENIZERS.resolve("llama.cpp");
        assumePresent(folder.resolve(vectors + ".inp"));
        String[] inputs = Files.readString(folder.resolve(vectors + ".inp"), StandardCharsets.UTF_8)
                .split("\n__ggml_vocab_test__\n", -1);
        String[] outputs = Files.readString(folder.resolve(vectors + ".out")).split("\n", -1);
        List<String> wrong = new ArrayList<>();
        // The last separator ends the last input.
        int count = inputs.length - 1;
        assertThat(outputs.length - 1).isEqualTo(count);
        for (int i = 0; i < count; i++) {
            int[] expected = Stream.of(outputs[i].trim().split(" +"))
                    .filter(field -> !field.isEmpty())
                    .mapToInt(Integer::parseInt)
                    .toArray();
            int[] actual = tokenizer.encode(inputs[i], false);
            if (!Arrays.equals(expected, actual)) {
                wrong.add("\"" + inputs[i] + "\": expected " + Arrays.toString(expected) + ", got "
                        + Arrays.toString(actual));
            }
            assertThat(GoldenTokenizerTest.streamed(tokenizer, actual, false))
                    .isEqualTo(tokenizer.decode(actual, false));
        }
        assertThat(count).isPositive();
        assertThat(wrong).as("%d vectors of %s", count, vectors).isEmpty();
    }

    private static void assumePresent(Path path) {
        assumeTrue(Files.exists(path), () -> "third-party vocabulary is not here: " + path.getFileName());
    }

    private static Path shared() {
        String given = System.getProperty("layercake.shared", "");
        return given.isEmpty()
                ? Path.of(System.getProperty("layercake.root", ".")).resolveSibling("shared")
                : Path.of(given);
    }
}
