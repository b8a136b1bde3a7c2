package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.EntryOrder;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Lookback;
import dev.layercake.kv.policy.PromptHead;
import dev.layercake.kv.policy.Ranking;
import dev.layercake.kv.policy.TokenScorer;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Eviction while decoding (CAKE's, METHODS of the published code): a head that holds more than its count and the window
 * judges all entries but the last {@code window} of its logical order, by the attention of the token that was just added or
 * by keys and values, and keeps the best. In the steady state exactly one entry per head goes.
 *
 * <p>Keeps its arrays from step to step, so that a step allocates nothing once they have their size.
 */
final class StepJudge {
    /** Told the scores of a step before anything is evicted; for tests and plots. */
    interface Observer {
        /** Receives positions and scores of a head's candidates, in logical order; valid in {@code [0, count)}. */
        void scored(int layer, int kvHead, int[] positions, float[] scores, int count);
    }

    private final KvPolicy policy;
    private final Lookback lookback;
    private final int window;
    private @Nullable Observer observer;
    private @Nullable Tensor probabilities;
    private Scratch[] scratch = new Scratch[0];

    /** The arrays of one head's judgement. */
    private static final class Scratch {
        private int[] positions = new int[0];
        private float[] scores = new float[0];
        private float[][] attention = new float[0][];

        void grow(int count, int group) {
            if (count > positions.length) {
                int size = count + count / 2;
                positions = new int[size];
                scores = new float[size];
                attention = new float[group][size];
            } else if (attention.length != group) {
                attention = new float[group][positions.length];
            }
        }
    }

    StepJudge(KvPolicy policy, Lookback lookback) {
        this.policy = policy;
        this.lookback = lookback;
        this.window = policy.scorer().window();
    }

    void observe(Observer newObserver) {
        observer = newObserver;
    }

    /**
     * Room for the attention of each query head, or null if nothing will be evicted by it.
     *
     * @param tokens of the text, the new one included
     */
    @Nullable
    Tensor probabilities(AttentionShape shape, LayerEntries layer, int tokens) {
        if (!policy.scorer().countsAttention() && (!policy.scorer().usesStepAttention() || !exceeds(layer, tokens))) {
            return null;
        }
        int slots = layer.longest();
        Tensor room = probabilities;
        if (room == null || room.rows() != shape.queryHeads() || room.columns() < slots) {
            // Freed by the garbage collector: it is small, and nobody would know when to close it.
            room = Tensor.allocate(Arena.ofAuto(), DType.F32, shape.queryHeads(), slots + slots / 2);
            probabilities = room;
        }
        return room;
    }

    private boolean exceeds(LayerEntries layer, int tokens) {
        if (!policy.schedule().eachStep()) {
            return false;
        }
        for (int head = 0; head < layer.counts.length; head++) {
            if (excess(layer, head, tokens) >= policy.schedule().steps()) {
                return true;
            }
        }
        return false;
    }

    /** What a head holds too much once entries that no later token sees have left. */
    private long excess(LayerEntries layer, int head, int tokens) {
        HeadEntries entries = layer.head(head);
        long excess = entries.length() - (count(layer, head, tokens) + window);
        return excess <= 0 ? excess : excess - entries.countBelow(layer.oldest(tokens));
    }

    /** What a head may hold in full besides the window when the text has so many tokens. */
    long count(LayerEntries layer, int head, int tokens) {
        return policy.allocator().stepCount(layer.counts[head], layer.countedAt, tokens, window);
    }

    void evict(int layerIndex, LayerEntries layer, int tokens, @Nullable Tensor filled, Workers workers) {
        TokenScorer scorer = policy.scorer();
        if (scorer.countsAttention() && filled != null) {
            countAttention(layer, filled);
        }
        int oldest = layer.oldest(tokens);
        if (!exceeds(layer, tokens)) {
            layer.dropBelow(oldest);
            return;
        }
        if (scorer.usesStepAttention() && filled == null) {
            throw new IllegalArgumentException("policy " + policy.name() + " needs the token's attention to evict");
        }
        int heads = layer.heads().length;
        if (scratch.length != heads) {
            scratch = new Scratch[heads];
            Arrays.setAll(scratch, head -> new Scratch());
        }
        workers.run((worker, count) -> {
            for (int head = worker; head < heads; head += count) {
                boolean judges = excess(layer, head, tokens) > 0;
                if (judges && filled != null && !scorer.countsAttention()) {
                    gather(filled, head, layer, oldest);
                }
                layer.head(head).dropBelow(oldest);
                if (judges) {
                    score(layerIndex, layer, head);
                }
            }
        });
        if (policy.sharedByHeads()) {
            share(layer.head(0).length() - window);
        }
        workers.run((worker, count) -> {
            for (int head = worker; head < heads; head += count) {
                if (excess(layer, head, tokens) > 0) {
                    cut(layer, head, (int) count(layer, head, tokens));
                }
            }
        });
    }

    /** Adds what the new token pays to what each entry has got so far. */
    private static void countAttention(LayerEntries layer, Tensor filled) {
        int heads = layer.heads().length;
        int group = (int) filled.rows() / heads;
        for (int head = 0; head < heads; head++) {
            HeadEntries entries = layer.head(head);
            for (int slot = 0; slot < entries.length(); slot++) {
                float sum = 0;
                for (int member = 0; member < group; member++) {
                    sum += filled.get((long) head * group + member, slot);
                }
                entries.addAttention(slot, sum);
            }
        }
    }

    private void score(int layerIndex, LayerEntries layer, int head) {
        HeadEntries entries = layer.head(head);
        KvRows rows = entries.rows();
        Scratch own = scratch[head];
        TokenScorer scorer = policy.scorer();
        boolean counted = scorer.countsAttention();
        int judged = rows.length() - window;
        own.grow(judged, counted ? 1 : own.attention.length);
        for (int place = 0; place < judged; place++) {
            own.positions[place] = rows.position(entries.slot(place));
        }
        if (counted) {
            for (int place = 0; place < judged; place++) {
                own.attention[0][place] = entries.attention(entries.slot(place));
            }
        }
        if (scorer.judgesVectors()) {
            int[] slots = new int[rows.length()];
            Arrays.setAll(slots, entries::slot);
            scorer.scorePrompt(
                    PromptHead.decoding(layerIndex, head, rows, lookback.global(layerIndex), slots, judged),
                    own.scores);
        } else {
            scorer.scoreStep(layerIndex, head, own.positions, judged, own.attention, own.scores);
        }
        Observer told = observer;
        if (told != null) {
            told.scored(layerIndex, head, own.positions, own.scores, judged);
        }
    }

    /** Gives every head the mean of the heads' scores; all hold the same tokens in the same order. */
    private void share(int judged) {
        for (int place = 0; place < judged; place++) {
            double sum = 0;
            for (Scratch head : scratch) {
                sum += head.scores[place];
            }
            for (Scratch head : scratch) {
                head.scores[place] = (float) (sum / scratch.length);
            }
        }
    }

    private void cut(LayerEntries layer, int head, int kept) {
        HeadEntries entries = layer.head(head);
        Scratch own = scratch[head];
        int judged = entries.length() - window;
        if (kept == judged - 1 && policy.order() == EntryOrder.POSITION) {
            entries.evictOne(worst(own.scores, judged));
        } else {
            keepBest(entries, own, judged, kept);
        }
    }

    /** What the new token pays to the candidates of a head, those at positions below one left out. */
    private void gather(Tensor filled, int head, LayerEntries layer, int oldest) {
        HeadEntries entries = layer.head(head);
        Scratch own = scratch[head];
        int group = (int) filled.rows() / layer.heads().length;
        own.grow(entries.length() - window, group);
        int judged = 0;
        for (int place = 0; place < entries.length() - window; place++) {
            int slot = entries.slot(place);
            if (entries.rows().position(slot) >= oldest) {
                for (int member = 0; member < group; member++) {
                    own.attention[member][judged] = filled.data()
                            .get(
                                    ValueLayout.JAVA_FLOAT_UNALIGNED,
                                    (head * group + member) * filled.rowBytes() + (long) slot * Float.BYTES);
                }
                judged++;
            }
        }
    }

    private static int worst(float[] scores, int count) {
        int worst = 0;
        long worstKey = Ranking.key(scores[0], 0);
        for (int place = 1; place < count; place++) {
            long key = Ranking.key(scores[place], place);
            if (key > worstKey) {
                worst = place;
                worstKey = key;
            }
        }
        return worst;
    }

    private void keepBest(HeadEntries entries, Scratch own, int judged, int kept) {
        long[] keys = new long[judged];
        for (int place = 0; place < judged; place++) {
            keys[place] = Ranking.key(own.scores[place], place);
        }
        Ranking.select(keys, judged, kept);
        int[] places = new int[kept + window];
        for (int i = 0; i < kept; i++) {
            places[i] = Ranking.tieBreaker(keys[i]);
        }
        if (policy.order() == EntryOrder.POSITION) {
            // The logical order is that of the positions, and stays so.
            Arrays.sort(places, 0, kept);
        }
        for (int i = 0; i < window; i++) {
            places[kept + i] = judged + i;
        }
        entries.keep(places, places.length);
    }
}
