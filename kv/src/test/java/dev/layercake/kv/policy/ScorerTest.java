package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.WindowStatistics;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Scores on vectors small enough to check by hand. */
class ScorerTest {
    private static final AttentionShape ONE_HEAD = new AttentionShape(1, 1, 8, 1, 0, 0);

    /** Two queries on four candidates: 0.1 0.2 0.3 0.1 and 0.2 0.1 0.1 0.3. */
    private static WindowStatistics statistics() {
        WindowStatistics statistics = new WindowStatistics(ONE_HEAD, new int[] {4});
        System.arraycopy(new float[] {0.15f, 0.15f, 0.2f, 0.2f}, 0, statistics.mean(0), 0, 4);
        System.arraycopy(new float[] {0.005f, 0.005f, 0.02f, 0.02f}, 0, statistics.variance(0), 0, 4);
        statistics.sums(2.287192884, 0.05);
        return statistics;
    }

    private static PromptHead head() {
        return head(0, 0, statistics(), 0, 1, 2, 3);
    }

    private static PromptHead head(int layer, int head, @Nullable WindowStatistics statistics, int... positions) {
        PromptEvidence evidence = PromptEvidence.of(ONE_HEAD, positions.length, statistics);
        return new PromptHead(layer, head, rows(positions), positions.length, evidence, new double[0][]);
    }

    /** Entries at positions; nobody reads their keys. */
    private static KvRows rows(int... positions) {
        KvRows rows = new KvRows(DType.F32, DType.F32, 8, positions.length);
        rows.addPage(0);
        for (int position : positions) {
            rows.append(position);
        }
        return rows;
    }

    @Test
    void cakesIndicator() {
        float[] scores = new float[4];
        new WindowScorer(2, 200, Pooling.AVG, 5, Reduction.MEAN, false).scorePrompt(head(), scores);
        assertThat(scores).containsExactly(new float[] {1.30f, 2.14f, 2.14f, 1.91f}, within(1e-6f));
    }

    @Test
    void maximumPoolingIgnoresWhatLiesOutside() {
        float[] scores = new float[4];
        new WindowScorer(2, 0, Pooling.MAX, 3, Reduction.MEAN, false).scorePrompt(head(), scores);
        assertThat(scores).containsExactly(new float[] {0.15f, 0.2f, 0.2f, 0.2f}, within(1e-7f));
    }

    @Test
    void stepScoresAverageTheGroup() {
        float[] scores = new float[3];
        float[][] attention = {{0.5f, 0, 0.5f}, {0.1f, 0.2f, 0.3f}};
        new WindowScorer(2, 200, Pooling.AVG, 3, Reduction.MEAN, false)
                .scoreStep(0, 0, new int[] {4, 5, 6}, 3, attention, scores);
        assertThat(scores).containsExactly(new float[] {0.8f / 6, 1.6f / 6, 1f / 6}, within(1e-7f));
        new WindowScorer(2, 200, Pooling.MAX, 3, Reduction.MEAN, false)
                .scoreStep(0, 0, new int[] {4, 5, 6}, 3, attention, scores);
        assertThat(scores).containsExactly(new float[] {0.35f, 0.4f, 0.4f}, within(1e-7f));
    }

    @Test
    void preferences() {
        assertThat((double) new Preference(1, 1).of(statistics())).isCloseTo(0.1143596442, within(1e-7));
        assertThat((double) new Preference(1.6, 0.4).of(statistics())).isCloseTo(9.375388e-4, within(1e-9));
        assertThat(new Preference(1, 1).of(null)).isZero();
    }

    @Test
    void recencyTellsNeighboursApartAtAnyPosition() {
        float[] scores = new float[4];
        int[] positions = {3, 4, 2_000_000_000, 2_000_000_001};
        new RecencyScorer(4).scorePrompt(head(0, 0, null, positions), scores);
        assertThat(scores[0]).isInfinite();
        assertThat(scores[1]).isLessThan(scores[2]);
        assertThat(scores[2]).isLessThan(scores[3]);
    }

    @Test
    void randomScoresDependOnSeedLayerHeadAndPositionOnly() {
        RandomScorer scorer = new RandomScorer(4, 7, 0);
        int[] positions = {5, 6, 7};
        Set<String> seen = new HashSet<>();
        for (int layer = 0; layer < 3; layer++) {
            for (int head = 0; head < 3; head++) {
                float[] prompt = new float[3];
                float[] step = new float[3];
                scorer.scorePrompt(head(layer, head, null, positions), prompt);
                scorer.scoreStep(layer, head, positions, 3, new float[0][], step);
                assertThat(step).containsExactly(prompt);
                seen.add(Arrays.toString(prompt));
            }
        }
        assertThat(seen).hasSize(9);
        float[] other = new float[3];
        new RandomScorer(4, 8, 0).scorePrompt(head(0, 0, null, positions), other);
        assertThat(seen).doesNotContain(Arrays.toString(other));
    }
}
