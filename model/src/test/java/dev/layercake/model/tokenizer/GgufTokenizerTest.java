package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/** Tokenizers from small GGUF vocabularies of our own: every expectation is worked out by hand from the rules. */
class GgufTokenizerTest {
    @Test
    void byteLevelMergesInsideTheWordsOfItsPreTokenizer() {
        Tokenizer tokenizer =
                byteLevel("gpt-2", List.of("Ġ c", "a k", "ak e", "Ġc ake")).tokenizer();
        assertThat(pieces(tokenizer, "cake cake")).containsExactly("c", "ake", "Ġcake");
        assertThat(pieces(tokenizer, "é")).containsExactly("Ã", "©");
        assertThat(tokenizer.decode(tokenizer.encode("cake café 🍰", false), false))
                .isEqualTo("cake café 🍰");
    }

    @Test
    void preTokenizersCutNumbersAsTheyAreNamed() {
        List<String> merges = List.of("1 2", "12 3", "123 4");
        assertThat(pieces(byteLevel("gpt-2", merges).tokenizer(), "1234")).containsExactly("1234");
        assertThat(pieces(
                        byteLevel("llama-bpe", merges)
                                .flag("add_bos_token", false)
                                .tokenizer(),
                        "1234"))
                .containsExactly("123", "4");
        assertThat(pieces(byteLevel("qwen2", merges).tokenizer(), "1234")).containsExactly("1", "2", "3", "4");
    }

    @Test
    void specialTokensStandInTheMiddleOfTheVocabularyAndAreAddedWhenAsked() {
        Tokenizer tokenizer =
                byteLevel("gpt-2", List.of("Ġ c")).flag("add_bos_token", true).tokenizer();
        int bos = tokenizer.tokenId("<|start|>").orElseThrow();
        assertThat(tokenizer.isSpecial(bos)).isTrue();
        assertThat(tokenizer.encode("c", true)[0]).isEqualTo(bos);
        assertThat(tokenizer.encode("c", false)).doesNotContain(bos);
        assertThat(pieces(tokenizer, "c<|start|>c")).containsExactly("c", "<|start|>", "c");
        assertThat(tokenizer.decode(tokenizer.encode("c<|start|>c", true), true))
                .isEqualTo("cc");
        assertThat(tokenizer.addedTokens()).extracting(AddedToken::content).containsExactly("<|start|>");
    }

    @Test
    void sentencePieceMergesByScoreAndFallsBackToBytes() {
        Tokenizer tokenizer = sentencePiece(true).tokenizer();
        // "ca" (-1) wins over "ak" (-2), so "cake" is not c + ake.
        assertThat(pieces(tokenizer, "cake")).containsExactly("▁", "ca", "ke");
        assertThat(pieces(tokenizer, " ake")).containsExactly("▁▁", "ake");
        assertThat(pieces(tokenizer, "é")).containsExactly("▁", "<0xC3>", "<0xA9>");
        assertThat(tokenizer.encode("a", true)).startsWith(1);
        for (String text : List.of("cake", " cake", "  é🍰\n", "a<0x41>")) {
            int[] ids = tokenizer.encode(text, false);
            assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
            assertThat(GoldenTokenizerTest.streamed(tokenizer, ids, false)).isEqualTo(text);
        }
    }

    @Test
    void sentencePieceWithoutSpacePrefixKeepsTheTextAsItIs() {
        Tokenizer tokenizer = sentencePiece(false).tokenizer();
        assertThat(pieces(tokenizer, "cake")).containsExactly("ca", "ke");
        assertThat(tokenizer.decode(tokenizer.encode(" cake", false), false)).isEqualTo(" cake");
    }

    @Test
    void refusesWhatItDoesNotKnowByName() {
        assertThatThrownBy(() -> byteLevel("no-such-rule", List.of()).tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("no-such-rule")
                .hasMessageContaining("llama-bpe, llama-v3");
        assertThatThrownBy(() -> VocabularyFile.of("bert", List.of("a")).tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("bert")
                .hasMessageContaining("gpt2, llama");
    }

    @Test
    void refusesDamagedVocabularies() {
        List<String> tokens = List.of("a", "b", "ab");
        assertThatThrownBy(() ->
                        VocabularyFile.of("llama", tokens).scores(List.of(1f)).tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("scores has 1 values for 3 tokens");
        assertThatThrownBy(() -> VocabularyFile.of("llama", tokens).tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("scores");
        assertThatThrownBy(() -> VocabularyFile.of("gpt2", tokens)
                        .pre("gpt-2")
                        .merges(List.of("ab"))
                        .tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("merge \"ab\"");
        assertThatThrownBy(() -> VocabularyFile.of("gpt2", List.of("a", "a"))
                        .pre("gpt-2")
                        .tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("twice");
        assertThatThrownBy(() -> byteLevel("gpt-2", List.of()).id("eos", 4000).tokenizer())
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("eos_token_id is 4000");
    }

    @Test
    void blanksThatAreVisibleAlreadyAreBlanks() {
        Tokenizer tokenizer = sentencePiece(false, "▁▁", "▁▁▁").tokenizer();
        for (String text : List.of("▁▁", " ▁", "▁ ", "  ")) {
            assertThat(pieces(tokenizer, text)).as(text).containsExactly("▁▁");
        }
        assertThat(pieces(tokenizer, "a▁▁k")).containsExactly("a", "▁▁", "k");
        assertThat(pieces(tokenizer, "a   k")).containsExactly("a", "▁▁▁", "k");
        assertThat(pieces(tokenizer, "    ")).containsExactly("▁▁▁", "▁");
        assertThat(tokenizer.decode(tokenizer.encode("a   k", false), false)).isEqualTo("a   k");
    }

    private static List<String> pieces(Tokenizer tokenizer, String text) {
        List<String> pieces = new ArrayList<>();
        for (int id : tokenizer.encode(text, false)) {
            pieces.add(tokenizer.token(id).orElseThrow());
        }
        return pieces;
    }

    private static VocabularyFile byteLevel(String pre, List<String> merges) {
        List<String> tokens = new ArrayList<>(List.of("<|start|>"));
        for (int octet = 0; octet < 256; octet++) {
            tokens.add(String.valueOf(ByteAlphabet.characterOf(octet)));
        }
        for (String merge : merges) {
            tokens.add(merge.replace(" ", ""));
        }
        List<Integer> types = new ArrayList<>(Collections.nCopies(tokens.size(), GgufVocabulary.NORMAL));
        types.set(0, GgufVocabulary.CONTROL);
        return VocabularyFile.of("gpt2", tokens)
                .pre(pre)
                .types(types)
                .merges(merges)
                .id("bos", 0);
    }

    private static VocabularyFile sentencePiece(boolean spacePrefix, String... more) {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        List<Integer> types = new ArrayList<>(List.of(2, 3, 3));
        for (int octet = 0; octet < 256; octet++) {
            tokens.add(String.format(Locale.ROOT, "<0x%02X>", octet));
            types.add(GgufVocabulary.BYTE);
        }
        List<Float> scores = new ArrayList<>(Collections.nCopies(tokens.size(), 0f));
        List<String> normal = new ArrayList<>(List.of("ca", "ak", "ke", "ake", "▁▁", "▁", "c", "a", "k", "e"));
        normal.removeAll(List.of(more));
        for (String piece : normal) {
            tokens.add(piece);
            types.add(GgufVocabulary.NORMAL);
            scores.add(-(float) (tokens.size() - 259));
        }
        for (String piece : more) {
            tokens.add(piece.replace("▁", " "));
            types.add(GgufVocabulary.USER_DEFINED);
            scores.add(-1000f);
        }
        return VocabularyFile.of("llama", tokens)
                .pre("default")
                .types(types)
                .scores(scores)
                .flag("add_space_prefix", spacePrefix);
    }
}
