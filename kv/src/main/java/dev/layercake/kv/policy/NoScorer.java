package dev.layercake.kv.policy;

import dev.layercake.kernels.WindowStatistics;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The scorer of a policy that never cuts: all entries are equal. */
record NoScorer() implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    @Override
    public boolean usesWindowAttention() {
        return false;
    }

    @Override
    public boolean usesStepAttention() {
        return false;
    }

    @Override
    public void scorePrompt(
            int layer, int kvHead, int[] positions, int count, @Nullable WindowStatistics statistics, float[] scores) {
        Arrays.fill(scores, 0, count, 0);
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        Arrays.fill(scores, 0, count, 0);
    }
}
