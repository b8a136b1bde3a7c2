package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.HeadProfile;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What profiled policies leave in a cache, head by head. */
final class ProfiledCacheTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.F32, DType.F32);

    private static List<Integer> lengths(ToySequence sequence) {
        return sequence.cache.slices().stream()
                .flatMap(slice -> slice.entries().stream())
                .toList();
    }

    @Test
    void headsHoldTheirShareOfTheBudget() {
        KvPolicy policy =
                ToyProfiles.policy("baklava(profile=value.profile,budget=16,window=6,power=1,least=0.5)", LAYOUT);
        HeadProfile profile = ToyProfiles.of(Measure.VALUE, 3, 2);
        double sum = profile.heads().stream()
                .flatMap(List::stream)
                .mapToDouble(x -> x)
                .sum();
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 90, 3, 1)) {
            sequence.prompt(90);
            List<Integer> lengths = lengths(sequence);
            assertThat(lengths.stream().mapToInt(x -> x).sum()).isEqualTo(16 * 6);
            for (int i = 0; i < 6; i++) {
                double real = 6 + 10 * (0.5 + 0.5 * 6 * profile.of(i / 2, i % 2) / sum);
                assertThat((double) lengths.get(i)).isBetween(Math.floor(real), Math.ceil(real));
            }
            sequence.steps(3);
            assertThat(lengths(sequence))
                    .containsExactlyElementsOf(
                            lengths.stream().map(length -> length + 3).toList());
        }
    }

    @Test
    void whatAShortPromptCannotFillGoesToTheOthers() {
        KvPolicy policy =
                ToyProfiles.policy("baklava(profile=value.profile,budget=16,window=6,power=16,least=0)", LAYOUT);
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 20, 0, 1)) {
            sequence.prompt(20);
            List<Integer> lengths = lengths(sequence);
            assertThat(lengths.stream().mapToInt(x -> x).sum()).isEqualTo(16 * 6);
            assertThat(lengths).allMatch(length -> length >= 6 && length <= 20).contains(20);
        }
    }

    @Test
    void streamingHeadsHoldTheirSizeWhileDecoding() {
        KvPolicy policy =
                ToyProfiles.policy("baklava(profile=value.profile,budget=16,tokens=streaming,sinks=2,power=2)", LAYOUT);
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 60, 30, 1)) {
            sequence.prompt(60);
            List<Integer> lengths = lengths(sequence);
            assertThat(lengths).doesNotContain(16, 16, 16, 16, 16, 16);
            sequence.steps(30);
            assertThat(lengths(sequence)).isEqualTo(lengths);
            for (int i = 0; i < 6; i++) {
                int length = lengths.get(i);
                assertThat(sequence.held(i / 2, i % 2))
                        .containsExactly(IntStream.concat(IntStream.range(0, 2), IntStream.range(90 - (length - 2), 90))
                                .toArray());
            }
        }
    }

    @Test
    void theHeadsThatLookLeastFarBackStream() {
        KvPolicy policy = ToyProfiles.policy("duo(profile=duo.profile,ratio=0.5,sinks=3,recent=5)", LAYOUT);
        HeadProfile profile = ToyProfiles.of(Measure.DUO, 3, 2);
        List<Integer> order = IntStream.range(0, 6)
                .boxed()
                .sorted(Comparator.comparingDouble(head -> profile.of(head / 2, head % 2)))
                .toList();
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, policy, 7, 40, 1)) {
            sequence.prompt(7);
            assertThat(lengths(sequence)).containsOnly(7);
            sequence.steps(40);
            for (int place = 0; place < 6; place++) {
                int head = order.get(place);
                int[] all = IntStream.range(0, 47).toArray();
                int[] ends = IntStream.concat(IntStream.range(0, 3), IntStream.range(42, 47))
                        .toArray();
                assertThat(sequence.held(head / 2, head % 2)).containsExactly(place < 3 ? ends : all);
            }
            assertThat(sequence.pool.bytesInUse()).isEqualTo((3 + 3 * 6) * sequence.pool.pageBytes());
        }
    }

    @Test
    void aProfileOfAnotherShapeIsRefusedAtTheDoor() {
        KvPolicy policy = ToyProfiles.policy("duo(profile=duo.profile)", new KvLayout(4, 2, 32, DType.F32, DType.F32));
        assertThatThrownBy(() -> KvPlan.of(LAYOUT, policy, 10, 1))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("4 layers of 2 KV heads, but this model has 3 of 2");
        try (KvPool pool = new KvPool(LAYOUT, 1 << 20)) {
            assertThatThrownBy(() -> new KvCache(pool, policy, 0)).isInstanceOf(LayercakeException.class);
            assertThat(pool.openLeases()).isZero();
        }
        assertThat(Policies.parse("full").allocator().profile()).isNull();
    }
}
