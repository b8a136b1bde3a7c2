package dev.layercake.kv.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Some heads keep everything, the others their first and recent entries: DuoAttention (arXiv 2410.10819), with heads told
 * apart by the score that kvpress computes on the fly (NVIDIA/kvpress 8bb29b9) instead of one that is trained.
 *
 * <p>Deviation: kvpress masks what a streaming head drops; here its memory is freed.
 *
 * @param profile how far back each head looks
 * @param ratio share of the heads that become streaming ones, those that look least far back
 * @param limit entries of a streaming head
 */
record StreamingHeads(HeadProfile profile, double ratio, int limit) implements BudgetAllocator {
    @Override
    public int budget() {
        return Integer.MAX_VALUE;
    }

    @Override
    public boolean monotone() {
        return true;
    }

    /** Streaming heads as layer x kvHeads + head; of equal scores the first head streams first. */
    private Set<Integer> streaming() {
        double[] scores = profile.all();
        List<Integer> order =
                new ArrayList<>(IntStream.range(0, scores.length).boxed().toList());
        order.sort(Comparator.comparingDouble(head -> scores[head]));
        return new TreeSet<>(order.subList(0, (int) Math.round(ratio * scores.length)));
    }

    private int[] counts(int layer) {
        Set<Integer> streaming = streaming();
        int[] counts = new int[profile.kvHeads()];
        for (int head = 0; head < counts.length; head++) {
            counts[head] = streaming.contains(layer * counts.length + head) ? limit : Integer.MAX_VALUE;
        }
        return counts;
    }

    @Override
    public boolean keepsAll(Stage stage) {
        return IntStream.range(0, stage.layers()).allMatch(layer -> stage.candidates(layer) <= limit);
    }

    @Override
    public int[] allocate(Stage stage) {
        int[] counts = new int[stage.seen()];
        Arrays.setAll(counts, layer -> Arrays.stream(counts(layer)).max().orElse(limit));
        return counts;
    }

    @Override
    public int[] heads(Stage stage, int layer, int count, float[][] scores) {
        return counts(layer);
    }

    @Override
    public long atMost(Stage stage) {
        long sum = 0;
        for (int layer = 0; layer < stage.seen(); layer++) {
            for (int count : counts(layer)) {
                sum += Math.min(count, stage.candidates(layer));
            }
        }
        return (sum + profile.kvHeads() - 1) / profile.kvHeads();
    }

    @Override
    public boolean ragged() {
        return true;
    }

    @Override
    public int uncutCount() {
        return Integer.MAX_VALUE;
    }

    @Override
    public int uncutCount(Lookback lookback, int layer, int kvHead) {
        return counts(layer)[kvHead];
    }
}
