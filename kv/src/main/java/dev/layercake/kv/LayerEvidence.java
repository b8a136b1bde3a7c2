package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.WindowStatistics;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.ChunkAttention;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.PromptEvidence;
import dev.layercake.kv.policy.PromptHead;
import dev.layercake.kv.policy.QueryStatistics;
import dev.layercake.kv.policy.TokenScorer;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a prompt tells about one layer while it passes, as far as the policy asks for it, and the scores that come of it. The
 * layer's entries lie in ascending order of position.
 */
final class LayerEvidence {
    private final KvCache cache;
    private final KvPolicy policy;
    private final int layer;
    private final LayerEntries entries;
    private final int newTokens;
    private final Kernels kernels;
    private final Workers workers;
    private final int window;
    /** What each slot gets from all queries, per query head; empty if nobody asks. */
    private double[][] attentionSums = new double[0][];

    private @Nullable ChunkSums chunkSums;
    private @Nullable QueryStatistics queryStatistics;

    LayerEvidence(KvCache cache, int layer, int newTokens, Kernels kernels, Workers workers) {
        this.cache = cache;
        this.policy = cache.policy();
        this.layer = layer;
        this.entries = cache.layer(layer);
        this.newTokens = newTokens;
        this.kernels = kernels;
        this.workers = workers;
        this.window = policy.scorer().window();
    }

    /** Takes queries whose keys have been stored, for a scorer that judges by attention inside chunks. */
    void addQueries(AttentionShape shape, Tensor queries) {
        ChunkAttention chunks = policy.scorer().chunkAttention();
        if (chunks == null) {
            return;
        }
        ChunkSums sums = chunkSums;
        if (sums == null) {
            sums = new ChunkSums(chunks, shape, entries.rows(), newTokens);
            chunkSums = sums;
            attentionSums = sums.sums();
        }
        sums.add(queries, workers);
    }

    /** Adds up what queries pay to each entry; see {@link KvPrefill#addAttention}. */
    void addAttention(AttentionShape shape, int firstToken, Tensor queries, Tensor softmax) {
        if (firstToken == 0) {
            attentionSums = perSlot(shape);
        }
        int position = cache.tokensSeen() + firstToken;
        kernels.attentionSums(shape, entries.rows(), queries, position, softmax, attentionSums, workers);
    }

    /** Forgets what was summed up for the first slots of a head, whose entries have left; the others are slots 0, 1, ... now. */
    void dropFirst(int kvHead, int slots) {
        int group = attentionSums.length / entries.heads().length;
        for (int head = kvHead * group; head < (kvHead + 1) * group && slots > 0; head++) {
            attentionSums[head] = Arrays.copyOfRange(attentionSums[head], slots, attentionSums[head].length);
        }
    }

    /** For each query head a number for each slot. */
    private double[][] perSlot(AttentionShape shape) {
        double[][] numbers = new double[shape.queryHeads()][];
        for (int head = 0; head < numbers.length; head++) {
            numbers[head] = new double[entries.head(head / shape.group()).length()];
        }
        return numbers;
    }

    /** Takes queries before their rotary embedding; see {@link KvPrefill#addPlainQueries}. */
    void addPlainQueries(AttentionShape shape, int firstToken, Tensor queries) {
        QueryStatistics statistics = queryStatistics;
        if (statistics == null) {
            statistics = new QueryStatistics(shape);
            queryStatistics = statistics;
        }
        long passedOver = (long) policy.plainQueriesFrom() - cache.tokensSeen() - firstToken;
        statistics.add(queries, (int) Math.max(0, passedOver), workers);
    }

    /**
     * What the attention of the last queries tells; null if nobody asks or there is nothing to judge.
     *
     * @param judges whether scores will be asked for
     */
    @Nullable
    WindowStatistics windowStatistics(AttentionShape shape, @Nullable Tensor windowQueries, boolean judges) {
        Tensor seeing = windowQueries == null ? null : seeing(windowQueries);
        if (seeing == null || seeing.rows() == 0) {
            return null;
        }
        int[] judged = judged();
        if (Arrays.stream(judged).allMatch(count -> count == 0)) {
            return null;
        }
        int first = cache.tokensSeen() + newTokens - (int) seeing.rows();
        if (policy.scorer().usesDropLosses()) {
            if (judges) {
                attentionSums = dropLosses(shape, seeing, first);
            }
            return null;
        }
        WindowStatistics statistics = new WindowStatistics(shape, judged);
        kernels.windowStatistics(shape, entries.rows(), seeing, first, statistics, workers);
        return statistics;
    }

    /** Of the last queries, those that came with or after the first entry that is still there for the sliding window's sake. */
    private Tensor seeing(Tensor queries) {
        int count = (int) Math.min(queries.rows(), cache.lookback().of(layer));
        return queries.slice(queries.rows() - count, count);
    }

    /** What the window's queries would lose with each slot. */
    private double[][] dropLosses(AttentionShape shape, Tensor queries, int firstPosition) {
        double[][] losses = perSlot(shape);
        try (Arena arena = Arena.ofShared()) {
            Tensor outputs = Tensor.allocate(arena, DType.F32, queries.rows(), queries.columns());
            Tensor softmax = Tensor.allocate(arena, DType.F32, queries.rows(), 2L * shape.queryHeads());
            kernels.attend(shape, entries.rows(), queries, firstPosition, outputs, softmax, workers);
            kernels.dropLosses(shape, entries.rows(), queries, firstPosition, outputs, softmax, losses, workers);
        }
        return losses;
    }

    /** Candidates of each head. */
    private int[] judged() {
        int[] judged = new int[entries.heads().length];
        for (int head = 0; head < judged.length; head++) {
            judged[head] = Math.max(0, entries.head(head).length() - window);
        }
        return judged;
    }

    /** Lets each entry remember what attention it got, if the policy counts on while decoding. */
    void countAttention() {
        if (!policy.scorer().countsAttention() || attentionSums.length == 0) {
            return;
        }
        int heads = entries.heads().length;
        for (int head = 0; head < heads; head++) {
            HeadEntries one = entries.head(head);
            for (int slot = 0; slot < one.length(); slot++) {
                double sum = 0;
                for (double[] member : groupSums(head, heads)) {
                    sum += member[slot];
                }
                one.addAttention(slot, (float) sum);
            }
        }
    }

    /** What the policy may look at in each head. */
    PromptHead[] heads(AttentionShape shape, @Nullable WindowStatistics statistics) {
        TokenScorer scorer = policy.scorer();
        int[] judged = judged();
        Rotations next = cache.rotations(newTokens);
        PromptEvidence evidence = new PromptEvidence(
                shape,
                cache.tokensSeen(),
                newTokens,
                scorer.queries() > 0 ? statistics : null,
                policy.plainQueriesFrom() >= 0 && queryStatistics == null
                        ? new QueryStatistics(shape)
                        : queryStatistics,
                scorer.usesRotary() ? cache.parts().rotary(layer, next.length()) : null,
                (long) next.first() + newTokens,
                policy.selection().usesOutput()
                        ? List.of(new OutputNorms(shape, entries.rows(), kernels, workers)
                                .compute(cache.parts(), layer, judged))
                        : List.of(),
                cache.lookback().global(layer));
        PromptHead[] heads = new PromptHead[judged.length];
        for (int head = 0; head < judged.length; head++) {
            heads[head] = new PromptHead(layer, head, entries.rows()[head], judged[head], evidence, seenSums(head));
        }
        return heads;
    }

    /** What all queries paid to a head's entries: in this prompt for each member of the group, or ever since, together. */
    private double[][] seenSums(int head) {
        if (!policy.scorer().countsAttention()) {
            return groupSums(head, entries.heads().length);
        }
        double[] counted = new double[entries.head(head).length()];
        for (int slot = 0; slot < counted.length; slot++) {
            counted[slot] = entries.head(head).attention(slot);
        }
        return new double[][] {counted};
    }

    private double[][] groupSums(int head, int heads) {
        int group = attentionSums.length / heads;
        return Arrays.copyOfRange(attentionSums, head * group, (head + 1) * group);
    }

    /** The scores of each head's candidates, by ascending position. */
    float[][] score(PromptHead[] heads) {
        float[][] all = new float[heads.length][];
        workers.run((worker, count) -> {
            for (int head = worker; head < all.length; head += count) {
                all[head] = new float[heads[head].count()];
                if (all[head].length > 0) {
                    policy.scorer().scorePrompt(heads[head], all[head]);
                }
            }
        });
        return policy.sharedByHeads() ? shared(all) : all;
    }

    /** The mean over the heads, once for each head. */
    private static float[][] shared(float[][] all) {
        float[][] same = new float[all.length][all[0].length];
        for (int i = 0; i < all[0].length; i++) {
            double sum = 0;
            for (float[] head : all) {
                sum += head[i];
            }
            for (float[] head : same) {
                head[i] = (float) (sum / all.length);
            }
        }
        return same;
    }
}
