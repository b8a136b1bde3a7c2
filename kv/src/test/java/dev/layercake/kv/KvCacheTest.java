package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.BudgetAllocator;
import dev.layercake.kv.policy.EntryOrder;
import dev.layercake.kv.policy.HeadAllocator;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.kv.policy.Retention;
import dev.layercake.kv.policy.Schedule;
import java.lang.foreign.Arena;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a cache does besides obeying its policy: order of calls, giving up, memory, heads of different lengths. */
class KvCacheTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.F32, DType.F32);
    private static final KvPolicy CAKE = Policies.parse("cake(budget=12,window=4)");

    @Test
    void fullCacheTakesWhatItWasPlannedToTake() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.full(), 30, 10, 1)) {
            KvPlan plan = KvPlan.of(LAYOUT, 8, Policies.full(), 30, 10);
            assertThat(plan.peakBytes()).isEqualTo(plan.fullBytes());
            assertThat(plan.fullEntries()).isEqualTo(3 * 2 * 40);
            sequence.prompt(30);
            assertThat(sequence.pool.entriesInUse()).isEqualTo(plan.keptEntries());
            assertThat(sequence.pool.bytesInUse()).isEqualTo(plan.keptBytes());
            sequence.steps(10);
            assertThat(sequence.pool.bytesInUse()).isEqualTo(plan.fullBytes());
            assertThatThrownBy(() -> sequence.steps(1))
                    .isInstanceOfSatisfying(
                            LayercakeException.class,
                            failure -> assertThat(failure.category())
                                    .isEqualTo(LayercakeException.Category.OVER_CAPACITY));
            assertThat(sequence.cache.tokensSeen())
                    .as("a step that fails empties the sequence")
                    .isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"full", "streaming(budget=12,positions=slot)", "cake(budget=12,window=4)", "specache(slow=ram)"})
    void anAnswerWithoutEndIsPlannedToo(String spec) {
        KvPolicy policy = Policies.parse(spec);
        KvPlan plan = KvPlan.of(LAYOUT, policy, 30, Integer.MAX_VALUE);
        assertThat(plan.fullEntries()).isEqualTo(3 * 2 * (30L + Integer.MAX_VALUE));
        long little = KvPlan.of(LAYOUT, policy, 30, 1000).peakBytes();
        if (policy.schedule().eachStep()) {
            assertThat(plan.peakBytes()).isEqualTo(little);
        } else {
            assertThat(plan.peakBytes()).isGreaterThan(little);
        }
    }

    @Test
    void aPrefillThatIsGivenUpEmptiesTheSequence() {
        try (ToySequence sequence = new ToySequence(LAYOUT, 2, CAKE, 1 << 20, 8, 2)) {
            sequence.prompt(40);
            try (Arena arena = Arena.ofConfined();
                    KvPrefill prefill = sequence.cache.beginPrefill(20, sequence.kernels, sequence.workers)) {
                sequence.layer(prefill, 0, 20, arena);
                prefill.beginLayer(1);
            }
            assertThat(sequence.cache.tokensSeen()).isZero();
            assertThat(sequence.pool.bytesInUse()).isZero();
            assertThat(sequence.pool.entriesInUse()).isZero();
            sequence.prompt(25);
            sequence.steps(3);
            sequence.checkRows();
        }
    }

    @Test
    void clearForgetsEverything() {
        try (ToySequence used = new ToySequence(LAYOUT, 2, CAKE, 1 << 20, 8, 3);
                ToySequence fresh = new ToySequence(LAYOUT, 2, CAKE, 1 << 20, 8, 3)) {
            used.prompt(35);
            used.steps(4);
            used.cache.clear();
            assertThat(used.pool.bytesInUse()).isZero();
            used.prompt(28);
            fresh.prompt(28);
            assertThat(used.cache.slices()).isEqualTo(fresh.cache.slices());
            for (int layer = 0; layer < 3; layer++) {
                assertThat(used.cache.positions(layer, 1)).containsExactly(fresh.cache.positions(layer, 1));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"full", "cake(budget=12,window=4)", "h2o(budget=12)", "snapkv(budget=12,window=4)+ada", "mikv"})
    void aForkHoldsTheSameOnPagesOfItsOwn(String spec) {
        try (ToySequence sequence = new ToySequence(LAYOUT, 2, Policies.parse(spec), 1 << 20, 8, 3)) {
            sequence.prompt(35);
            sequence.steps(2);
            KvCache cache = sequence.cache;
            long before = sequence.pool.bytesInUse();
            cache.lease().reserve(0);
            try (KvCache fork = cache.fork()) {
                assertThat(fork.tokensSeen()).isEqualTo(37);
                assertThat(fork.slices()).isEqualTo(cache.slices());
                assertThat(fork.lease().bytesInUse()).isEqualTo(before);
                assertThat(fork.lease().entriesInUse()).isEqualTo(cache.lease().entriesInUse());
                float[] expected = new float[LAYOUT.headDim()];
                float[] actual = new float[LAYOUT.headDim()];
                for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                    assertThat(fork.positions(layer, 1)).containsExactly(cache.positions(layer, 1));
                    KvRows own = fork.rows(layer)[1];
                    assertThat(own.page(0)).isNotEqualTo(cache.rows(layer)[1].page(0));
                    for (int slot = 0; slot < own.length(); slot++) {
                        own.readValue(slot, actual);
                        cache.rows(layer)[1].readValue(slot, expected);
                        assertThat(actual).containsExactly(expected);
                    }
                }
                cache.lease().reserve(sequence.pool.capacityBytes() - before);
                sequence.steps(5);
                assertThat(fork.tokensSeen()).isEqualTo(37);
            }
            sequence.checkRows();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"cake(budget=12,window=4)", "snapkv(budget=12,window=4)+rerotate"})
    void whatIsKnownOfALongPromptDoesNotStayInTheHeap(String spec) {
        try (ToySequence sequence = new ToySequence(LAYOUT, 2, Policies.parse(spec), 4 << 20, 8, 3)) {
            sequence.prompt(2000);
            sequence.steps(3);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (KvRows head : sequence.cache.rows(layer)) {
                    assertThat(head.positions().length).isBetween(head.length(), 2 * head.length() + 16);
                }
            }
            sequence.checkRows();
            sequence.cache.clear();
            assertThat(sequence.cache.rows(0)[0].positions().length).isLessThanOrEqualTo(16);
        }
    }

    @Test
    void evictingTokenByTokenKeepsTheArrays() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, CAKE, 40, 30, 3)) {
            sequence.prompt(40);
            sequence.steps(10);
            int[] before = sequence.cache.rows(1)[0].positions();
            sequence.steps(20);
            assertThat(sequence.cache.rows(1)[0].positions()).isSameAs(before);
        }
    }

    @Test
    void slicesTellTheLayersShares() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, CAKE, 50, 3, 4)) {
            sequence.prompt(50);
            long total = 0;
            for (Slice slice : sequence.cache.slices()) {
                assertThat(slice.dispersion()).isPositive();
                assertThat(slice.shift()).isPositive();
                assertThat((double) slice.preference())
                        .isCloseTo(
                                slice.dispersion() * slice.shift(),
                                org.assertj.core.data.Percentage.withPercentage(0.01));
                assertThat(slice.entries()).hasSize(2).containsOnly(slice.limit());
                total += slice.total();
            }
            assertThat(total).isEqualTo(3 * 2 * 12);
        }
    }

    @Test
    void callsOutOfOrderAreRefused() {
        try (Arena arena = Arena.ofConfined();
                ToySequence sequence = new ToySequence(LAYOUT, 2, CAKE, 1 << 20, 8, 5)) {
            KvPrefill prefill = sequence.cache.beginPrefill(10, sequence.kernels, sequence.workers);
            assertThatThrownBy(() -> prefill.beginLayer(1)).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(prefill::finish).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> sequence.cache.beginStep(sequence.kernels, sequence.workers))
                    .isInstanceOf(IllegalStateException.class);
            prefill.beginLayer(0);
            assertThatThrownBy(() -> prefill.beginLayer(1)).isInstanceOf(IllegalStateException.class);
            Tensor keys = sequence.keys(0, 0, 6, arena);
            assertThatThrownBy(() -> prefill.store(5, keys, keys)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> prefill.endLayer(sequence.shape, null))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("last 4 queries");
            prefill.close();
            assertThatThrownBy(() -> sequence.cache.beginPrefill(0, sequence.kernels, sequence.workers))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    /** Gives the first head a third of what the others leave it; stands for methods that share among heads. */
    private record Lopsided(BudgetAllocator layers) implements HeadAllocator {
        @Override
        public int[] heads(int count, float[][] scores) {
            int few = count / 3;
            return new int[] {few, 2 * count - few};
        }
    }

    @Test
    void headsMayHaveDifferentLengths() {
        for (boolean cascade : new boolean[] {false, true}) {
            KvPolicy even = cascade ? CAKE : Policies.parse("snapkv(budget=12,window=4)");
            KvPolicy ragged = new KvPolicy(
                    even.spec(),
                    even.scorer(),
                    new Lopsided(even.allocator()),
                    Retention.DROP,
                    new Schedule(even.schedule().prompt(), 1),
                    EntryOrder.POSITION);
            try (ToySequence sequence = new ToySequence(LAYOUT, 2, ragged, 1 << 20, 8, 6)) {
                sequence.prompt(60);
                sequence.checkRows();
                int layer = 0;
                int few = sequence.cache.rows(layer)[0].length();
                int many = sequence.cache.rows(layer)[1].length();
                assertThat(few).isLessThan(many);
                sequence.steps(7);
                sequence.checkRows();
                assertThat(sequence.cache.rows(layer)[0].length()).isEqualTo(few);
                assertThat(sequence.cache.rows(layer)[1].length()).isEqualTo(many);
                sequence.prompt(9);
                sequence.steps(2);
                sequence.checkRows();
            }
        }
    }

    @Test
    void aLaterPromptSeesWhatWasKeptInOrderOfPosition() {
        try (Arena arena = Arena.ofConfined();
                ToySequence sequence = new ToySequence(LAYOUT, 2, CAKE, 1 << 20, 8, 7)) {
            sequence.prompt(40);
            sequence.steps(3);
            int[] kept = sequence.held(1, 0);
            try (KvPrefill prefill = sequence.cache.beginPrefill(5, sequence.kernels, sequence.workers)) {
                assertThat(prefill.firstPosition()).isEqualTo(43);
                sequence.layer(prefill, 0, 5, arena);
                KvRows head = prefill.beginLayer(1)[0];
                int[] expected = IntStream.concat(IntStream.of(kept), IntStream.range(43, 48))
                        .toArray();
                for (int slot = 0; slot < expected.length; slot++) {
                    assertThat(head.position(slot)).isEqualTo(expected[slot]);
                }
                assertThat(head.length()).isEqualTo(expected.length);
            }
        }
    }
}
