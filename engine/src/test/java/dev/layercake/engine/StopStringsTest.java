package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class StopStringsTest {
    @Test
    void withoutStopStringsTextPassesAtOnce() {
        StopStrings stops = new StopStrings(List.of());
        assertThat(stops.push("abc")).isEqualTo("abc");
        assertThat(stops.flush()).isEmpty();
        assertThat(stops.found()).isFalse();
    }

    @Test
    void aStopStringMaySpanPieces() {
        StopStrings stops = new StopStrings(List.of("END"));
        assertThat(stops.push("so be it E")).isEqualTo("so be it ");
        assertThat(stops.push("N")).isEmpty();
        assertThat(stops.found()).isFalse();
        assertThat(stops.push("D and more")).isEmpty();
        assertThat(stops.found()).isTrue();
        assertThat(stops.flush()).isEmpty();
    }

    @Test
    void whatTurnsOutToBeNoStopStringIsShown() {
        StopStrings stops = new StopStrings(List.of("END"));
        assertThat(stops.push("EN")).isEmpty();
        assertThat(stops.push("EN")).isEqualTo("EN");
        assertThat(stops.push("d")).isEqualTo("ENd");
    }

    @Test
    void theEarliestOfSeveralWins() {
        StopStrings stops = new StopStrings(List.of("beta", "alpha"));
        assertThat(stops.push("x alpha beta")).isEqualTo("x ");
    }

    @Test
    void whatWasHeldBackComesAtTheEnd() {
        StopStrings stops = new StopStrings(List.of("\n\n"));
        assertThat(stops.push("line\n")).isEqualTo("line");
        assertThat(stops.flush()).isEqualTo("\n");
    }

    @Test
    void anyCuttingShowsTheSameText() {
        SplittableRandom random = new SplittableRandom(11);
        for (int round = 0; round < 2000; round++) {
            StringBuilder whole = new StringBuilder();
            for (int index = 0; index < 30; index++) {
                whole.append((char) ('a' + random.nextInt(3)));
            }
            List<String> texts = List.of("abca", "ccb", "bb");
            int end = texts.stream()
                    .mapToInt(whole::indexOf)
                    .filter(at -> at >= 0)
                    .min()
                    .orElse(whole.length());
            StopStrings stops = new StopStrings(texts);
            StringBuilder shown = new StringBuilder();
            int at = 0;
            while (at < whole.length()) {
                int next = Math.min(whole.length(), at + 1 + random.nextInt(4));
                shown.append(stops.push(whole.substring(at, next)));
                at = next;
            }
            shown.append(stops.flush());
            assertThat(whole.substring(0, end)).isEqualTo(shown.toString());
            assertThat(stops.found()).isEqualTo(end < whole.length());
        }
    }
}
