package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is evicted while decoding, and what the published Ada-KV loses to rounding. */
class StepJudgeTest {
    private static final KvLayout LAYOUT = new KvLayout(2, 2, 16, DType.F32, DType.F32);
    private static final int BUDGET = 12;
    private static final int WINDOW = 2;

    /** The shortest keys of what is held stay, window aside, each time that so many entries too many have come. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8})
    void keysAreJudgedAgainWhileDecoding(int steps) {
        String spec = "knorm(budget=" + BUDGET + ",window=" + WINDOW + ")+every(steps=" + steps + ")";
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 30, 25, 21)) {
            sequence.prompt(30);
            int[][] expected = new int[LAYOUT.layers() * LAYOUT.kvHeads()][];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = best(sequence, i, IntStream.range(0, 30).toArray());
                assertThat(held(sequence, i)).containsExactly(expected[i]);
            }
            for (int token = 30; token < 55; token++) {
                sequence.steps(1);
                for (int i = 0; i < expected.length; i++) {
                    expected[i] = IntStream.concat(Arrays.stream(expected[i]), IntStream.of(token))
                            .toArray();
                    if (expected[i].length >= BUDGET + steps) {
                        expected[i] = best(sequence, i, expected[i]);
                    }
                    assertThat(held(sequence, i)).containsExactly(expected[i]);
                }
            }
            sequence.checkRows();
        }
    }

    private static int[] held(ToySequence sequence, int index) {
        return sequence.held(index / LAYOUT.kvHeads(), index % LAYOUT.kvHeads());
    }

    private static int[] best(ToySequence sequence, int index, int[] positions) {
        int judged = positions.length - WINDOW;
        return IntStream.concat(
                        Arrays.stream(positions, 0, judged)
                                .boxed()
                                .sorted(Comparator.comparingDouble(position -> keySquare(sequence, index, position)))
                                .limit(BUDGET - WINDOW)
                                .mapToInt(position -> position),
                        Arrays.stream(positions, judged, positions.length))
                .sorted()
                .toArray();
    }

    private static double keySquare(ToySequence sequence, int index, int position) {
        try (Arena arena = Arena.ofConfined()) {
            Tensor keys = sequence.keys(index / LAYOUT.kvHeads(), position, 1, arena);
            double sum = 0;
            for (int i = 0; i < LAYOUT.headDim(); i++) {
                float element = keys.get(0, (long) index % LAYOUT.kvHeads() * LAYOUT.headDim() + i);
                sum += (double) element * element;
            }
            return sum;
        }
    }

    /** A prompt of exactly the capacity: round(48 x 0.8 + int(48 x 0.2)) of 48 stay, as FFY0/AdaKV has it. */
    @Test
    void thePublishedAdaKvRoundsWhereAPromptFitsExactly() {
        String spec = "snapkv(budget=56,window=8)+ada(rounding=official)";
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 56, 1, 5)) {
            sequence.prompt(56);
            int sum = 0;
            for (int i = 0; i < LAYOUT.layers() * LAYOUT.kvHeads(); i++) {
                sum += held(sequence, i).length;
            }
            assertThat(sum).isEqualTo(4 * 55);
        }
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 55, 1, 5)) {
            sequence.prompt(55);
            assertThat(held(sequence, 0)).hasSize(55);
        }
    }

    /** The first layer's heads get the same, the others compete. */
    @Test
    void skippedLayersDoNotCompete() {
        String spec = "snapkv(budget=12,window=2)+ada(alpha=0,skip=1)";
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 50, 1, 9)) {
            sequence.prompt(50);
            assertThat(held(sequence, 0)).hasSize(12);
            assertThat(held(sequence, 1)).hasSize(12);
            assertThat(held(sequence, 2).length).isNotEqualTo(held(sequence, 3).length);
            assertThat(held(sequence, 2).length + held(sequence, 3).length).isEqualTo(24);
        }
    }

    /** All heads of a layer hold the same tokens, after the prompt and however many tokens come; without it they do not. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "cake(budget=12,window=2)",
                "cake(budget=12,window=2,order=official)",
                "snapkv(budget=12,window=2)+every(steps=3)",
                "h2o(budget=12)",
                "pyramidkv(budget=12,window=2)",
                "expected(budget=12)"
            })
    void headsThatShareKeepTheSameTokens(String spec) {
        int modifier = spec.indexOf('+');
        String shared =
                modifier < 0 ? spec + "+shared" : spec.substring(0, modifier) + "+shared" + spec.substring(modifier);
        try (ToySequence alone = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 50, 9, 9);
                ToySequence together = ToySequence.planned(LAYOUT, 2, Policies.parse(shared), 50, 9, 9)) {
            alone.prompt(50);
            together.prompt(50);
            together.steps(4);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                int[] first = held(together, layer * LAYOUT.kvHeads());
                for (int head = 1; head < LAYOUT.kvHeads(); head++) {
                    assertThat(held(together, layer * LAYOUT.kvHeads() + head)).containsExactly(first);
                }
            }
            assertThat(held(alone, 0)).isNotEqualTo(held(alone, 1));
        }
    }
}
