package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is not kept in full stays in few bits: which entries, how much memory, and how keys are balanced. */
class LowBitRetentionTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.F32, DType.F32);

    /** Bits per element are N + 32 / 64 in the low tier; METHODS: 33 % at a ratio of 0.2, 23 % with 8 bits above. */
    @ParameterizedTest
    @CsvSource({
        "2, kv, BF16, 0.325",
        "3, kv, BF16, 0.375",
        "4, kv, F16, 0.425",
        "2, int8, BF16, 0.231",
        "2, kv, Q8_0, 0.435",
    })
    void takesTheMemoryThatItsBitsSay(int bits, String high, DType type, double share) {
        KvLayout layout = new KvLayout(2, 2, 128, type, type);
        String spec = "mikv(ratio=0.2,bits=" + bits + ",high=" + high + ")";
        int tokens = 2000;
        try (ToySequence sequence = ToySequence.planned(layout, 1, Policies.parse(spec), tokens, 1, 3)) {
            sequence.prompt(tokens);
            for (Slice slice : sequence.cache.slices()) {
                assertThat(slice.entries()).containsOnly(400);
                assertThat(slice.lowEntries()).containsOnly(1600);
            }
            KvPlan plan = KvPlan.of(layout, 8, Policies.full(), tokens, 0);
            assertThat((double) sequence.pool.bytesInUse() / plan.fullBytes()).isCloseTo(share, within(0.01));
            KvRows low = Objects.requireNonNull(sequence.cache.rows(0)[0].lower());
            assertThat(8.0 * (low.keyRowBytes() + low.valueRowBytes()) / 256).isEqualTo(bits + 32.0 / 64);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"cake(budget=12,window=4)", "snapkv(budget=12,window=4)+ada", "h2o(budget=12)", "tova(budget=9)"
            })
    void aPromptIsJudgedAsIfTheRestWereDropped(String spec) {
        assertThat(keptAfter(spec + "+lowbit", 50, 0)).isDeepEqualTo(keptAfter(spec, 50, 0));
    }

    @Test
    void noBitsIsDropping() {
        assertThat(keptAfter("h2o(budget=12)+lowbit(bits=0)", 50, 9)).isDeepEqualTo(keptAfter("h2o(budget=12)", 50, 9));
        try (ToySequence sequence =
                ToySequence.planned(LAYOUT, 2, Policies.parse("mikv(ratio=0.3,bits=0)"), 50, 9, 1)) {
            sequence.prompt(50);
            sequence.steps(9);
            sequence.checkRows();
            for (KvRows head : sequence.cache.rows(2)) {
                assertThat(head.lower()).isNull();
                assertThat(head.length()).isEqualTo(17);
            }
        }
    }

    private static int[][] keptAfter(String spec, int prompt, int steps) {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), prompt, steps, 11)) {
            sequence.prompt(prompt);
            sequence.steps(steps);
            List<int[]> kept = new ArrayList<>();
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    kept.add(sequence.held(layer, head));
                }
            }
            return kept.toArray(int[][]::new);
        }
    }

    /** METHODS, section 4, step by step in double precision. Without bits, so that what was rounded plays no part. */
    @ParameterizedTest
    @CsvSource({"0.3, 40, 15", "0.2, 61, 8", "0.5, 7, 20", "0.04, 20, 30"})
    void mikvKeepsRecentTokensAndHeavyHitters(double ratio, int prompt, int steps) {
        String spec = "mikv(ratio=" + ratio + ",bits=0)";
        int[][] kept = keptAfter(spec, prompt, steps);
        try (Arena arena = Arena.ofConfined();
                ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse(spec), 1, 0, 11)) {
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    assertThat(kept[layer * LAYOUT.kvHeads() + head])
                            .as("layer " + layer + ", head " + head)
                            .containsExactly(reference(sequence, layer, head, ratio, prompt, steps, arena));
                }
            }
        }
    }

    private static int[] reference(
            ToySequence sequence, int layer, int head, double ratio, int prompt, int steps, Arena arena) {
        int tokens = prompt + steps;
        float[] keys = sequence.keys(layer, 0, tokens, arena).toArray();
        float[] queries = sequence.queries(layer, 0, tokens, arena).toArray();
        double[] attention = new double[tokens];
        boolean[] high = new boolean[tokens];
        for (int token = 0; token < tokens; token++) {
            high[token] = true;
            for (int member = 0; member < 2; member++) {
                double[] row = softmax(keys, queries, token, head, member, high);
                for (int i = 0; i <= token; i++) {
                    attention[i] += row[i];
                }
            }
            if (token >= prompt - 1) {
                int most = (int) Math.floor(ratio * (token + 1) + 1e-9);
                demote(attention, high, token, most);
            }
        }
        List<Integer> kept = new ArrayList<>();
        for (int token = 0; token < tokens; token++) {
            if (high[token]) {
                kept.add(token);
            }
        }
        return kept.stream().mapToInt(Integer::intValue).toArray();
    }

    private static double[] softmax(float[] keys, float[] queries, int token, int head, int member, boolean[] seen) {
        double[] row = new double[token + 1];
        double sum = 0;
        for (int i = 0; i <= token; i++) {
            double dot = 0;
            for (int channel = 0; channel < 32; channel++) {
                dot += (double) keys[(i * 2 + head) * 32 + channel]
                        * queries[(token * 4 + head * 2 + member) * 32 + channel];
            }
            row[i] = seen[i] ? Math.exp(dot / Math.sqrt(32) - 200) : 0;
            sum += row[i];
        }
        for (int i = 0; i <= token; i++) {
            row[i] /= sum;
        }
        return row;
    }

    private static void demote(double[] attention, boolean[] high, int last, int most) {
        int firstRecent = last + 1 - most / 2;
        int held = 0;
        for (int i = 0; i <= last; i++) {
            held += high[i] ? 1 : 0;
        }
        for (; held > most; held--) {
            int worst = -1;
            for (int i = 0; i <= last; i++) {
                if (high[i] && i < firstRecent && (worst < 0 || attention[i] <= attention[worst])) {
                    worst = i;
                }
            }
            high[worst] = false;
        }
    }

    @Test
    void keysAreBalancedByTheFirstPrompt() {
        try (Arena arena = Arena.ofConfined();
                ToySequence sequence = new ToySequence(
                        LAYOUT, 2, Policies.parse("mikv(ratio=0.3)"), KvPool.pageBytes(LAYOUT, 8) * 500, 8, 5)) {
            sequence.prompt(30);
            float[][] first = new float[2][];
            for (int head = 0; head < 2; head++) {
                float[] expected = factors(sequence, 1, head, 30, arena);
                first[head] = balancer(sequence, head);
                assertThat(first[head]).containsExactly(expected, within(1e-6f));
            }
            sequence.steps(4);
            sequence.prompt(20);
            sequence.checkRows();
            assertThat(balancer(sequence, 0)).isEqualTo(first[0]);
            assertThat(balancer(sequence, 1)).isEqualTo(first[1]);
            sequence.cache.clear();
            sequence.prompt(9);
            assertThat(balancer(sequence, 0)).isNotEqualTo(first[0]);
        }
    }

    private static float[] balancer(ToySequence sequence, int head) {
        KvRows low = Objects.requireNonNull(sequence.cache.rows(1)[head].lower());
        return Objects.requireNonNull(low.balancer()).slice(0, 1).toArray();
    }

    private static float[] factors(ToySequence sequence, int layer, int head, int tokens, Arena arena) {
        float[] keys = sequence.keys(layer, 0, tokens, arena).toArray();
        float[] queries = sequence.queries(layer, 0, tokens, arena).toArray();
        float[] factors = new float[32];
        for (int channel = 0; channel < 32; channel++) {
            double largestKey = 0;
            double largestQuery = 0;
            for (int token = 0; token < tokens; token++) {
                largestKey = Math.max(largestKey, Math.abs(keys[(token * 2 + head) * 32 + channel]));
                for (int member = 0; member < 2; member++) {
                    int vector = token * 4 + head * 2 + member;
                    largestQuery = Math.max(largestQuery, Math.abs(queries[vector * 32 + channel]));
                }
            }
            factors[channel] = (float) Math.sqrt(largestQuery / largestKey);
        }
        return factors;
    }

    @Test
    void aSequenceThatBeginsWithDecodingIsNotBalanced() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, 2, Policies.parse("mikv(ratio=0.3)"), 0, 12, 6)) {
            sequence.steps(12);
            sequence.checkRows();
            KvRows low = Objects.requireNonNull(sequence.cache.rows(0)[0].lower());
            assertThat(low.length()).isEqualTo(9);
            assertThat(low.balancer()).isNull();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            full+lowbit | drops nothing
            gate(weights=nobody/opens/this)+lowbit | what gates reject is hidden
            specache+lowbit | drops nothing
            cake+lowbit(fetch=4,bits=0) | leave out bits=0
            cake+lowbit(fetch=4,high=int8) | leave out high=int8
            mikv+lowbit | has a low tier already
            h2o+lowbit+lowbit | has a low tier already
            mikv(bits=0,high=int8) | set the type of keys and values to q8_0
            mikv(bits=1) | it must be one of 0, 2, 3, 4
            mikv(ratio=1.5) | a number from 0 to 1
            """)
    void whatMakesNoSenseIsRefused(String spec, String sentence) {
        assertThatThrownBy(() -> Policies.parse(spec))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining(sentence);
    }

    @Test
    void headsThatWouldNotShrinkAreRefused() {
        KvLayout tiny = new KvLayout(1, 1, 2, DType.BF16, DType.BF16);
        assertThatThrownBy(() -> KvPlan.of(tiny, Policies.parse("mikv"), 10, 1))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("would not save memory");
        KvLayout odd = new KvLayout(1, 1, 24, DType.BF16, DType.BF16);
        assertThatThrownBy(() -> KvPlan.of(odd, Policies.parse("mikv(high=int8)"), 10, 1))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("Q8_0 needs a head dimension");
        try (ToySequence sequence = ToySequence.planned(odd, 1, Policies.parse("mikv(bits=3)"), 40, 5, 1)) {
            sequence.prompt(40);
            sequence.steps(5);
            sequence.checkRows();
            assertThat(Arrays.stream(sequence.held(0, 0)).max()).hasValue(44);
        }
    }
}
