package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What entries are worth to a model that repeats their text, and the one cut that follows. */
class ContextReplayTest {
    private static final KvLayout LAYOUT = new KvLayout(3, 2, 32, DType.F32, DType.F32);
    private static final int GROUP = 2;

    private static String spec(int budget, int chunk, int sinks) {
        return "kvzip(budget=" + budget + ",chunk=" + chunk + ",sinks=" + sinks + ")";
    }

    /** What each entry is worth by the definition: [layer][head][position]. */
    private static double[][][] worth(ToySequence sequence, int from, int to, int chunk, int sinks) {
        double[][][] worth = new double[LAYOUT.layers()][LAYOUT.kvHeads()][to];
        try (Arena arena = Arena.ofConfined()) {
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int start = from; start < to; start += chunk) {
                    int end = Math.min(to, start + chunk);
                    int pass = end - start + ToySequence.ASKING_TOKENS;
                    Tensor keys = sequence.keys(layer, 0, to + pass, arena);
                    Tensor queries = sequence.queries(layer, to, pass, arena);
                    for (int query = 0; query < pass; query++) {
                        for (int queryHead = 0; queryHead < LAYOUT.kvHeads() * GROUP; queryHead++) {
                            int head = queryHead / GROUP;
                            double[] weights = weights(
                                    keys, queries, query, queryHead, start, end, Math.min(start, sinks), to + query);
                            double sum = Arrays.stream(weights).sum();
                            for (int position = start; position < end; position++) {
                                worth[layer][head][position] =
                                        Math.max(worth[layer][head][position], weights[position] / sum);
                            }
                        }
                    }
                }
            }
        }
        return worth;
    }

    /** Exponentials of one query's scores: on sinks, on the part, and on the pass from the text's end to the query itself. */
    private static double[] weights(
            Tensor keys, Tensor queries, int query, int queryHead, int start, int end, int sinks, int own) {
        int headDim = LAYOUT.headDim();
        int textEnd = own - query;
        double[] weights = new double[(int) keys.rows()];
        for (int position = 0; position <= own; position++) {
            if (position < sinks || (position >= start && position < end) || position >= textEnd) {
                double score = 0;
                for (int i = 0; i < headDim; i++) {
                    score += (double) queries.get(query, (long) queryHead * headDim + i)
                            * keys.get(position, (long) (queryHead / GROUP) * headDim + i);
                }
                weights[position] = Math.exp(score / Math.sqrt(headDim));
            }
        }
        return weights;
    }

    private record Entry(int layer, int head, int position, double worth) {}

    /** The best entries among all layers and heads, sinks before all. */
    private static List<Entry> best(double[][][] worth, int sinks, int count) {
        List<Entry> entries = new ArrayList<>();
        for (int layer = 0; layer < worth.length; layer++) {
            for (int head = 0; head < worth[layer].length; head++) {
                for (int position = 0; position < worth[layer][head].length; position++) {
                    double value = position < sinks ? Double.POSITIVE_INFINITY : worth[layer][head][position];
                    entries.add(new Entry(layer, head, position, value));
                }
            }
        }
        entries.sort(Comparator.comparingDouble(Entry::worth)
                .reversed()
                .thenComparingInt(Entry::position)
                .thenComparingInt(Entry::layer)
                .thenComparingInt(Entry::head));
        return entries.subList(0, count);
    }

    private static int[] positions(List<Entry> entries, int layer, int head) {
        return entries.stream()
                .filter(entry -> entry.layer() == layer && entry.head() == head)
                .mapToInt(Entry::position)
                .sorted()
                .toArray();
    }

    @ParameterizedTest
    @CsvSource({"70, 100, 4", "70, 20, 4", "70, 1, 0", "70, 69, 10", "1, 7, 4", "40, 7, 0"})
    void anEntryIsWorthTheMostThatAnyQueryOfTheRepetitionPays(int text, int chunk, int sinks) {
        try (ToySequence sequence =
                new ToySequence(LAYOUT, GROUP, Policies.parse(spec(1000, chunk, sinks)), 1 << 22, 8, 11)) {
            sequence.prompt(text);
            for (int left = text; left > 0; left -= chunk) {
                int part = Math.min(left, chunk);
                sequence.replay(part, part + ToySequence.ASKING_TOKENS);
                assertThat(sequence.pool.entriesInUse()).isEqualTo((long) LAYOUT.layers() * LAYOUT.kvHeads() * text);
            }
            sequence.checkRows();
            double[][][] expected = worth(sequence, 0, text, chunk, sinks);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    HeadEntries entries = sequence.cache.layer(layer).head(head);
                    assertThat(entries.length()).isEqualTo(text);
                    for (int slot = 0; slot < text; slot++) {
                        assertThat((double) entries.attention(slot))
                                .isCloseTo(expected[layer][head][slot], within(1e-5 * expected[layer][head][slot]));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 100, 4", "16, 13, 4", "5, 20, 0", "1, 64, 1", "60, 30, 4"})
    void exactlyTheBestOfAllStayAndTheRestIsFreed(int budget, int chunk, int sinks) {
        int text = 64;
        try (ToySequence sequence =
                ToySequence.planned(LAYOUT, GROUP, Policies.parse(spec(budget, chunk, sinks)), text, 10, 12)) {
            KvPlan plan = sequence.cache.plan(text, 10);
            sequence.prompt(text);
            int heads = LAYOUT.layers() * LAYOUT.kvHeads();
            List<Entry> best = best(worth(sequence, 0, text, chunk, sinks), sinks, heads * budget);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    assertThat(sequence.cache.positions(layer, head)).containsExactly(positions(best, layer, head));
                }
            }
            assertThat(sequence.pool.entriesInUse()).isEqualTo((long) heads * budget);
            assertThat(sequence.pool.bytesInUse()).isLessThanOrEqualTo(plan.keptBytes());
            int pass = Math.min(text, chunk) + ToySequence.ASKING_TOKENS;
            assertThat(sequence.pool.peakEntries())
                    .isEqualTo((long) heads * text + (long) LAYOUT.kvHeads() * pass)
                    .isLessThanOrEqualTo(plan.peakEntries());
            assertThat(sequence.pool.peakBytes()).isLessThanOrEqualTo(plan.peakBytes());
            sequence.checkRows();
            sequence.steps(10);
            assertThat(sequence.pool.entriesInUse()).isEqualTo((long) heads * (budget + 10));
            sequence.checkRows();
        }
    }

    @Test
    void headsEndUpOfDifferentLengths() {
        try (ToySequence sequence = ToySequence.planned(LAYOUT, GROUP, Policies.parse(spec(16, 100, 4)), 64, 0, 13)) {
            sequence.prompt(64);
            assertThat(sequence.cache.slices().stream()
                            .flatMap(slice -> slice.entries().stream())
                            .distinct()
                            .count())
                    .isGreaterThan(2);
        }
    }

    /** What was repeated once keeps its worth; only what came since is repeated, what was decoded included. */
    @Test
    void aLaterTurnRepeatsOnlyWhatIsNew() {
        int budget = 16;
        int chunk = 25;
        try (ToySequence sequence =
                new ToySequence(LAYOUT, GROUP, Policies.parse(spec(budget, chunk, 4)), 1 << 22, 8, 14)) {
            sequence.prompt(50);
            double[][][] first = worth(sequence, 0, 50, chunk, 4);
            List<Entry> kept = best(first, 4, LAYOUT.layers() * LAYOUT.kvHeads() * budget);
            sequence.steps(5);
            assertThat(sequence.cache.unreplayedText()).hasSize(5);
            sequence.prompt(30);
            assertThat(sequence.cache.unreplayedText()).isEmpty();
            double[][][] both = worthOfBoth(sequence, kept, first, 50, 85, chunk);
            List<Entry> best = best(both, 4, LAYOUT.layers() * LAYOUT.kvHeads() * budget);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    assertThat(sequence.cache.positions(layer, head)).containsExactly(positions(best, layer, head));
                }
            }
            sequence.checkRows();
        }
    }

    private static double[][][] worthOfBoth(
            ToySequence sequence, List<Entry> kept, double[][][] first, int from, int to, int chunk) {
        double[][][] both = worth(sequence, from, to, chunk, 4);
        for (int layer = 0; layer < LAYOUT.layers(); layer++) {
            for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                Arrays.fill(both[layer][head], 0, from, -1);
                for (int position : positions(kept, layer, head)) {
                    both[layer][head][position] = first[layer][head][position];
                }
            }
        }
        return both;
    }

    @Test
    void aForkKeepsWhatWasLearntAndWhatIsStillToBeRepeated() {
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, Policies.parse(spec(16, 25, 4)), 1 << 22, 8, 15)) {
            sequence.cache.lease().reserve(1 << 20);
            sequence.prompt(50);
            sequence.steps(3);
            try (KvCache copy = sequence.cache.fork()) {
                assertThat(copy.unreplayedText()).hasSize(3);
                for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                    for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                        HeadEntries entries = sequence.cache.layer(layer).head(head);
                        HeadEntries copied = copy.layer(layer).head(head);
                        assertThat(copy.positions(layer, head)).containsExactly(sequence.cache.positions(layer, head));
                        for (int slot = 0; slot < entries.length(); slot++) {
                            assertThat(copied.attention(slot)).isEqualTo(entries.attention(slot));
                        }
                    }
                }
            }
        }
    }

    @Test
    void whatWasNeverRepeatedIsCutFromItsEnd() {
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, Policies.parse(spec(16, 25, 0)), 1 << 22, 8, 16)) {
            try (Arena arena = Arena.ofConfined();
                    KvPrefill prefill =
                            sequence.cache.beginPrefill(50, sequence.parts(), sequence.kernels, sequence.workers)) {
                for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                    sequence.layer(prefill, layer, 50, arena);
                }
                prefill.finish();
            }
            sequence.cache.cutReplayed(sequence.workers);
            for (int layer = 0; layer < LAYOUT.layers(); layer++) {
                for (int head = 0; head < LAYOUT.kvHeads(); head++) {
                    assertThat(sequence.cache.positions(layer, head))
                            .containsExactly(IntStream.range(0, 16).toArray());
                }
            }
        }
    }

    @Test
    void aPassThatIsGivenUpEmptiesTheSequence() {
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, Policies.parse(spec(100, 25, 4)), 1 << 22, 8, 17)) {
            sequence.prompt(20);
            try (ContextReplay replay = sequence.cache.beginReplay(20, 23, sequence.kernels, sequence.workers)) {
                replay.beginLayer(0);
                assertThatThrownBy(replay::finish).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> replay.beginLayer(1)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> sequence.cache.beginStep(sequence.kernels, sequence.workers))
                        .isInstanceOf(IllegalStateException.class);
            }
            assertThat(sequence.cache.tokensSeen()).isZero();
            assertThat(sequence.cache.unreplayedText()).isEmpty();
            assertThat(sequence.pool.entriesInUse()).isZero();
            sequence.prompt(30);
            sequence.checkRows();
        }
    }

    @Test
    void onlyWhatWasReadCanBeRepeated() {
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, Policies.parse(spec(100, 25, 4)), 1 << 22, 8, 18)) {
            sequence.prompt(20);
            for (int[] pass :
                    new int[][] {{21, 22}, {0, 3}, {20, 19}, {20, 20 + 2 * ContextReplay.MOST_ASKING_TOKENS}}) {
                assertThatThrownBy(
                                () -> sequence.cache.beginReplay(pass[0], pass[1], sequence.kernels, sequence.workers))
                        .isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"ada", "critical", "chunks", "chunkwise", "blockwise", "every", "lowbit"})
    void whatChangesALayerByItselfIsRefused(String modifier) {
        assertThatThrownBy(() -> Policies.parse("kvzip+" + modifier))
                .isInstanceOf(LayercakeException.class)
                .hasMessageStartingWith("Policy " + modifier + ": kvzip ");
    }
}
