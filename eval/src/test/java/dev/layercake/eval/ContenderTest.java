package dev.layercake.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ContenderTest {
    private static final List<Budget> BUDGETS = List.of(Budget.parse("3.2%"), Budget.parse("64"));

    @Test
    void budgetsAreSharesOrNumbers() {
        assertThat(Budget.parse("3.2%").entries(1000)).isEqualTo(32);
        assertThat(Budget.parse(" 12.50 % ").label()).isEqualTo("12.5%");
        assertThat(Budget.parse("0.1%").entries(10)).isEqualTo(1);
        assertThat(Budget.parse("100%").entries(77)).isEqualTo(77);
        assertThat(Budget.parse("64").entries(1000)).isEqualTo(64);
        assertThat(Budget.OWN.entries(1000)).isZero();
        for (String wrong : List.of("", "0", "0%", "101%", "-3", "much", "3.2", "1e3")) {
            assertThatThrownBy(() -> Budget.parse(wrong))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("'" + wrong + "'");
        }
    }

    @Test
    void theGridHoldsEveryPolicyAtEveryBudgetAndOthersOnce() {
        assertThat(Contender.grid(List.of("full", "cake", "snapkv( budget = 99 )", "cake"), BUDGETS))
                .extracting(Contender::label)
                .containsExactly("full", "cake at 3.2%", "cake at 64", "snapkv(budget=99)");
        assertThatThrownBy(() -> Contender.grid(List.of("cak"), BUDGETS)).hasMessageContaining("did you mean cake");
    }

    @Test
    void aTinyBudgetIsNotAllWindow() {
        Contender cake = Contender.grid(List.of("cake"), BUDGETS).getFirst();
        assertThat(window(cake, 500)).isEqualTo(8);
        assertThat(window(cake, 10_000)).isEqualTo(32);
        assertThat(cake.at(500).allocator().budget()).isEqualTo(16);
        assertThat(cake.at(10_000).allocator().budget()).isEqualTo(320);
        Contender fixed =
                Contender.grid(List.of("cake(window=4,gamma=7)"), BUDGETS).getFirst();
        assertThat(window(fixed, 500)).isEqualTo(4);
        assertThat(fixed.at(500).spec()).contains("gamma=7", "budget=16", "window=4");
        Contender windowless = Contender.grid(List.of("knorm"), BUDGETS).getFirst();
        assertThat(window(windowless, 500)).isZero();
        Contender wide = Contender.grid(List.of("cake(window=20)"), BUDGETS).getFirst();
        assertThatThrownBy(() -> wide.at(500)).hasMessageContaining("window=20");
    }

    @Test
    void policiesWithoutBudgetOrWindowStayAsTheyAre() {
        List<Contender> grid = Contender.grid(List.of("full", "streaming(sinks=2)"), BUDGETS);
        assertThat(grid.getFirst().at(500).evicts()).isFalse();
        assertThat(grid.get(1).at(500).spec()).isEqualTo("streaming(budget=16,sinks=2)");
    }

    private static int window(Contender contender, int promptTokens) {
        KvPolicy policy = contender.at(promptTokens);
        return policy.scorer().window();
    }
}
