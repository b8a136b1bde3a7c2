package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Vocabularies of our own in the cut of known ones, whose tokens are worked out by hand. */
class OwnVocabularyTest {
    private static final List<String> MERGES =
            List.of("a a", "aa aa", "Ġ Ġ", "ĠĠ ĠĠ", "ĠĠĠĠ ĠĠĠĠ", "Ġ a", "ä ¸", "ä¸ Ń", "c a", "k e", "ca ke", "Ġ cake");
    private static final List<String> PRE = List.of("llama-bpe", "qwen2", "gpt-2");

    @Test
    void tenMillionBlanksAreCutAsTenAre() {
        int blanks = 10_000_000;
        String text = " ".repeat(blanks);
        for (String pre : PRE) {
            Tokenizer tokenizer = byteLevel(pre);
            int eight = tokenizer.tokenId("Ġ".repeat(8)).orElseThrow();
            int[] tokens = tokenizer.encode(text, false);
            assertThat(tokens).as(pre).hasSize(blanks / 8);
            assertThat(IntStream.of(tokens).allMatch(id -> id == eight)).as(pre).isTrue();
            assertThat(pieces(tokenizer, tokenizer.encode(" ".repeat(11) + "cake", false)))
                    .as(pre)
                    .containsExactly("Ġ".repeat(8), "ĠĠ", "Ġcake");
        }
    }

    @Test
    void longRunsThatComeInPartsAreCutAsOne() {
        for (String pre : PRE) {
            Tokenizer tokenizer = byteLevel(pre);
            String letters = "a".repeat(10_001);
            int[] cut = fed(tokenizer, letters, 997);
            assertThat(cut).as(pre).isEqualTo(tokenizer.encode(letters, false)).hasSize(2501);
            assertThat(pieces(tokenizer, new int[] {cut[0], cut[2499], cut[2500]}))
                    .containsExactly("aaaa", "aaaa", "a");
            String characters = "中".repeat(10_000);
            assertThat(fed(tokenizer, characters, 997))
                    .as(pre)
                    .isEqualTo(tokenizer.encode(characters, false))
                    .hasSize(10_000)
                    .containsOnly(tokenizer.tokenId("ä¸Ń").orElseThrow());
            String mixed = "cake " + letters + " cake " + characters + " cake cake. aaa";
            assertThat(fed(tokenizer, mixed, 1009)).as(pre).isEqualTo(tokenizer.encode(mixed, false));
        }
    }

    @Test
    void manyCallersGetWhatOneGets() throws InterruptedException, ExecutionException {
        List<String> texts = IntStream.range(0, 400)
                .mapToObj(i -> "cake ".repeat(i % 7) + "aaa" + i + " ".repeat(i % 11) + "中".repeat(i % 5))
                .toList();
        Tokenizer alone = byteLevel("llama-bpe");
        List<int[]> expected =
                texts.stream().map(text -> alone.encode(text, false)).toList();
        Tokenizer shared = byteLevel("llama-bpe");
        try (ExecutorService callers = Executors.newFixedThreadPool(8)) {
            List<Future<Integer>> rounds = new ArrayList<>();
            for (int caller = 0; caller < 8; caller++) {
                int offset = caller * 50;
                rounds.add(callers.submit(() -> {
                    for (int i = 0; i < texts.size(); i++) {
                        int at = (i + offset) % texts.size();
                        assertThat(shared.encode(texts.get(at), false)).isEqualTo(expected.get(at));
                        assertThat(shared.decode(expected.get(at), false)).isEqualTo(texts.get(at));
                    }
                    return texts.size();
                }));
            }
            for (Future<Integer> round : rounds) {
                assertThat(round.get()).isEqualTo(texts.size());
            }
        }
    }

    @Test
    void marksOfTurnsStayTextInMessagesWhateverTheFileCallsThem() {
        String form = """
                {"added_tokens":[{"id":7,"content":"<｜User｜>","special":false},{"id":8,"content":"[ASK]","special":false},\
                {"id":9,"content":"[ADD]","special":false,"normalized":false}],"normalizer":%s,"decoder":{"type":"Fuse"},\
                "model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"a":1,"[":2,"]":3,"A":4,"S":5,"K":6},"merges":[]}}""";
        String template = "{{ bos }}<｜User｜>{{ message }}[ASK]";
        for (String normalizer : List.of(
                "null", "{\"type\":\"NFC\"}", "{\"type\":\"Lowercase\"}", "{\"type\":\"Prepend\",\"prepend\":\"a\"}")) {
            Tokenizer tokenizer =
                    Tokenizer.of(form.formatted(normalizer)).withControlTokens(template, List.of("[ADD]"));
            for (String name : List.of("<｜User｜>", "[ASK]", "[ADD]")) {
                int id = tokenizer.tokenId(name).orElseThrow();
                String rendered = name + "Ba" + name + tokenizer.guard("a" + name + "a") + name;
                int[] tokens = tokenizer.encodeGuarded(rendered, false);
                assertThat(IntStream.of(tokens).filter(token -> token == id))
                        .as("%s, %s", name, normalizer)
                        .hasSize(3);
                assertThat(tokens[tokens.length - 1]).isEqualTo(id);
                assertThat(tokenizer.encodeGuarded(tokenizer.guard("a" + name), false))
                        .doesNotContain(id);
            }
        }
        // Without a template nothing says that this one steers anything.
        Tokenizer plain = Tokenizer.of(form.formatted("null"));
        assertThat(plain.encodeGuarded(plain.guard("a[ASK]"), false)).containsExactly(1, 8);
    }

    @Test
    void aFileOfNothingButAHeaderIsEnough(@TempDir Path folder) throws IOException {
        Path bare = folder.resolve("bare.gguf");
        new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .write(bare);
        try (GgufFile file = GgufFile.open(bare)) {
            assertThatThrownBy(() -> Tokenizer.of(file.metadata()))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("tokenizer.ggml");
        }
        // Every other file here has its vocabulary in the header, and no tensors.
        assertThat(byteLevel("qwen2").encode("cake cake", false)).hasSize(2);
    }

    /** As a session reads a text that comes in parts. */
    private static int[] fed(Tokenizer tokenizer, String text, int step) {
        IntStream.Builder tokens = IntStream.builder();
        int done = 0;
        for (int end = step; done < text.length(); end += step) {
            int upTo = Math.min(end, text.length());
            int settled = upTo < text.length() ? tokenizer.settled(text.substring(0, upTo)) : upTo;
            if (settled > done) {
                EncodeOptions after = EncodeOptions.of(false).after(text.substring(0, done));
                IntStream.of(tokenizer.encode(text.substring(done, settled), after))
                        .forEach(tokens);
                done = settled;
            }
        }
        return tokens.build().toArray();
    }

    private static List<String> pieces(Tokenizer tokenizer, int[] tokens) {
        return IntStream.of(tokens)
                .mapToObj(id -> tokenizer.token(id).orElseThrow())
                .toList();
    }

    private static Tokenizer byteLevel(String pre) {
        List<String> tokens = new ArrayList<>();
        for (int octet = 0; octet < 256; octet++) {
            tokens.add(String.valueOf(ByteAlphabet.characterOf(octet)));
        }
        MERGES.forEach(merge -> tokens.add(merge.replace(" ", "")));
        return VocabularyFile.of("gpt2", tokens)
                .pre(pre)
                .types(Collections.nCopies(tokens.size(), GgufVocabulary.NORMAL))
                .merges(MERGES)
                .flag("add_bos_token", false)
                .tokenizer();
    }
}
