package dev.layercake.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.engine.KvUsage;
import dev.layercake.kv.Slice;
import java.util.List;
import org.junit.jupiter.api.Test;

final class BarsTest {
    @Test
    void barsFillByEighths() {
        assertThat(Bars.bar(1, 4, true)).isEqualTo("████");
        assertThat(Bars.bar(.5, 4, true)).isEqualTo("██");
        assertThat(Bars.bar(.53125, 4, true)).isEqualTo("██▏");
        assertThat(Bars.bar(0, 4, true)).isEmpty();
    }

    @Test
    void aLittleIsMoreThanNothing() {
        assertThat(Bars.bar(.0001, 4, true)).isEqualTo("▏");
        assertThat(Bars.bar(.0001, 4, false)).isEqualTo("#");
    }

    @Test
    void barsStayInTheirWidth() {
        assertThat(Bars.bar(7, 4, true)).hasSize(4);
        assertThat(Bars.bar(-1, 4, true)).isEmpty();
        assertThat(Bars.bar(.999, 4, true).length()).isLessThanOrEqualTo(4);
        assertThat(Bars.bar(.5, 8, false)).isEqualTo("####");
    }

    @Test
    void theCakeHasALinePerLayer() {
        KvUsage kv = new KvUsage(
                "cake(budget=8)",
                100,
                1024,
                2048,
                4096,
                List.of(
                        new Slice(0, List.of(1000, 1000), List.of(0, 0), 1000, 0, 0, 1),
                        new Slice(1, List.of(250, 250), List.of(0, 0), 250, 0, 0, 1),
                        new Slice(2, List.of(0, 1), List.of(0, 0), 1, 0, 0, 1)));
        assertThat(Bars.cake(kv, 1000, 8, true)).containsExactly("████████ 1,000", "██         250", "▏            1");
        assertThat(Bars.largest(kv)).isEqualTo(1000);
        assertThat(SummaryText.memory(kv))
                .isEqualTo("1.00 KiB now (25 %), 2.00 KiB at its peak; full would take 4.00 KiB");
        assertThat(SummaryText.cake(kv, false)).hasSize(4).allMatch(line -> line.length() < 100);
        assertThat(SummaryText.cake(kv, false).get(1)).startsWith("  layer 0  ####");
    }

    @Test
    void progressFitsTheTerminal() {
        for (int columns : new int[] {20, 40, 80, 200}) {
            assertThat(ProgressBar.line("reading 1,000 tokens", 1, 3, 1_000_000_000L, columns, true)
                            .length())
                    .isLessThan(columns);
        }
        assertThat(ProgressBar.line("reads", 1, 4, 30_000_000_000L, 80, false))
                .isEqualTo("reads " + "#".repeat(10) + " ".repeat(30) + "  25 %  2 min left");
        assertThat(ProgressBar.line("reads", 0, 0, 0, 80, false)).contains("100 %");
    }
}
