package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/**
 * The arithmetic of a transformer. Stateless: threads and scratch memory come with the {@link Workers} that each call is
 * given, and a call returns when its result is complete. {@code ScalarKernels} is the specification: the others agree
 * with it up to the order of float additions.
 *
 * <p>Activations are float32, row-major, one row per token. Shapes are checked at entry ({@link
 * IllegalArgumentException}); overlapping inputs and outputs are allowed only where said.
 */
public interface Kernels {
    /** Short name: "scalar", "simd". */
    String name();

    /**
     * {@code out[t][r] = sum over c of weights[r][c] * x[t][c]}: a linear layer.
     *
     * @param weights [outputs x inputs], any dtype
     * @param x [tokens x inputs] float32
     * @param out [tokens x outputs] float32
     */
    void matmul(Tensor weights, Tensor x, Tensor out, Workers workers);

    /**
     * Several linear layers of one input: {@code matmul(weights[i], x, outs[i])} for each i. One token passes matrices so
     * fast that starting the threads for each of them is felt.
     */
    default void matmulAll(Tensor[] weights, Tensor x, Tensor[] outs, Workers workers) {
        for (int matrix = 0; matrix < weights.length; matrix++) {
            matmul(weights[matrix], x, outs[matrix], workers);
        }
    }

    /** Widens row {@code row} of a tensor of any dtype into {@code out} (float32, one row). */
    void dequantize(Tensor source, long row, Tensor out);

    /** Converts float32 rows to {@code target}'s dtype (F32, F16, BF16, Q8_0, Q4_0), rounding to nearest. */
    void quantize(Tensor source, Tensor target, Workers workers);

    /**
     * Root-mean-square norm of each row: {@code out = x / sqrt(mean(x^2) + epsilon) * weight}. In place is allowed.
     *
     * @param weight float32, one row of as many columns as {@code x}
     */
    void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor out, Workers workers);

    /**
     * Rotary position embedding, in place. The first {@code 2 * cos.columns()} elements of each head are rotated, the
     * rest stays. With {@code interleaved} pair i is (x[2i], x[2i+1]) (GGUF's Llama layout), otherwise (x[i], x[i + pairs])
     * (Hugging Face's layout).
     *
     * @param x [tokens x heads * headDim]
     * @param cos [tokens x pairs], {@code sin} likewise
     */
    void rope(Tensor x, int headDim, Tensor cos, Tensor sin, boolean interleaved, Workers workers);

    /** {@code gate = silu(gate) * up}, elementwise, in place. */
    void siluGate(Tensor gate, Tensor up, Workers workers);

    /** {@code gate = gelu(gate) * up} with the tanh approximation of gelu, elementwise, in place. */
    void geluGate(Tensor gate, Tensor up, Workers workers);

    /** {@code target += factor * addend}, elementwise. An addend of one row is added to every row (a bias). */
    void addScaled(Tensor target, Tensor addend, float factor, Workers workers);

    /** {@code x *= factor}, elementwise. */
    void scale(Tensor x, float factor, Workers workers);

    /** {@code x = cap * tanh(x / cap)}, elementwise. */
    void softcap(Tensor x, float cap, Workers workers);

    /**
     * Adds up magnitudes in equal runs of columns: {@code sums[i][r] += sum over the i-th run of |x[r][c]|}.
     *
     * @param sums [runs x at least as many as x has rows] float32
     */
    void addMagnitudes(Tensor x, Tensor sums, Workers workers);

    /**
     * Writes keys and values into consecutive slots of every KV head, converted to the rows' dtypes. The first slot lies
     * {@code fromEnd} before the head's end, for heads may differ in length. The slots must already be in use ({@link
     * KvRows#append}).
     *
     * @param fromEnd at least the number of tokens
     * @param keys [tokens x kvHeads * headDim]; {@code values} likewise
     */
    void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values, Workers workers);

    /**
     * Causal attention of consecutive tokens, the prefill's: query t has position {@code firstPosition + t} and sees
     * every slot whose position is not greater (and inside the sliding window), unless the slot is hidden from it ({@link
     * KvRows#hide}). Streams over the slots (online softmax,
     * FlashAttention); never a tokens x slots matrix.
     *
     * @param rows one per KV head, positions ascending along the slots of each run
     * @param queries [tokens x queryHeads * headDim], rotary embedding applied
     * @param out as {@code queries}; a query that sees no slot gets zeros
     * @param softmax if given, [tokens x 2 * queryHeads]: receives what {@link #attentionSums} needs of each query's softmax,
     *     the maximum of its scores for every head, then the inverse of its sum of exponentials
     */
    void attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor out,
            @Nullable Tensor softmax,
            Workers workers);

    /** As the other, when nobody asks for the softmax. */
    default void attend(
            AttentionShape shape, KvRows[] rows, Tensor queries, int firstPosition, Tensor out, Workers workers) {
        attend(shape, rows, queries, firstPosition, out, null, workers);
    }

    /**
     * Adds up, for every slot, the attention that queries pay to it: {@code sums[h][j] += sum over t of A[h][t][j]} (H2O's
     * column sums). The scores are computed a second time, in blocks; half the arithmetic of {@link #attend}.
     *
     * @param queries what was given to {@link #attend}; rows and first position likewise
     * @param softmax what it left
     * @param sums for each query head at least as many as its KV head has slots
     */
    void attentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers);

    /**
     * Attention of one token over all slots, the decode's; each key and value row is read once for the whole group.
     *
     * @param rows one per KV head, slots in any order, lengths may differ; {@link KvRows#withhold} is obeyed
     * @param query [1 x queryHeads * headDim]
     * @param position of the query; with a sliding window older slots get probability 0
     * @param out as {@code query}
     * @param probabilities if given, [queryHeads x at least the longest length]: row h receives the softmax attention on
     *     slots {@code [0, length)} of its KV head, and behind them on those of its lower runs, as many runs as there are
     *     columns for
     */
    void attendOne(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            Tensor out,
            @Nullable Tensor probabilities,
            Workers workers);

    /**
     * For every page of keys the most that one of them can give a query (Quest's criterion): {@code scores[h][p]} is the
     * largest, over the query heads of KV head h, of the sum over c of {@code max(q[c] * high[c], q[c] * low[c])}. The
     * softmax's scale, which all pages share, is left out.
     *
     * @param bounds one per KV head: row p has the largest elements of a page's keys as its key and the smallest as its value,
     *     so that no element of the one is below the other's
     * @param query [1 x queryHeads * headDim]
     * @param scores [kvHeads x at least as many as a head has pages] float32
     */
    void upperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores, Workers workers);

    /**
     * Statistics of the window's attention; see {@link WindowStatistics}. Works head by head, so that memory stays
     * proportional to window x slots of one head per worker.
     *
     * @param rows one per KV head, positions ascending, holding candidates and window; a {@link KvRows#lower} run is attended
     *     to but not judged
     * @param windowQueries [queries x queryHeads * headDim] of the last consecutive tokens, rotary embedding applied
     * @param firstPosition position of the first of them; the causal mask, the sliding window and hidden slots hold
     * @param statistics says how many slots to judge per KV head, and receives the result
     */
    void windowStatistics(
            AttentionShape shape,
            KvRows[] rows,
            Tensor windowQueries,
            int firstPosition,
            WindowStatistics statistics,
            Workers workers);

    /**
     * The most attention that any query pays to each of some slots, if it looks at nothing but what {@code judged} says:
     * {@code maxima[h][j] = max(maxima[h][j], max over t of A[h][t][from + j])}, with A the softmax over those slots alone.
     *
     * @param rows one per KV head, positions ascending; a {@link KvRows#lower} run is not looked at
     * @param queries [tokens x queryHeads * headDim] of consecutive tokens, rotary embedding applied
     * @param firstPosition position of the first of them; the causal mask, the sliding window and hidden slots hold
     * @param judged which slots, for each KV head
     * @param maxima for each query head at least as many as there are judged slots
     */
    void attentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers);

    /**
     * Adds up, for every slot, what queries would lose without it: {@code losses[h][j] += sum over t of} the squared length by
     * which {@code outputs[t][h]} moves if slot j alone is dropped and the softmax goes over the others. With the probability p
     * and the value v that is {@code (p / (1 - p))^2 |v - outputs[t][h]|^2}, where at least 1e-6 is left for the others.
     *
     * @param queries what was given to {@link #attend}; rows and first position likewise. A {@link KvRows#lower} run is not
     *     judged
     * @param outputs what it computed
     * @param softmax what it left
     * @param losses for each query head at least as many as its KV head has slots
     */
    void dropLosses(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor outputs,
            Tensor softmax,
            double[][] losses,
            Workers workers);
}
