package dev.layercake.kv.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RankingTest {
    @Test
    void higherScoresComeFirstAndNanLast() {
        float[] descending = {
            Float.POSITIVE_INFINITY, Float.MAX_VALUE, 1, Float.MIN_VALUE, 0, -1, Float.NEGATIVE_INFINITY, Float.NaN
        };
        for (int i = 1; i < descending.length; i++) {
            assertThat(Ranking.key(descending[i - 1], 9)).isLessThan(Ranking.key(descending[i], 0));
        }
        assertThat(Ranking.key(-0f, 3)).isEqualTo(Ranking.key(0f, 3));
        assertThat(Ranking.key(2, 3)).isLessThan(Ranking.key(2, 4));
        assertThat(Ranking.tieBreaker(Ranking.key(-7, 123456789))).isEqualTo(123456789);
    }

    @Test
    void selectsWhatSortingWouldPutInFront() {
        Random random = new Random(31);
        for (int run = 0; run < 2000; run++) {
            int count = random.nextInt(300);
            int kinds = 1 + random.nextInt(50);
            long[] keys = new long[count];
            for (int i = 0; i < count; i++) {
                keys[i] = Ranking.key(run % 3 == 0 ? i : random.nextInt(kinds), i);
            }
            int kept = random.nextInt(count + 2);
            long[] sorted = keys.clone();
            Arrays.sort(sorted);
            Ranking.select(keys, count, kept);
            assertThat(Arrays.copyOf(keys, Math.min(kept, count)))
                    .containsExactly(Arrays.copyOf(sorted, Math.min(kept, count)));
        }
    }
}
