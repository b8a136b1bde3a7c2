package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Ranking;
import dev.layercake.kv.policy.Retention;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Which pages of a layer a token reads: of those in sight the ones that can matter most to it by their {@link KeyBounds}, and
 * always the newest. Each KV head chooses for itself, for all its query heads together.
 *
 * <p>Keeps its arrays from step to step.
 */
final class PageChoice {
    private final Retention.ReadFew rule;
    private BitSet[] unread = new BitSet[0];
    private Tensor scores = Tensor.allocate(Arena.ofAuto(), DType.F32, 1, 1);
    private long[][] keys = new long[0][];

    PageChoice(Retention.ReadFew rule) {
        this.rule = rule;
    }

    /** Withholds the pages that the token need not read, until {@link #release}. */
    void choose(
            int layer,
            LayerEntries entries,
            AttentionShape shape,
            Tensor query,
            int position,
            Kernels kernels,
            Workers workers) {
        HeadEntries[] heads = entries.heads();
        KvRows[] bounds = new KvRows[heads.length];
        int most = 0;
        for (int head = 0; head < heads.length; head++) {
            bounds[head] = heads[head].bounds().rows();
            most = Math.max(most, heads[head].length());
        }
        if (layer < rule.dense() || most <= rule.budget()) {
            return;
        }
        prepare(heads.length, bounds);
        kernels.upperBounds(shape, bounds, query, scores, workers);
        int oldest = shape.slidingWindow() == 0 ? 0 : position - shape.slidingWindow() + 1;
        workers.run((worker, count) -> {
            for (int head = worker; head < heads.length; head += count) {
                withhold(heads[head], head, oldest);
            }
        });
    }

    private void prepare(int heads, KvRows[] bounds) {
        if (unread.length != heads) {
            unread = new BitSet[heads];
            Arrays.setAll(unread, head -> new BitSet());
        }
        int longest = 1;
        for (KvRows head : bounds) {
            longest = Math.max(longest, head.length());
        }
        if (keys.length != heads || scores.columns() < longest) {
            // Freed by the garbage collector: it is small, and nobody would know when to close it.
            scores = Tensor.allocate(Arena.ofAuto(), DType.F32, heads, longest + longest / 2);
            keys = new long[heads][longest + longest / 2];
        }
    }

    /**
     * The newest page, full or not, is read whatever its bound, and counts. Pages that a sliding window has left behind are
     * not judged.
     */
    private void withhold(HeadEntries entries, int head, int oldest) {
        int offset = entries.bounds().offset();
        int first = (offset + firstFrom(entries.rows(), oldest)) / rule.page();
        int judged = Math.max(0, Math.ceilDiv(offset + entries.length(), rule.page()) - 1 - first);
        int chosen = Math.clamp(rule.budget() / rule.page() - 1L, 0, judged);
        long[] ranked = keys[head];
        for (int i = 0; i < judged; i++) {
            ranked[i] = Ranking.key(scores.get(head, first + i), first + i);
        }
        Ranking.select(ranked, judged, chosen);
        BitSet slots = unread[head];
        slots.clear();
        slots.set(0, Math.max(0, first * rule.page() - offset));
        for (int rank = chosen; rank < judged; rank++) {
            int slot = Ranking.tieBreaker(ranked[rank]) * rule.page() - offset;
            slots.set(Math.max(0, slot), slot + rule.page());
        }
        entries.rows().withhold(slots, rule.page(), offset);
    }

    /** The first slot of a position not below {@code oldest}; nothing was evicted, so positions ascend. */
    private static int firstFrom(KvRows rows, int oldest) {
        int low = 0;
        int high = rows.length() - 1;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (rows.position(middle) < oldest) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** Lets the layer be read whole again. */
    void release(LayerEntries entries) {
        for (KvRows head : entries.rows()) {
            head.withhold(null);
        }
    }
}
