package dev.layercake.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Tokenizers from small GGUF vocabularies of our own: every expectation is worked out by hand from the rules. */
class GgufTokenizerTest {
    @Test
    void byteLevelMergesInsideTheWordsOfItsPreTokenizer() {
        Tokenizer tokenizer =
                Tokenizer.of(byteLevel("gpt-2", List.of("Ġ c", "a k", "ak e", "Ġc ake"), Optional.empty()));
        assertThat(pieces(tokenizer, "cake cake")).containsExactly("c", "ake", "Ġcake");
        assertThat(pieces(tokenizer, "é")).containsExactly("Ã", "©");
        assertThat(tokenizer.decode(tokenizer.encode("cake café 🍰", false), false))
                .isEqualTo("cake café 🍰");
    }

    @Test
    void preTokenizersCutNumbersAsTheyAreNamed() {
        List<String> merges = List.of("1 2", "12 3", "123 4");
        assertThat(pieces(Tokenizer.of(byteLevel("gpt-2", merges, Optional.empty())), "1234"))
                .containsExactly("1234");
        assertThat(pieces(Tokenizer.of(byteLevel("llama-bpe", merges, Optional.of(false))), "1234"))
                .containsExactly("123", "4");
        assertThat(pieces(Tokenizer.of(byteLevel("qwen2", merges, Optional.empty())), "1234"))
                .containsExactly("1", "2", "3", "4");
    }

    @Test
    void specialTokensStandInTheMiddleOfTheVocabularyAndAreAddedWhenAsked() {
        Tokenizer tokenizer = Tokenizer.of(byteLevel("gpt-2", List.of("Ġ c"), Optional.of(true)));
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
        Tokenizer tokenizer = Tokenizer.of(sentencePiece(true));
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
        Tokenizer tokenizer = Tokenizer.of(sentencePiece(false));
        assertThat(pieces(tokenizer, "cake")).containsExactly("ca", "ke");
        assertThat(tokenizer.decode(tokenizer.encode(" cake", false), false)).isEqualTo(" cake");
    }

    @Test
    void refusesWhatItDoesNotKnowByName() {
        assertThatThrownBy(() -> Tokenizer.of(byteLevel("no-such-rule", List.of(), Optional.empty())))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("no-such-rule")
                .hasMessageContaining("llama-bpe, llama-v3");
        assertThatThrownBy(() -> Tokenizer.of(vocabulary(
                        "bert", "", List.of("a"), List.of(), List.of(), List.of(), Optional.empty(), Optional.empty())))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("bert")
                .hasMessageContaining("gpt2, llama");
    }

    @Test
    void refusesDamagedVocabularies() {
        List<String> tokens = List.of("a", "b", "ab");
        assertThatThrownBy(() -> vocabulary(
                        "llama", "", tokens, List.of(1f), List.of(), List.of(), Optional.empty(), Optional.empty()))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("scores has 1 values for 3 tokens");
        assertThatThrownBy(() -> Tokenizer.of(vocabulary(
                        "gpt2",
                        "gpt-2",
                        tokens,
                        List.of(),
                        List.of(),
                        List.of("ab"),
                        Optional.empty(),
                        Optional.empty())))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("merge \"ab\"");
        assertThatThrownBy(() -> Tokenizer.of(vocabulary(
                        "gpt2",
                        "gpt-2",
                        List.of("a", "a"),
                        List.of(),
                        List.of(),
                        List.of(),
                        Optional.empty(),
                        Optional.empty())))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("twice");
    }

    private static List<String> pieces(Tokenizer tokenizer, String text) {
        List<String> pieces = new ArrayList<>();
        for (int id : tokenizer.encode(text, false)) {
            pieces.add(tokenizer.token(id).orElseThrow());
        }
        return pieces;
    }

    private static GgufVocabulary byteLevel(String pre, List<String> merges, Optional<Boolean> addBos) {
        List<String> tokens = new ArrayList<>(List.of("<|start|>"));
        for (int octet = 0; octet < 256; octet++) {
            tokens.add(String.valueOf(ByteAlphabet.characterOf(octet)));
        }
        for (String merge : merges) {
            tokens.add(merge.replace(" ", ""));
        }
        List<Integer> types = new ArrayList<>(Collections.nCopies(tokens.size(), GgufVocabulary.NORMAL));
        types.set(0, GgufVocabulary.CONTROL);
        return vocabulary("gpt2", pre, tokens, List.of(), types, merges, addBos, Optional.empty());
    }

    private static GgufVocabulary sentencePiece(boolean spacePrefix) {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        List<Integer> types = new ArrayList<>(List.of(2, 3, 3));
        for (int octet = 0; octet < 256; octet++) {
            tokens.add(String.format(Locale.ROOT, "<0x%02X>", octet));
            types.add(GgufVocabulary.BYTE);
        }
        List<Float> scores = new ArrayList<>(Collections.nCopies(tokens.size(), 0f));
        for (String piece : List.of("ca", "ak", "ke", "ake", "▁▁", "▁", "c", "a", "k", "e")) {
            tokens.add(piece);
            types.add(GgufVocabulary.NORMAL);
            scores.add(-(float) (tokens.size() - 259));
        }
        return vocabulary(
                "llama", "default", tokens, scores, types, List.of(), Optional.empty(), Optional.of(spacePrefix));
    }

    private static GgufVocabulary vocabulary(
            String kind,
            String pre,
            List<String> tokens,
            List<Float> scores,
            List<Integer> types,
            List<String> merges,
            Optional<Boolean> addBos,
            Optional<Boolean> addSpacePrefix) {
        return new GgufVocabulary(
                kind,
                Optional.of(pre),
                "llama",
                tokens,
                scores,
                types,
                merges,
                kind.equals("gpt2") ? OptionalInt.of(0) : OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                addBos,
                Optional.empty(),
                addSpacePrefix);
    }
}
