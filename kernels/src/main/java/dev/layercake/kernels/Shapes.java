package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/** The checks at the door of every kernel: shapes against each other, so that raw addresses stay inside their tensors. */
final class Shapes {
    private Shapes() {}

    static void matmul(Tensor weights, Tensor x, Tensor out) {
        requireFloat32(x, "x");
        requireFloat32(out, "out");
        if (weights.columns() != x.columns() || x.rows() != out.rows() || weights.rows() != out.columns()) {
            throw new IllegalArgumentException("matmul of weights " + weights + " and x " + x + " into " + out);
        }
        requireIndexable(weights.columns(), "inputs");
        requireIndexable(weights.rows(), "outputs");
        requireIndexable(x.rows(), "tokens");
    }

    static void dequantize(Tensor source, long row, Tensor out) {
        requireFloat32(out, "out");
        if (row < 0 || row >= source.rows() || out.rows() < 1 || out.columns() != source.columns()) {
            throw new IllegalArgumentException("row " + row + " of " + source + " into " + out);
        }
    }

    static void quantize(Tensor source, Tensor target) {
        requireFloat32(source, "source");
        requireSame(source, target);
        if (!BlockCodec.encodes(target.dtype())) {
            throw new IllegalArgumentException("nothing is quantised to " + target.dtype());
        }
    }

    static void rmsNorm(Tensor x, Tensor weight, Tensor out) {
        requireFloat32(weight, "weight");
        elementwise(x, out);
        if (weight.rows() != 1 || weight.columns() != x.columns()) {
            throw new IllegalArgumentException("norm weight " + weight + " for " + x);
        }
        requireIndexable(x.columns(), "columns");
    }

    static void rope(Tensor x, int headDim, Tensor cos, Tensor sin) {
        requireFloat32(x, "x");
        requireFloat32(cos, "cos");
        requireFloat32(sin, "sin");
        requireSame(cos, sin);
        if (headDim < 1 || x.columns() % headDim != 0 || cos.rows() != x.rows() || 2 * cos.columns() > headDim) {
            throw new IllegalArgumentException("rope of " + x + " in heads of " + headDim + " by cos " + cos);
        }
    }

    static void elementwise(Tensor left, Tensor right) {
        requireFloat32(left, "left");
        requireFloat32(right, "right");
        requireSame(left, right);
    }

    static void addScaled(Tensor target, Tensor addend) {
        requireFloat32(target, "target");
        requireFloat32(addend, "addend");
        if (addend.columns() != target.columns() || (addend.rows() != target.rows() && addend.rows() != 1)) {
            throw new IllegalArgumentException("adding " + addend + " to " + target);
        }
    }

    static void softcap(Tensor x, float cap) {
        requireFloat32(x, "x");
        if (!(cap > 0)) {
            throw new IllegalArgumentException("softcap " + cap);
        }
    }

    static void addMagnitudes(Tensor x, Tensor sums) {
        requireFloat32(x, "x");
        requireFloat32(sums, "sums");
        if (sums.rows() == 0 || x.columns() % sums.rows() != 0 || sums.columns() < x.rows()) {
            throw new IllegalArgumentException("sums " + sums + " of the rows of " + x);
        }
    }

    static void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values) {
        elementwise(keys, values);
        if (rows.length == 0 || keys.columns() != (long) rows.length * rows[0].headDim()) {
            throw new IllegalArgumentException("keys " + keys + " for " + rows.length + " KV heads");
        }
        for (KvRows head : rows) {
            if (head.headDim() != rows[0].headDim()
                    || fromEnd > head.length()
                    || keys.rows() > fromEnd
                    || !BlockCodec.encodes(head.keyType())
                    || !BlockCodec.encodes(head.valueType())) {
                throw new IllegalArgumentException(keys.rows() + " entries for the last " + fromEnd + " of "
                        + head.length() + " slots of " + head.keyType() + "/" + head.valueType() + " x "
                        + head.headDim());
            }
        }
    }

    static void attend(AttentionShape shape, KvRows[] rows, Tensor queries, Tensor out, @Nullable Tensor softmax) {
        queries(shape, rows, queries);
        elementwise(queries, out);
        if (softmax != null) {
            softmax(shape, queries, softmax);
        }
    }

    static void attentionSums(AttentionShape shape, KvRows[] rows, Tensor queries, Tensor softmax, double[][] sums) {
        queries(shape, rows, queries);
        softmax(shape, queries, softmax);
        perSlot(shape, rows, sums);
    }

    static void dropLosses(
            AttentionShape shape, KvRows[] rows, Tensor queries, Tensor outputs, Tensor softmax, double[][] losses) {
        attend(shape, rows, queries, outputs, softmax);
        perSlot(shape, rows, losses);
    }

    private static void perSlot(AttentionShape shape, KvRows[] rows, double[][] sums) {
        for (int head = 0; head < shape.queryHeads(); head++) {
            int slots = rows[head / shape.group()].length();
            if (sums.length != shape.queryHeads() || sums[head].length < slots) {
                throw new IllegalArgumentException("sums of " + sums.length + " heads for " + shape + ", head " + head
                        + " has " + slots + " slots");
            }
        }
    }

    static void attentionMaxima(
            AttentionShape shape, KvRows[] rows, Tensor queries, JudgedSlots[] judged, float[][] maxima) {
        queries(shape, rows, queries);
        if (judged.length != rows.length || maxima.length != shape.queryHeads()) {
            throw new IllegalArgumentException(
                    "slots of " + judged.length + ", maxima of " + maxima.length + " heads for " + shape);
        }
        for (int head = 0; head < maxima.length; head++) {
            JudgedSlots slots = judged[head / shape.group()];
            if (slots.own() > rows[head / shape.group()].length() || maxima[head].length < slots.count()) {
                throw new IllegalArgumentException(slots + " with " + maxima[head].length + " maxima for head " + head
                        + " of " + rows[head / shape.group()].length() + " slots");
            }
        }
    }

    private static void softmax(AttentionShape shape, Tensor queries, Tensor softmax) {
        requireFloat32(softmax, "softmax");
        if (softmax.rows() != queries.rows() || softmax.columns() != 2L * shape.queryHeads()) {
            throw new IllegalArgumentException("softmax " + softmax + " of " + queries + " for " + shape);
        }
    }

    static void attendOne(
            AttentionShape shape, KvRows[] rows, Tensor query, Tensor out, @Nullable Tensor probabilities) {
        attend(shape, rows, query, out, null);
        if (query.rows() != 1) {
            throw new IllegalArgumentException("one query expected, got " + query);
        }
        if (probabilities != null) {
            requireFloat32(probabilities, "probabilities");
            int longest = 0;
            for (KvRows head : rows) {
                longest = Math.max(longest, head.length());
            }
            if (probabilities.rows() < shape.queryHeads() || probabilities.columns() < longest) {
                throw new IllegalArgumentException(
                        probabilities + " for " + shape.queryHeads() + " heads of up to " + longest + " slots");
            }
        }
    }

    static void upperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores) {
        queries(shape, bounds, query);
        requireFloat32(scores, "scores");
        for (KvRows head : bounds) {
            if (query.rows() != 1
                    || scores.rows() != bounds.length
                    || scores.columns() < head.length()
                    || !(head.keyType() instanceof DType && head.valueType() instanceof DType)) {
                throw new IllegalArgumentException(
                        scores + " of " + query + " for " + head.length() + " pages of " + head.keyType());
            }
        }
    }

    static void windowStatistics(
            AttentionShape shape, KvRows[] rows, Tensor windowQueries, WindowStatistics statistics) {
        queries(shape, rows, windowQueries);
        if (windowQueries.rows() < 1 || statistics.queryHeads() != shape.queryHeads()) {
            throw new IllegalArgumentException(
                    "window " + windowQueries + ", statistics of " + statistics.queryHeads() + " heads");
        }
        for (int head = 0; head < rows.length; head++) {
            if (statistics.candidates(head) > rows[head].length()) {
                throw new IllegalArgumentException(statistics.candidates(head) + " candidates among "
                        + rows[head].length() + " slots of KV head " + head);
            }
        }
    }

    static void requireFloat32(Tensor tensor, String name) {
        if (tensor.dtype() != DType.F32) {
            throw new IllegalArgumentException(name + " must be F32, got " + tensor);
        }
    }

    private static void queries(AttentionShape shape, KvRows[] rows, Tensor queries) {
        requireFloat32(queries, "queries");
        if (rows.length != shape.kvHeads() || queries.columns() != (long) shape.queryHeads() * shape.headDim()) {
            throw new IllegalArgumentException("queries " + queries + " on " + rows.length + " KV heads for " + shape);
        }
        for (KvRows head : rows) {
            KvRows lower = head.lower();
            if (head.headDim() != shape.headDim() || (lower != null && lower.headDim() != shape.headDim())) {
                throw new IllegalArgumentException("entries of " + head.headDim() + " elements for " + shape);
            }
        }
    }

    private static void requireSame(Tensor left, Tensor right) {
        if (left.rows() != right.rows() || left.columns() != right.columns()) {
            throw new IllegalArgumentException(left + " against " + right);
        }
    }

    private static void requireIndexable(long extent, String name) {
        if (extent > Integer.MAX_VALUE - 1024) {
            throw new IllegalArgumentException(extent + " " + name);
        }
    }
}
