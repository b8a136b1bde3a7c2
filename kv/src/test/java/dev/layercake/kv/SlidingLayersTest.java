package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kv.policy.KvPolicy;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

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
