package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.JudgedSlots;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.KvPolicy;

/**
 * A pass in which the model repeats a part of the text, so that its entries are judged by what the repetition looks at:
 *
 * <pre>
 * for each layer:  rows = beginLayer(layer)
 *                  for each chunk of tokens:  store(first, keys, values);  addAttention(shape, first, queries)
 *                                             kernels.attend(..., rows, ...)
 *                  endLayer()
 * finish()
 * </pre>
 *
 * <p>The tokens of the pass have the positions after the text and see all that the cache holds. A layer that is running holds
 * their entries too; it gives them back when it ends, so that they take the memory of one layer. What an entry of the part
 * is worth is the largest probability that any query of the pass, in any query head of its group, gives it in a softmax over the
 * first tokens of the text, the part, and the pass's own tokens. It remembers that, from turn to turn and across cuts.
 */
public final class ContextReplay extends LayerPass {
    /** The most tokens that may ask for a repetition, which stand before the repeated ones. */
    public static final int MOST_ASKING_TOKENS = 128;

    private final int from;
    private final int textTokens;
    private final int passTokens;
    private final Kernels kernels;
    private final Workers workers;
    private final JudgedSlots[] judged;
    private final long start = System.nanoTime();
    private float[][] maxima = new float[0][];

    /** @param from position of the part's first token */
    ContextReplay(KvCache cache, int from, int textTokens, int passTokens, Kernels kernels, Workers workers) {
        if (textTokens < 1
                || textTokens > cache.tokensSeen() - from
                || passTokens < textTokens
                || passTokens > mostTokens(cache.policy(), cache.tokensSeen())) {
            throw new IllegalArgumentException("a pass of " + passTokens + " tokens that repeats " + textTokens
                    + " from " + from + " on, of " + cache.tokensSeen() + ", for policy " + cache.policy());
        }
        super(cache, "the replay");
        this.from = from;
        this.textTokens = textTokens;
        this.passTokens = passTokens;
        this.kernels = kernels;
        this.workers = workers;
        this.judged = new JudgedSlots[cache.layout().kvHeads()];
    }

    /** The most tokens that a pass may have when the text has so many; a policy that replays says how many it repeats. */
    public static int mostTokens(KvPolicy policy, int tokens) {
        return Math.min(tokens, policy.scorer().replayTokens()) + MOST_ASKING_TOKENS;
    }

    /** Bytes that scores take: those of all entries when the text has so many tokens, and a layer's during a pass. */
    public static long judgingBytes(KvPolicy policy, AttentionShape shape, int layers, int tokens) {
        int repeated = Math.min(tokens, policy.scorer().replayTokens());
        return Float.BYTES * ((long) layers * shape.kvHeads() * tokens + (long) shape.queryHeads() * repeated);
    }

    /** Position of the pass's first token. */
    public int firstPosition() {
        return cache.tokensSeen();
    }

    /**
     * Makes room for the pass's tokens in the next layer.
     *
     * @param index the layer, one more than the last one
     * @return the layer's entries, one element per KV head, in ascending order of position; the pass's tokens are the last slots,
     *     to be filled by {@link #store}
     */
    public KvRows[] beginLayer(int index) {
        begin(index);
        LayerEntries entries = cache.layer(layer());
        for (int head = 0; head < judged.length; head++) {
            HeadEntries one = entries.head(head);
            one.sortByPosition();
            judged[head] = judgedSlots(one.rows());
            one.append(firstPosition(), cache.nextRotation(), passTokens);
        }
        maxima = new float[0][];
        return entries.rows();
    }

    private JudgedSlots judgedSlots(KvRows rows) {
        int first = firstFrom(rows, from);
        int sinks = Math.min(first, firstFrom(rows, cache.policy().scorer().sinks()));
        return new JudgedSlots(sinks, first, firstFrom(rows, from + textTokens), rows.length());
    }

    /** The first slot whose token is at a position or after it. */
    private static int firstFrom(KvRows rows, int position) {
        int slot = rows.length();
        while (slot > 0 && rows.position(slot - 1) >= position) {
            slot--;
        }
        return slot;
    }

    /**
     * Writes keys and values of consecutive tokens of the pass in the running layer.
     *
     * @param firstToken index among the pass's tokens
     * @param keys [tokens x kvHeads * headDim] float32, rotary embedding applied; {@code values} likewise
     */
    public void store(int firstToken, Tensor keys, Tensor values) {
        require(inLayer(), "tokens are stored");
        requireTokens(firstToken, keys);
        cache.layer(layer()).store(passTokens - firstToken, keys, values, kernels, workers);
    }

    /**
     * Judges the part's entries by queries whose keys, and all before them, have been stored.
     *
     * @param firstToken index among the pass's tokens
     * @param queries [tokens x queryHeads * headDim] float32, rotary embedding applied
     */
    public void addAttention(AttentionShape shape, int firstToken, Tensor queries) {
        require(inLayer(), "attention is added");
        requireTokens(firstToken, queries);
        if (maxima.length == 0) {
            maxima = new float[shape.queryHeads()][];
            for (int head = 0; head < maxima.length; head++) {
                maxima[head] = new float[judged[head / shape.group()].count()];
            }
        }
        KvRows[] rows = cache.layer(layer()).rows();
        kernels.attentionMaxima(shape, rows, queries, firstPosition() + firstToken, judged, maxima, workers);
    }

    private void requireTokens(int firstToken, Tensor tokens) {
        if (firstToken < 0 || tokens.rows() > passTokens - firstToken) {
            throw new IllegalArgumentException(
                    tokens.rows() + " tokens from " + firstToken + " on in a pass of " + passTokens);
        }
    }

    /** Lets the part's entries remember what they are worth, and takes the pass's own back. */
    public void endLayer() {
        end();
        int group = maxima.length / judged.length;
        for (int head = 0; head < judged.length; head++) {
            HeadEntries entries = cache.layer(layer()).head(head);
            for (int index = 0; index < judged[head].count() && group > 0; index++) {
                float most = 0;
                for (int member = head * group; member < (head + 1) * group; member++) {
                    most = Math.max(most, maxima[member][index]);
                }
                entries.addAttention(judged[head].from() + index, most);
            }
            entries.takeBack(passTokens);
        }
    }

    /** Ends the pass: the part counts as repeated. */
    public void finish() {
        end("the replay ends");
        cache.replayed(textTokens);
        cache.countPolicyTime(start);
    }
}
