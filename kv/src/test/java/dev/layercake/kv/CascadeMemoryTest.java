package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The promise of the cascade, from the pool's own accounting during real prefills. */
class CascadeMemoryTest {
    @Test
    void budgetPlusOneLayerBoundsTheMemory() {
        Random random = new Random(21);
        for (int run = 0; run < 120; run++) {
            int window = 1 + random.nextInt(6);
            int budget = window + random.nextInt(20);
            int layers = 1 + random.nextInt(14);
            int prompt = 1 + random.nextInt(90);
            int steps = random.nextInt(8);
            KvLayout layout = new KvLayout(layers, 1 + random.nextInt(2), 8, DType.F32, DType.F32);
            KvPolicy policy = Policies.parse("cake(budget=" + budget + ",window=" + window + ")");
            KvPlan plan = KvPlan.of(layout, 8, policy, prompt, steps);
            long heads = layout.kvHeads();
            String what = "run " + run + ": " + layers + " layers, " + policy + ", prompt " + prompt;
            try (ToySequence sequence = ToySequence.planned(layout, 2, policy, prompt, steps, run)) {
                sequence.prompt(prompt);
                assertThat(sequence.pool.peakEntries())
                        .as(what)
                        .isLessThanOrEqualTo(heads * ((long) layers * budget + prompt))
                        .isLessThanOrEqualTo(plan.peakEntries());
                assertThat(sequence.pool.entriesInUse()).as(what).isEqualTo(heads * layers * Math.min(budget, prompt));
                sequence.steps(steps);
                assertThat(sequence.pool.entriesInUse())
                        .as(what)
                        .isEqualTo(heads * layers * Math.min(budget, prompt + steps));
                assertThat(sequence.pool.peakEntries()).as(what).isLessThanOrEqualTo(plan.peakEntries());
                assertThat(sequence.pool.peakBytes()).as(what).isLessThanOrEqualTo(plan.peakBytes());
            }
        }
    }

    @Test
    void laterTurnsStayInTheSameBound() {
        Random random = new Random(22);
        for (int run = 0; run < 60; run++) {
            int window = 1 + random.nextInt(6);
            int budget = window + random.nextInt(20);
            int layers = 1 + random.nextInt(10);
            KvLayout layout = new KvLayout(layers, 2, 8, DType.F32, DType.F32);
            KvPolicy policy = Policies.parse("cake(budget=" + budget + ",window=" + window + ")");
            try (ToySequence sequence =
                    new ToySequence(layout, 1, policy, KvPool.pageBytes(layout, 4) * 2000, 4, run)) {
                for (int turn = 0; turn < 4; turn++) {
                    int prompt = 1 + random.nextInt(40);
                    sequence.pool.resetPeaks();
                    sequence.prompt(prompt);
                    assertThat(sequence.pool.peakEntries())
                            .as("run " + run + ", turn " + turn)
                            .isLessThanOrEqualTo(2L * ((long) layers * budget + prompt));
                    assertThat(sequence.pool.entriesInUse())
                            .as("run " + run + ", turn " + turn)
                            .isEqualTo(2L * layers * Math.min(budget, sequence.cache.tokensSeen()));
                    sequence.steps(random.nextInt(3));
                }
            }
        }
    }

    /** Counts of a pyramid may add up to more than the budget, and a layer that holds less grows to its own while decoding. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "pyramidkv(budget=%d,window=%d)",
                "pyramidkv(budget=%d,window=%d,rounding=official)",
                "pyramidkv(budget=%d,window=%d,rounding=adakv)",
                "pyramidkv(budget=%d,window=%d,rounding=kvpress)",
                "pyramidkv(budget=%d,window=%d,rounding=official)+ada",
                "pyramidkv(budget=%d,window=%d,rounding=kvpress)+ada(rounding=official)",
                "snapkv(budget=%d,window=%d)",
                "snapkv(budget=%d,window=%d)+ada",
                "cake(budget=%d,window=%d)",
                "cake(budget=%d,window=%d,allocation=official)"
            })
    void everyTurnStaysInItsPlan(String spec) {
        Random random = new Random(24);
        for (int run = 0; run < 40; run++) {
            int window = 1 + random.nextInt(6);
            int budget = window + 1 + random.nextInt(30);
            KvLayout layout = new KvLayout(1 + random.nextInt(8), 2, 8, DType.F32, DType.F32);
            String every = "+every(steps=" + (1 + random.nextInt(12))
                    + (random.nextInt(3) == 0 ? ",ratio=0." + (1 + random.nextInt(8)) : "") + ")";
            KvPolicy policy = Policies.parse(String.format(Locale.ROOT, spec, budget, window) + every);
            try (ToySequence sequence =
                    new ToySequence(layout, 2, policy, KvPool.pageBytes(layout, 4) * 4000, 4, run)) {
                for (int turn = 0; turn < 4; turn++) {
                    int prompt = 1 + random.nextInt(turn == 0 ? 120 : 30);
                    int steps = random.nextInt(60);
                    KvPlan plan = sequence.cache.plan(prompt, steps);
                    sequence.pool.resetPeaks();
                    sequence.prompt(prompt);
                    sequence.steps(steps);
                    String what = "run " + run + ", turn " + turn + ": " + policy + ", " + layout.layers() + " layers, "
                            + prompt + " and " + steps + " tokens";
                    assertThat(sequence.pool.peakEntries()).as(what).isLessThanOrEqualTo(plan.peakEntries());
                    assertThat(sequence.pool.peakBytes()).as(what).isLessThanOrEqualTo(plan.peakBytes());
                }
            }
        }
    }

    @Test
    void cascadeKeepsTheEntriesOfOneShot() {
        Random random = new Random(23);
        for (int run = 0; run < 60; run++) {
            int window = 1 + random.nextInt(6);
            int budget = window + random.nextInt(20);
            int prompt = 1 + random.nextInt(90);
            KvLayout layout = new KvLayout(1 + random.nextInt(12), 2, 8, DType.F32, DType.F32);
            String spec = "cake(budget=" + budget + ",window=" + window + ",cascading=";
            try (ToySequence cascade = ToySequence.planned(layout, 2, Policies.parse(spec + "true)"), prompt, 0, run);
                    ToySequence oneShot =
                            ToySequence.planned(layout, 2, Policies.parse(spec + "false)"), prompt, 0, run)) {
                cascade.prompt(prompt);
                oneShot.prompt(prompt);
                for (int layer = 0; layer < layout.layers(); layer++) {
                    for (int head = 0; head < 2; head++) {
                        assertThat(cascade.cache.positions(layer, head))
                                .as("run " + run + ", layer " + layer)
                                .containsExactly(oneShot.cache.positions(layer, head));
                    }
                }
                assertThat(cascade.pool.peakEntries()).isLessThanOrEqualTo(oneShot.pool.peakEntries());
            }
        }
    }
}
