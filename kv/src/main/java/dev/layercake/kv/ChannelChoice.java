package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Ranking;
import dev.layercake.kv.policy.Retention;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which channels of its keys each head of a layer keeps when entries lose some: those with the largest mean square of the
 * last queries times mean square of the keys (ThinK, section 3; NVIDIA/kvpress, ThinKPress). The lower channel is kept of
 * two that are equal.
 */
final class ChannelChoice {
    private final Retention.FewChannels rule;

    ChannelChoice(Retention.FewChannels rule) {
        this.rule = rule;
    }

    /** Whether a head of the layer has not chosen yet. */
    static boolean pending(LayerEntries layer) {
        for (HeadEntries head : layer.heads()) {
            if (pending(head) != null) {
                return true;
            }
        }
        return false;
    }

    /** The low tier of a head that has entries and has not chosen yet; null of another. */
    private static @Nullable LowTier pending(HeadEntries head) {
        LowTier low = head.low();
        return low != null && !low.settled() && head.length() > 0 ? low : null;
    }

    /**
     * Chooses for the heads that have not chosen yet.
     *
     * @param queries [queries x queryHeads * headDim], the last ones of a prompt; null for none, when keys alone decide
     */
    void choose(LayerEntries layer, @Nullable Tensor queries, Workers workers) {
        HeadEntries[] heads = layer.heads();
        workers.run((worker, count) -> {
            for (int head = worker; head < heads.length; head += count) {
                LowTier low = pending(heads[head]);
                if (low != null) {
                    low.channels(best(heads[head].rows(), queries, head, heads.length));
                }
            }
        });
    }

    private int[] best(KvRows rows, @Nullable Tensor queries, int head, int heads) {
        double[] keySquares = new double[rows.headDim()];
        float[] key = new float[rows.headDim()];
        for (int slot = 0; slot < rows.length(); slot++) {
            rows.readKey(slot, key);
            for (int channel = 0; channel < key.length; channel++) {
                keySquares[channel] += (double) key[channel] * key[channel];
            }
        }
        long[] ranked = new long[key.length];
        for (int channel = 0; channel < key.length; channel++) {
            double score = keySquares[channel] * querySquares(queries, head, heads, channel, key.length);
            ranked[channel] = Ranking.key((float) score, channel);
        }
        int[] kept = new int[rule.kept(key.length)];
        Ranking.select(ranked, key.length, kept.length);
        for (int i = 0; i < kept.length; i++) {
            kept[i] = Ranking.tieBreaker(ranked[i]);
        }
        Arrays.sort(kept);
        return kept;
    }

    /** The sum of the squares of a channel in all queries of a KV head's group; 1 without queries. */
    private static double querySquares(@Nullable Tensor queries, int head, int heads, int channel, int headDim) {
        if (queries == null || queries.rows() == 0) {
            return 1;
        }
        int group = (int) (queries.columns() / ((long) heads * headDim));
        double sum = 0;
        for (int row = 0; row < queries.rows(); row++) {
            for (int member = head * group; member < (head + 1) * group; member++) {
                float element = queries.get(row, (long) member * headDim + channel);
                sum += (double) element * element;
            }
        }
        return sum;
    }
}
