package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TokenizerTest {
    private static final List<String> STYLES = List.of("llama3", "qwen2", "gpt2", "llama2", "gemma");

    @Test
    void guardedNamesOfSpecialTokensStayText() {
        for (String style : STYLES) {
            Tokenizer tokenizer = golden(style);
            String name = tokenizer.addedTokens().getLast().content();
            int id = tokenizer.tokenId(name).orElseThrow();
            String text = "the " + name + " and";
            assertThat(tokenizer.encode(text, false)).as(style).contains(id);
            String guarded = tokenizer.guard(text);
            int[] plain = tokenizer.encodeGuarded(guarded, false);
            assertThat(plain).as(style).doesNotContain(id);
            assertThat(tokenizer.decode(plain, false)).as(style).isEqualTo(text);
        }
    }

    @Test
    void guardedPartsOfATemplateLeaveItsOwnTokensAlone() {
        for (String style : STYLES) {
            Tokenizer tokenizer = golden(style);
            String name = tokenizer.addedTokens().getLast().content();
            int id = tokenizer.tokenId(name).orElseThrow();
            String rendered = name + "the and" + name + tokenizer.guard("return " + name) + name;
            assertThat(count(tokenizer.encodeGuarded(rendered, false), id))
                    .as(style)
                    .isEqualTo(3);
            // Without anything to guard against, both ways are one.
            String trusted = name + "the and " + name + "\n" + name;
            String marked = trusted + tokenizer.guard("");
            assertThat(tokenizer.encodeGuarded(marked, true)).isEqualTo(tokenizer.encode(trusted, true));
            assertThat(tokenizer.encodeGuarded(trusted.replace("and", "a" + Guard.MARK + "nd"), true))
                    .as(style)
                    .isEqualTo(tokenizer.encode(trusted, true));
        }
    }

    @Test
    void guardingTextWithoutSpecialTokensChangesNothing() {
        Tokenizer tokenizer = golden("llama3");
        assertThat(tokenizer.guard("return <| the |>")).isEqualTo("return <| the |>");
        assertThat(tokenizer.guard("a" + Guard.MARK)).isEqualTo("a\uFFFD");
    }

    @Test
    void halvesOfSurrogatePairsAndZerosAreTextToo() {
        Tokenizer tokenizer = golden("gpt2");
        assertThat(tokenizer.decode(tokenizer.encode("a\uD83Cb\uDF70", false), false))
                .isEqualTo("a\uFFFDb\uFFFD");
        assertThat(tokenizer.decode(tokenizer.encode("a\u0000🍰", false), false))
                .isEqualTo("a\u0000🍰");
    }

    @Test
    void longTextsAreNotCutEvenIfTheFileSaysSo() {
        String json = text("gpt2")
                .replaceFirst(
                        "\"truncation\":\\s*null",
                        "\"truncation\":{\"direction\":\"Right\",\"max_length\":8,\"strategy\":\"LongestFirst\",\"stride\":0}");
        assertThat(json).contains("max_length");
        String longText = "the cake ".repeat(2000);
        Tokenizer tokenizer = Tokenizer.of(json);
        assertThat(tokenizer.decode(tokenizer.encode(longText, true), false)).isEqualTo(longText);
    }

    @Test
    void refusesWhatIsNotATokenizer() {
        for (String json :
                List.of("", "[]", "{}", "{\"model\":", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}")) {
            assertThatThrownBy(() -> Tokenizer.of(json)).as(json).isInstanceOf(LayercakeException.class);
        }
        assertThatThrownBy(() -> Tokenizer.of(text("gpt2").replace("\"decoder\":", "\"other\":")))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("decoder");
        assertThatThrownBy(() -> Tokenizer.of(Path.of("no", "such", "tokenizer.json")))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("tokenizer.json");
    }

    @Test
    void mutatedFilesAreRefusedOrRead() {
        Random random = new Random(3);
        for (String style : STYLES) {
            byte[] original = text(style).getBytes(StandardCharsets.UTF_8);
            for (int round = 0; round < 400; round++) {
                byte[] mutated = original.clone();
                for (int i = random.nextInt(4); i >= 0; i--) {
                    mutated[random.nextInt(mutated.length)] = (byte) (32 + random.nextInt(95));
                }
                try {
                    Tokenizer tokenizer = Tokenizer.of(mutated);
                    tokenizer.decode(tokenizer.encode("the <s> naïve 🍰", true), true);
                } catch (LayercakeException e) {
                    assertThat(e.getMessage()).isNotBlank();
                }
            }
        }
    }

    private static long count(int[] ids, int id) {
        return Arrays.stream(ids).filter(candidate -> candidate == id).count();
    }

    private static Tokenizer golden(String style) {
        return Tokenizer.of(text(style));
    }

    private static String text(String style) {
        try (InputStream in =
                TokenizerTest.class.getResourceAsStream("/golden/tokenizer/" + style + "/tokenizer.json")) {
            assertThat(in).isNotNull();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
