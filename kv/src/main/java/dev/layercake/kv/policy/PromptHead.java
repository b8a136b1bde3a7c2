package dev.layercake.kv.policy;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.WindowStatistics;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a scorer may look at when it judges one head after a prompt. The head's entries lie in ascending order of position;
 * the candidates are the first {@link #count} of them, the window follows. A part of a head ({@link #part}) looks like a
 * head that holds those entries only.
 */
public final class PromptHead {
    private final int layer;
    private final int kvHead;
    private final KvRows rows;
    private final int count;
    private final PromptEvidence evidence;
    private final double[][] attentionSums;
    /** Slots of the entries; null if entry i lies at slot i. */
    private final int @Nullable [] slots;

    /**
     * @param rows the head's entries, candidates first
     * @param evidence what was computed about the layer
     * @param attentionSums for each query head of the group and each entry the attention that all new queries together
     *     pay; empty if the scorer does not ask for it
     */
    public PromptHead(
            int layer, int kvHead, KvRows rows, int count, PromptEvidence evidence, double[][] attentionSums) {
        this(layer, kvHead, rows, count, evidence, attentionSums, null);
    }

    private PromptHead(
            int layer,
            int kvHead,
            KvRows rows,
            int count,
            PromptEvidence evidence,
            double[][] attentionSums,
            int @Nullable [] slots) {
        this.layer = layer;
        this.kvHead = kvHead;
        this.rows = rows;
        this.count = count;
        this.evidence = evidence;
        this.attentionSums = attentionSums;
        this.slots = slots;
    }

    /**
     * A head in a decode step, for a scorer that looks at positions, keys and values only.
     *
     * @param global as in {@link PromptEvidence}
     * @param slots of the entries in the cache's logical order, candidates first
     */
    public static PromptHead decoding(int layer, int kvHead, KvRows rows, boolean global, int[] slots, int count) {
        AttentionShape shape = new AttentionShape(1, 1, rows.headDim(), 1, 0, 0);
        PromptEvidence evidence = new PromptEvidence(shape, 0, 1, null, null, null, 1, List.of(), global);
        return new PromptHead(layer, kvHead, rows, count, evidence, new double[0][], slots);
    }

    /**
     * The same head as if it held some of its candidates only, and the window.
     *
     * @param candidates of this head, ascending; they become the candidates 0, 1, ...
     */
    public PromptHead part(int[] candidates) {
        int window = entries() - count;
        int[] chosen = new int[candidates.length + window];
        for (int i = 0; i < candidates.length; i++) {
            chosen[i] = slot(candidates[i]);
        }
        for (int i = 0; i < window; i++) {
            chosen[candidates.length + i] = slot(count + i);
        }
        return new PromptHead(layer, kvHead, rows, candidates.length, evidence, attentionSums, chosen);
    }

    /** The same head without what was computed about its layer, for whoever keeps it and looks at nothing. */
    public PromptHead withoutEvidence() {
        PromptEvidence nothing = new PromptEvidence(
                evidence.shape(), 0, evidence.newTokens(), null, null, null, 0, List.of(), evidence.global());
        return new PromptHead(layer, kvHead, rows, count, nothing, new double[0][], slots);
    }

    private int slot(int entry) {
        return slots == null ? entry : slots[entry];
    }

    public int layer() {
        return layer;
    }

    public int kvHead() {
        return kvHead;
    }

    /** Whether the layer sees everything and others do not. */
    public boolean global() {
        return evidence.global();
    }

    /** Candidates to score. */
    public int count() {
        return count;
    }

    /** Candidates and window together. */
    public int entries() {
        return slots == null ? rows.length() : slots.length;
    }

    public int headDim() {
        return rows.headDim();
    }

    /** The factor on q.k in the layer's attention. */
    public float scale() {
        return evidence.shape().scale();
    }

    /** Position in the text of an entry. */
    public int position(int entry) {
        return rows.position(slot(entry));
    }

    /** Widens an entry's key, rotary embedding applied. */
    public void key(int entry, float[] target) {
        rows.readKey(slot(entry), target);
    }

    /** Widens an entry's value. */
    public void value(int entry, float[] target) {
        rows.readValue(slot(entry), target);
    }

    /** Query heads that share this head. */
    public int group() {
        return evidence.shape().group();
    }

    /** Rows of {@link #attentionSum}: the members of the group, or one if attention is counted. */
    public int attentionSums() {
        return attentionSums.length;
    }

    /** Per entry, the attention that all new queries of a member of the group together pay to it. */
    public double[] attentionSum(int member) {
        double[] all = attentionSums[member];
        if (slots == null) {
            return all;
        }
        double[] some = new double[slots.length];
        for (int i = 0; i < some.length; i++) {
            some[i] = all[slots[i]];
        }
        return some;
    }

    /** How many of the new queries see an entry: those not before it, and not too far behind it. */
    public int seenBy(int entry) {
        long position = position(entry);
        long first = Math.max(position, evidence.firstPosition());
        long end = (long) evidence.firstPosition() + evidence.newTokens();
        int slidingWindow = evidence.shape().slidingWindow();
        if (slidingWindow > 0) {
            end = Math.min(end, position + slidingWindow);
        }
        return (int) Math.max(0, end - first);
    }

    /** Per candidate, the mean attention that the last queries of a member of the group pay to it. */
    public float[] mean(int member) {
        return candidates(window().mean(queryHead(member)));
    }

    /** Per candidate, the unbiased variance of that attention over the queries. */
    public float[] variance(int member) {
        return candidates(window().variance(queryHead(member)));
    }

    /** Per candidate, the sum of magnitudes of its value through a member's columns of the output projection. */
    public float[] outputNorms(int member) {
        return candidates(evidence.outputNorms().get(queryHead(member)));
    }

    /** Mean and covariance of the layer's queries before the rotary embedding; see {@link #queryHead}. */
    public QueryStatistics queries() {
        return Objects.requireNonNull(evidence.queries(), "query statistics");
    }

    /** The layer's rotary embedding. */
    public Rotary rotary() {
        return Objects.requireNonNull(evidence.rotary(), "rotary embedding");
    }

    /** The position that the rotary embedding of the next token will have. */
    public long nextRotation() {
        return evidence.nextRotation();
    }

    /** Index among the layer's query heads of a member of the group. */
    public int queryHead(int member) {
        return kvHead * group() + member;
    }

    private float[] candidates(float[] ofAllCandidates) {
        if (slots == null) {
            return ofAllCandidates;
        }
        float[] some = new float[count];
        for (int i = 0; i < count; i++) {
            some[i] = ofAllCandidates[slots[i]];
        }
        return some;
    }

    private WindowStatistics window() {
        return Objects.requireNonNull(evidence.window(), "window statistics");
    }
}
