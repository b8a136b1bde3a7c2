package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import org.junit.jupiter.api.Test;

final class HaystackTest {
    @Test
    void theSameSeedTellsTheSameStory() {
        assertThat(generate(3, 500, 4, .5)).isEqualTo(generate(3, 500, 4, .5));
        assertThat(generate(3, 500, 4, .5)).isNotEqualTo(generate(4, 500, 4, .5));
    }

    @Test
    void factsStandInTheTextOnceAndTheNeedleAtItsDepth() {
        for (int seed = 0; seed < 50; seed++) {
            Haystack haystack = generate(seed, 600, 6, seed / 49.);
            assertThat(haystack.facts()).hasSize(6).doesNotHaveDuplicates();
            for (Haystack.Fact fact : haystack.facts()) {
                assertThat(haystack.text().split(java.util.regex.Pattern.quote(fact.sentence()), -1))
                        .hasSize(2);
                assertThat(fact.sentence()).contains(fact.answer());
            }
            double place = (double) haystack.text().indexOf(haystack.needle().sentence())
                    / haystack.text().length();
            assertThat(place).isBetween(seed / 49. - .12, seed / 49. + .12);
            assertThat(haystack.needle().sentence())
                    .matches(" The (code|number|badge|pin) of [A-Z][a-z]+ is \\d{4}\\.");
            assertThat(haystack.needle().question()).matches(" What is the (code|number|badge|pin) of [A-Z][a-z]+\\?");
        }
    }

    @Test
    void theLengthIsMetAndNotExceeded() {
        for (int seed = 0; seed < 50; seed++) {
            int words = words(generate(seed, 300, 2, .5).prompt());
            assertThat(words).isBetween(290, 300);
        }
    }

    @Test
    void fillerIsPlainEnglishWithoutNumbersOrHoles() {
        Chronicle chronicle = new Chronicle(5);
        for (int index = 0; index < 2000; index++) {
            assertThat(chronicle.sentence())
                    .matches(" [\"A-Z][A-Za-z ,.?\"'-]+[.\"?]")
                    .doesNotContainPattern("(?i)\\ba [aeiou]")
                    .doesNotContain("  ");
        }
    }

    @Test
    void aTextTooShortForItsFactsIsRefused() {
        assertThatThrownBy(() -> generate(1, 10, 3, .5))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("no room for 3 facts");
    }

    @Test
    void anAnswerIsRightOrWrong() {
        Haystack.Fact fact = new Haystack.Fact(" The code of A is 4821.", " What is the code of A?", " 4821");
        assertThat(fact.answeredBy(" 4821 ")).isTrue();
        assertThat(fact.answeredBy("48210")).isFalse();
    }

    private static Haystack generate(long seed, int tokens, int facts, double depth) {
        return Haystack.generate(seed, tokens, facts, depth, HaystackTest::words);
    }

    private static int words(String text) {
        return text.strip().split(" ").length;
    }
}
