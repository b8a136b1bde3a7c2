package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.Ranking;
import java.util.Arrays;

/**
 * One cut of all heads of all layers to the best entries among them all, by what each is worth, sinks before all others. At
 * equal worth the lower position stays, then the earlier layer, then the earlier head. The worst rank that stays is found by
 * counting, so that nothing grows with the number of entries.
 */
final class GlobalCut {
    private static final int HALF = 1 << 16;

    private final LayerEntries[] layers;
    private final int tokens;
    private final int sinks;
    /** What stays: ranks below this one, and of this one some at lower positions. */
    private int lastRank;

    /** Of the last rank those at positions below this one stay, and some at it. */
    private int lastPosition;

    private long leftAtLastPosition;

    /**
     * @param sinks positions below it stay if anything does
     * @param tokens of the text
     */
    GlobalCut(LayerEntries[] layers, int sinks, int tokens) {
        this.layers = layers;
        this.tokens = tokens;
        this.sinks = sinks;
    }

    /** @param kept how many entries stay in all, less than there are */
    void cut(long kept, Workers workers) {
        int heads = layers[0].heads().length;
        workers.run((worker, team) -> {
            for (int index = worker; index < layers.length * heads; index += team) {
                layers[index / heads].head(index % heads).sortByPosition();
            }
        });
        long[] counts = new long[HALF];
        count(counts, 0, false);
        long better = find(counts, kept, 0);
        int upper = lastRank;
        Arrays.fill(counts, 0);
        count(counts, upper, true);
        better = find(counts, kept, better);
        lastRank = (upper << 16 | lastRank) ^ Integer.MIN_VALUE;
        findPosition(kept - better);
        int[][] stays = new int[layers.length * heads][];
        for (int index = 0; index < stays.length; index++) {
            stays[index] = staying(layers[index / heads].head(index % heads));
        }
        workers.run((worker, team) -> {
            for (int index = worker; index < stays.length; index += team) {
                layers[index / heads].head(index % heads).arrange(stays[index], stays[index].length);
            }
        });
        for (LayerEntries layer : layers) {
            settle(layer);
        }
    }

    /** Smaller is better; sinks have the smallest. */
    private int rank(HeadEntries head, int slot) {
        return head.rows().position(slot) < sinks
                ? Integer.MIN_VALUE
                : (int) (Ranking.key(head.attention(slot), 0) >> 32);
    }

    /** Counts entries by the upper half of their ranks, or those of one upper half by the lower one. */
    private void count(long[] counts, int upper, boolean lower) {
        for (LayerEntries layer : layers) {
            for (HeadEntries head : layer.heads()) {
                for (int slot = 0; slot < head.length(); slot++) {
                    int ascending = rank(head, slot) ^ Integer.MIN_VALUE;
                    if (!lower) {
                        counts[ascending >>> 16]++;
                    } else if (ascending >>> 16 == upper) {
                        counts[ascending & (HALF - 1)]++;
                    }
                }
            }
        }
    }

    /** Sets the last rank to the one at which {@code kept} is reached; returns how many are better. */
    private long find(long[] counts, long kept, long before) {
        long better = before;
        lastRank = 0;
        while (better + counts[lastRank] < kept) {
            better += counts[lastRank++];
        }
        return better;
    }

    /** Finds up to which position entries of the last rank stay. */
    private void findPosition(long left) {
        int[] counts = new int[tokens];
        for (LayerEntries layer : layers) {
            for (HeadEntries head : layer.heads()) {
                for (int slot = 0; slot < head.length(); slot++) {
                    if (rank(head, slot) == lastRank) {
                        counts[head.rows().position(slot)]++;
                    }
                }
            }
        }
        leftAtLastPosition = left;
        lastPosition = 0;
        while (leftAtLastPosition > counts[lastPosition]) {
            leftAtLastPosition -= counts[lastPosition++];
        }
    }

    /** The slots of a head that stay, by ascending position. */
    private int[] staying(HeadEntries head) {
        KvRows rows = head.rows();
        int[] slots = new int[rows.length()];
        int count = 0;
        for (int slot = 0; slot < slots.length; slot++) {
            int rank = rank(head, slot);
            int position = rows.position(slot);
            boolean stays = rank < lastRank || (rank == lastRank && position < lastPosition);
            if (!stays && rank == lastRank && position == lastPosition && leftAtLastPosition > 0) {
                leftAtLastPosition--;
                stays = true;
            }
            if (stays) {
                slots[count++] = slot;
            }
        }
        return Arrays.copyOf(slots, count);
    }

    private void settle(LayerEntries layer) {
        for (int head = 0; head < layer.counts.length; head++) {
            layer.counts[head] = layer.head(head).length();
        }
        layer.countedAt = tokens;
        layer.windowInFront = -1;
    }
}
