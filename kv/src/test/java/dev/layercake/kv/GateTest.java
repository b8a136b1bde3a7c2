package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What gates reject is hidden while its layer runs, and gone afterwards. */
final class GateTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.BF16, DType.Q8_0);

    private static int[] passed(
            ToySequence sequence, int layer, int head, int first, int count, int sinks, int recent) {
        boolean[] kept = sequence.gates(layer, first, count)[head];
        return IntStream.range(first, first + count)
                .filter(position -> kept[position - first] || position < sinks || position >= first + count - recent)
                .toArray();
    }

    @Test
    void onlyWhatPassesIsKept() {
        KvPolicy policy = Policies.parse("gate(weights=w)");
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 70, 30, 2)) {
            sequence.prompt(70);
            long entries = 0;
            for (int layer = 0; layer < 3; layer++) {
                for (int head = 0; head < 2; head++) {
                    int[] passed = passed(sequence, layer, head, 0, 70, 0, 0);
                    assertThat(passed.length).isBetween(15, 55);
                    assertThat(sequence.held(layer, head)).containsExactly(passed);
                    entries += passed.length;
                }
            }
            assertThat(sequence.pool.entriesInUse()).isEqualTo(entries);
            sequence.steps(20);
            sequence.checkRows();
            assertThat(sequence.held(1, 1)).endsWith(IntStream.range(70, 90).toArray());
            assertThat(sequence.pool.entriesInUse()).isEqualTo(entries + 20 * 6);
        }
    }

    @Test
    void protectedTokensPassInEveryTurn() {
        KvPolicy policy = Policies.parse("gate(weights=w,sinks=5,recent=4)");
        try (ToySequence sequence = new ToySequence(LAYOUT, 2, policy, KvPool.pageBytes(LAYOUT, 8) * 400, 8, 3)) {
            sequence.prompt(3);
            assertThat(sequence.held(0, 0)).containsExactly(0, 1, 2);
            sequence.prompt(40);
            for (int layer = 0; layer < 3; layer++) {
                int[] passed = passed(sequence, layer, 1, 3, 40, 5, 4);
                assertThat(sequence.held(layer, 1))
                        .containsExactly(IntStream.concat(IntStream.range(0, 3), IntStream.of(passed))
                                .toArray());
            }
            sequence.checkRows();
            sequence.cache.clear();
            sequence.prompt(12);
            assertThat(sequence.held(2, 0)).contains(0, 1, 2, 3, 4, 8, 9, 10, 11);
        }
    }

    @Test
    void rejectedEntriesAreHiddenWhileTheLayerRuns() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse("gate(weights=w)"), 20, 0, 4);
                KvPrefill prefill = sequence.cache.beginPrefill(20, sequence.kernels, sequence.workers)) {
            KvRows[] rows = prefill.beginLayer(0);
            boolean[][] gates = sequence.gates(0, 0, 20);
            prefill.gate(gates);
            for (int token = 0; token < 20; token++) {
                assertThat(rows[1].hidden(token)).isEqualTo(!gates[1][token]);
            }
            prefill.close();
            assertThat(rows[1].hidden(0)).isFalse();
            assertThat(sequence.pool.entriesInUse()).isZero();
        }
    }

    @Test
    void onlyPoliciesWithGatesAreGated() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse("full"), 20, 0, 4);
                KvPrefill prefill = sequence.cache.beginPrefill(20, sequence.kernels, sequence.workers)) {
            prefill.beginLayer(0);
            assertThat(prefill.gated()).isFalse();
            assertThatThrownBy(() -> prefill.gate(new boolean[2][20])).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
