package dev.layercake.kv.policy;

import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.WindowStatistics;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a scorer may look at when it judges one head after a prompt. The head's entries lie in ascending order of position;
 * the candidates are the first {@link #count} of them, the window follows.
 */
public final class PromptHead {
    private final int layer;
    private final int kvHead;
    private final KvRows rows;
    private final int count;
    private final @Nullable WindowStatistics statistics;
    private final double[][] attentionSums;

    /**
     * @param rows the head's entries, candidates first
     * @param statistics of the layer's last queries, over the same candidates; null if the scorer asks for none
     * @param attentionSums for each query head of the group and each entry the attention that all new queries together
     *     pay; empty if the scorer does not ask for it
     */
    public PromptHead(
            int layer,
            int kvHead,
            KvRows rows,
            int count,
            @Nullable WindowStatistics statistics,
            double[][] attentionSums) {
        this.layer = layer;
        this.kvHead = kvHead;
        this.rows = rows;
        this.count = count;
        this.statistics = statistics;
        this.attentionSums = attentionSums;
    }

    public int layer() {
        return layer;
    }

    public int kvHead() {
        return kvHead;
    }

    /** Candidates to score. */
    public int count() {
        return count;
    }

    /** Candidates and window together. */
    public int entries() {
        return rows.length();
    }

    public int headDim() {
        return rows.headDim();
    }

    /** Position in the text of an entry. */
    public int position(int entry) {
        return rows.position(entry);
    }

    /** Widens an entry's key, rotary embedding applied. */
    public void key(int entry, float[] target) {
        rows.readKey(entry, target);
    }

    /** Query heads that share this head. */
    public int group() {
        return statistics != null ? statistics.group() : attentionSums.length;
    }

    /** Per entry, the attention that all new queries of a member of the group together pay to it. */
    public double[] attentionSum(int member) {
        return attentionSums[member];
    }

    /** Per candidate, the mean attention that the last queries of a member of the group pay to it. */
    public float[] mean(int member) {
        return statistics().mean(kvHead * statistics().group() + member);
    }

    /** Per candidate, the unbiased variance of that attention over the queries. */
    public float[] variance(int member) {
        return statistics().variance(kvHead * statistics().group() + member);
    }

    private WindowStatistics statistics() {
        return Objects.requireNonNull(statistics, "window statistics");
    }
}
