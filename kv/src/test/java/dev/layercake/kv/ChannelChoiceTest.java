package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ThinK: which channels stay, by the definition in double precision, and what that saves. */
class ChannelChoiceTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.F32, DType.F32);
    private static final int GROUP = 2;

    @ParameterizedTest
    @ValueSource(doubles = {0.25, 0.5, 0.7})
    void channelsOfLargeQueriesAndKeysStay(double ratio) {
        KvPolicy policy = Policies.parse("think(ratio=" + ratio + ",window=5,residual=8,group=4)");
        try (ToySequence sequence = ToySequence.planned(LAYOUT, GROUP, policy, 60, 30, 21);
                Arena arena = Arena.ofConfined()) {
            sequence.prompt(60);
            int[][] chosen = new int[LAYOUT.layers() * LAYOUT.kvHeads()][];
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                Tensor keys = sequence.keys(layer, 0, 60, arena);
                Tensor queries = sequence.queries(layer, 55, 5, arena);
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    int kept = 32 - (int) (32 * ratio);
                    int[] channels =
                            sequence.cache.layer(layer).head(head).lowRows().channels();
                    assertThat(channels).containsExactly(best(keys, queries, head, kept));
                    chosen[layer * LAYOUT.kvHeads() + head] = channels;
                }
            }
            sequence.steps(30);
            sequence.checkRows();
            for (int head = 0; head < chosen.length; head++) {
                HeadEntries entries = sequence.cache.layer(head / 2).head(head % 2);
                assertThat(entries.lowRows().channels())
                        .as("later tokens change nothing")
                        .isEqualTo(chosen[head]);
                assertThat(entries.length()).isBetween(8, 11);
                assertThat(entries.length() + entries.lowLength()).isEqualTo(90);
            }
        }
    }

    private static int[] best(Tensor keys, Tensor queries, int head, int kept) {
        double[] scores = new double[32];
        for (int channel = 0; channel < 32; channel++) {
            double keySquares = 0;
            for (int token = 0; token < keys.rows(); token++) {
                keySquares += Math.pow(keys.get(token, head * 32L + channel), 2);
            }
            double querySquares = 0;
            for (int token = 0; token < queries.rows(); token++) {
                for (int member = head * GROUP; member < (head + 1) * GROUP; member++) {
                    querySquares += Math.pow(queries.get(token, member * 32L + channel), 2);
                }
            }
            scores[channel] = keySquares * querySquares;
        }
        List<Integer> ranked = IntStream.range(0, 32)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer channel) -> -scores[channel]))
                .toList();
        return ranked.subList(0, kept).stream()
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
    }

    /** Half of the keys' channels are a quarter of the entries' bytes. */
    @Test
    void itSavesItsShareOfTheMemory() {
        KvLayout layout = new KvLayout(2, 2, 64, DType.BF16, DType.BF16);
        KvPolicy policy = Policies.parse("think(ratio=0.5,residual=0,group=1)");
        KvPlan full = KvPlan.of(layout, 64, Policies.parse("full"), 4800, 0);
        KvPlan plan = KvPlan.of(layout, 64, policy, 4800, 0);
        try (ToySequence sequence = new ToySequence(layout, 1, policy, plan.peakBytes(), 64, 2)) {
            sequence.prompt(4800);
            double share = (double) sequence.pool.bytesInUse() / full.keptBytes();
            assertThat(share).isBetween(0.74, 0.77);
            assertThat(sequence.pool.bytesInUse()).isLessThanOrEqualTo(plan.keptBytes());
        }
    }

    /** Without a prompt nobody has shown a query, so the keys alone decide. */
    @Test
    void aTextWithoutAPromptChoosesToo() {
        try (ToySequence sequence =
                ToySequence.planned(LAYOUT, GROUP, Policies.parse("think(residual=4,group=2)"), 0, 20, 3)) {
            sequence.steps(20);
            assertThat(sequence.cache.layer(2).head(1).lowLength()).isEqualTo(16);
            sequence.checkRows();
        }
    }

    @Test
    void blocksOfKeysCannotBeCutAnywhere() {
        KvLayout layout = new KvLayout(2, 2, 64, DType.Q8_0, DType.Q8_0);
        assertThatThrownBy(() -> KvPlan.of(layout, Policies.parse("think(ratio=0.4)"), 10, 10))
                .hasMessageContaining("39 of 64 channels")
                .hasMessageContaining("blocks of 32");
        assertThat(KvPlan.of(layout, Policies.parse("think"), 10, 10).peakBytes())
                .isPositive();
        assertThatThrownBy(() -> KvPlan.of(LAYOUT, Policies.parse("think(ratio=0)"), 10, 10))
                .hasMessageContaining("would not save memory");
    }
}
