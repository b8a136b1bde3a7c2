package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Lookback;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for every policy in a model some of whose layers have a sliding window, or all. */
class SlidingLayersTest {
    private static final KvLayout MIXED = layout(0, 12, 7, 0, 40);
    private static final KvLayout SLIDING = layout(12, 12, 12, 12, 12);

    private static KvLayout layout(Integer... windows) {
        return new KvLayout(windows.length, 2, 32, DType.BF16, DType.BF16, List.of(windows));
    }

    static Stream<String> specs() {
        return PolicyContractTest.specs();
    }

    /** No entry is held that no later token sees, in no turn and step, and no more than was planned. */
    @ParameterizedTest
    @MethodSource("specs")
    void nothingOutOfSightIsHeld(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, MIXED);
        Random random = new Random(3);
        for (int run = 0; run < 2; run++) {
            try (ToySequence sequence =
                    new ToySequence(MIXED, 2, policy, KvPool.pageBytes(MIXED, 8) * 1000, 8, 200 + run)) {
                for (int turn = 0; turn < 4; turn++) {
                    int prompt = 1 + random.nextInt(turn == 0 ? 70 : 25);
                    int steps = random.nextInt(20);
                    KvPlan plan = sequence.cache.plan(prompt, steps);
                    assertThat(plan.keptEntries()).isLessThanOrEqualTo(plan.peakEntries());
                    assertThat(plan.keptEntries()).isLessThanOrEqualTo(plan.fullEntries());
                    assertThat(plan.keptBytes()).isLessThanOrEqualTo(plan.peakBytes());
                    sequence.pool.resetPeaks();
                    sequence.prompt(prompt);
                    sequence.checkRows();
                    String what = "run " + run + ", turn " + turn + " of " + prompt + " and " + steps;
                    assertThat(sequence.pool.entriesInUse()).as(what).isLessThanOrEqualTo(plan.keptEntries());
                    assertThat(sequence.pool.bytesInUse()).as(what).isLessThanOrEqualTo(plan.keptBytes());
                    for (int step = 0; step < steps; step++) {
                        sequence.steps(1);
                        if (step % 5 == 0) {
                            sequence.checkRows();
                        }
                    }
                    assertThat(sequence.pool.peakEntries()).as(what).isLessThanOrEqualTo(plan.peakEntries());
                    assertThat(sequence.pool.peakBytes()).as(what).isLessThanOrEqualTo(plan.peakBytes());
                }
            }
        }
    }

    /** Where all layers slide, a budget of the window keeps what they can see. */
    @ParameterizedTest
    @MethodSource("specs")
    void aBudgetOfTheWindowKeepsEverythingInSight(String spec) {
        if (!spec.contains("budget=16") || spec.contains("ratio=")) {
            return;
        }
        KvPolicy policy = ToyProfiles.policy(spec, SLIDING);
        try (ToySequence sequence = ToySequence.planned(SLIDING, 2, policy, 50, 30, 5)) {
            sequence.prompt(50);
            checkAll(sequence);
            sequence.steps(30);
            checkAll(sequence);
        }
    }

    /** What is forked goes on as the original does, under every policy, in layers with and without windows. */
    @ParameterizedTest
    @MethodSource("specs")
    void aForkGoesOnAsItsOriginal(String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, MIXED);
        try (ToySequence sequence = new ToySequence(MIXED, 2, policy, KvPool.pageBytes(MIXED, 8) * 2000, 8, 9)) {
            sequence.cache.lease().reserve(KvPool.pageBytes(MIXED, 8) * 900);
            sequence.prompt(45);
            sequence.steps(9);
            try (KvCache fork = sequence.cache.fork()) {
                fork.lease().reserve(KvPool.pageBytes(MIXED, 8) * 900);
                ToySequence other = sequence.of(fork);
                for (ToySequence one : List.of(sequence, other)) {
                    one.steps(4);
                    one.prompt(19);
                    one.steps(5);
                }
                for (int layer = 0; layer < MIXED.layers(); layer++) {
                    for (int head = 0; head < MIXED.kvHeads(); head++) {
                        checkSame(sequence.cache.rows(layer)[head], fork.rows(layer)[head]);
                        assertThat(fork.positions(layer, head)).containsExactly(sequence.cache.positions(layer, head));
                    }
                }
                assertThat(fork.rotations(1)).isEqualTo(sequence.cache.rotations(1));
            }
        }
    }

    /** Methods that look at keys alone keep the first tokens where sliding layers leave them to others, and nowhere else. */
    @ParameterizedTest
    @ValueSource(strings = {"knorm(budget=16)", "keydiff(budget=16)", "knorm(budget=16)+every(steps=4)"})
    void globalLayersBesideSlidingOnesKeepTheFirstTokens(String spec) {
        for (boolean mixed : new boolean[] {true, false}) {
            KvLayout layout = mixed ? MIXED : layout(0, 0, 0, 0, 0);
            String none = spec.replaceFirst("\\(", "(sinks=0,");
            String[] specs = {spec, none, spec.replaceFirst("\\(", "(sinks=4,")};
            int[][][] kept = new int[specs.length][][];
            for (int i = 0; i < specs.length; i++) {
                kept[i] = kept(layout, specs[i]);
            }
            for (int layer = 0; layer < layout.layers(); layer++) {
                boolean global = mixed && layout.lookback().of(layer) == Lookback.UNLIMITED;
                assertThat(kept[0][layer]).as(spec + ", layer " + layer).containsExactly(kept[global ? 2 : 1][layer]);
                if (global) {
                    assertThat(kept[0][layer]).contains(0, 1, 2, 3);
                }
            }
            assertThat(kept[1][0]).doesNotContain(0, 1, 2, 3);
        }
    }

    private static int[][] kept(KvLayout layout, String spec) {
        KvPolicy policy = ToyProfiles.policy(spec, layout);
        try (ToySequence sequence = ToySequence.planned(layout, 2, policy, 120, 9, 5)) {
            sequence.prompt(120);
            sequence.steps(9);
            int[][] kept = new int[layout.layers()][];
            Arrays.setAll(
                    kept,
                    layer -> Arrays.stream(sequence.cache.positions(layer, 0))
                            .sorted()
                            .toArray());
            return kept;
        }
    }

    private static void checkSame(KvRows one, KvRows other) {
        assertThat(other.length()).isEqualTo(one.length());
        for (int slot = 0; slot < one.length(); slot++) {
            assertThat(other.position(slot)).isEqualTo(one.position(slot));
            assertThat(Rows.bytes(other.keyAddress(slot), other.keyRowBytes()))
                    .isEqualTo(Rows.bytes(one.keyAddress(slot), one.keyRowBytes()));
            assertThat(Rows.bytes(other.valueAddress(slot), other.valueRowBytes()))
                    .isEqualTo(Rows.bytes(one.valueAddress(slot), one.valueRowBytes()));
        }
        if (one.lower() != null && other.lower() != null) {
            checkSame(one.lower(), other.lower());
        }
    }

    private static void checkAll(ToySequence sequence) {
        int seen = sequence.cache.tokensSeen();
        for (int layer = 0; layer < sequence.layout.layers(); layer++) {
            for (int head = 0; head < sequence.layout.kvHeads(); head++) {
                int[] all = Arrays.copyOf(sequence.held(layer, head), sequence.held(layer, head).length);
                if (sequence.cache.rows(layer)[head].lower() != null) {
                    continue;
                }
                assertThat(all)
                        .as("layer " + layer)
                        .containsExactly(
                                IntStream.range(sequence.oldest(layer), seen).toArray());
            }
        }
    }
}
