package dev.layercake.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

/** Texts and expressions that once ended the process, or never ended. */
class LongTextTest {
    private static final String PLAIN = """
            {"added_tokens":[],"pre_tokenizer":{"type":"Split","pattern":{"Regex":"%s"},"behavior":"Isolated","invert":false},\
            "decoder":{"type":"Fuse"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"aa":2,"aaaa":3},"merges":["a a","aa aa"]}}""";

    @Test
    void millionsOfBlanksAreOneWordAndNoTrouble() {
        String blanks = " ".repeat(2_000_000);
        for (String style : List.of("llama3", "qwen2", "gpt2", "llama2", "gemma")) {
            Tokenizer tokenizer = golden(style);
            assertThat(tokenizer.decode(tokenizer.encode(blanks, false), false).length())
                    .as(style)
                    .isEqualTo(blanks.length());
        }
    }

    @Test
    void longWordsMergeAsShortOnesDo() {
        Random random = new Random(3);
        Tokenizer tokenizer = Tokenizer.of(PLAIN.formatted("[^|]+"));
        for (int round = 0; round < 200; round++) {
            int length = 1 + random.nextInt(300);
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < length; i++) {
                text.append(random.nextInt(9) == 0 ? 'b' : 'a');
            }
            StringBuilder expected = new StringBuilder();
            for (String run : text.toString().split("(?<=b)|(?=b)", -1)) {
                expected.append(
                        run.equals("b")
                                ? "1"
                                : "3".repeat(run.length() / 4)
                                        + "2".repeat(run.length() % 4 / 2)
                                        + "0".repeat(run.length() % 2));
            }
            StringBuilder actual = new StringBuilder();
            for (int id : tokenizer.encode(text.toString(), false)) {
                actual.append(id);
            }
            assertThat(actual.toString()).as(text.toString()).isEqualTo(expected.toString());
        }
    }

    @Test
    void textThatIsNoLongerWantedIsNotCutToItsEnd() {
        Tokenizer tokenizer = golden("llama3");
        EncodeOptions options = EncodeOptions.of(false).with((done, all) -> done < 100_000);
        for (String text : List.of("the cake ".repeat(200_000), " ".repeat(2_000_000))) {
            assertThatThrownBy(() -> tokenizer.encode(text, options)).isInstanceOf(CancellationException.class);
        }
        assertThat(tokenizer.encode("the cake", options)).isEqualTo(tokenizer.encode("the cake", false));
    }

    @Test
    void textBeyondTheRoomIsRefusedEarly() {
        Tokenizer tokenizer = golden("gemma");
        long[] furthest = {0};
        EncodeOptions options = EncodeOptions.of(false).atMost(1000).with((done, all) -> {
            furthest[0] = Math.max(furthest[0], done);
            return true;
        });
        assertThatThrownBy(() -> tokenizer.encode("the cake ".repeat(200_000), options))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("there is room for 1000");
        assertThat(furthest[0]).isLessThan(100_000);
        int exact = tokenizer.encode("the cake ", false).length;
        assertThat(tokenizer.encode("the cake ", EncodeOptions.of(false).atMost(exact)))
                .hasSize(exact);
        assertThatThrownBy(() ->
                        tokenizer.encode("the cake ", EncodeOptions.of(false).atMost(exact - 1)))
                .isInstanceOf(LayercakeException.class);
    }

    @Test
    void expressionsThatBacktrackWithoutEndAreStopped() {
        String text = "a".repeat(40) + "b";
        for (String expression : List.of("a*a*a*a*a*a*a*a*a*a*c", "(a+)+\\\\1c")) {
            Tokenizer tokenizer = Tokenizer.of(PLAIN.formatted(expression));
            assertThatThrownBy(() -> tokenizer.encode(text.repeat(3), false))
                    .as(expression)
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("backtracks without end");
        }
        assertThatThrownBy(() -> Tokenizer.of(PLAIN.formatted("(a|b)*c")).encode("ab".repeat(200_000), false))
                .isInstanceOf(LayercakeException.class);
        assertThatThrownBy(() -> Tokenizer.of(PLAIN.formatted("(".repeat(50_000))))
                .isInstanceOf(LayercakeException.class);
    }

    /** Expressions look at the progress once in a million steps, so the number of looks is that of the steps. */
    @Test
    void howLongTheTextIsDoesNotMatterToWhenAnExpressionIsStopped() {
        String trap = "a".repeat(40) + "b";
        for (String expression : List.of("a*a*a*a*a*a*a*a*a*a*c", "(a+)+\\\\1c")) {
            Tokenizer tokenizer = Tokenizer.of(PLAIN.formatted(expression));
            for (String text :
                    List.of(trap.repeat(3), "x".repeat(3_000_000) + trap.repeat(3), (trap + "x").repeat(50_000))) {
                int[] looks = {0};
                EncodeOptions counting = EncodeOptions.of(false).with((done, all) -> ++looks[0] > 0);
                assertThatThrownBy(() -> tokenizer.encode(text, counting))
                        .as("%s on %d characters", expression, text.length())
                        .isInstanceOf(LayercakeException.class)
                        .hasMessageContaining("backtracks without end");
                // Some hundreds of looks are those of three million characters that have been cut.
                assertThat(looks[0]).as(expression).isLessThan(400);
            }
        }
    }

    @Test
    void longRunsOfBlanksBeforeAWordAreNoTrapForUsualExpressions() {
        Tokenizer tokenizer = Tokenizer.of(PLAIN.formatted("\\\\s+$"));
        assertThat(tokenizer.encode((" ".repeat(100_000) + "a").repeat(3), false))
                .hasSize(3);
    }

    @Test
    void aTextThatGoesOnHasNoBlankBeforeIt() {
        for (String style : List.of("llama2", "gemma", "llama3", "gpt2")) {
            Tokenizer tokenizer = golden(style);
            String whole = "the cake and the cream";
            int[] expected = tokenizer.encode(whole, true);
            for (int cut : new int[] {3, 8, 12, 16}) {
                String before = whole.substring(0, cut);
                int[] first = tokenizer.encode(before, true);
                int[] rest = tokenizer.encode(
                        whole.substring(cut), EncodeOptions.of(false).after(before));
                int[] both = Arrays.copyOf(first, first.length + rest.length);
                System.arraycopy(rest, 0, both, first.length, rest.length);
                assertThat(both).as("%s cut at %d", style, cut).isEqualTo(expected);
            }
        }
    }

    @Test
    void markedNamesInOrdinaryTextAndACharacterLikeTheMark() {
        Tokenizer tokenizer = golden("gpt2");
        String text = "a" + Guard.MARK + "b";
        assertThat(tokenizer.decode(tokenizer.encode(text, false), false)).isEqualTo(text);
        assertThat(tokenizer.decode(tokenizer.encodeGuarded(text, false), false))
                .isEqualTo("ab");
    }

    private static Tokenizer golden(String style) {
        try (InputStream in =
                LongTextTest.class.getResourceAsStream("/golden/tokenizer/" + style + "/tokenizer.json")) {
            assertThat(in).isNotNull();
            return Tokenizer.of(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
