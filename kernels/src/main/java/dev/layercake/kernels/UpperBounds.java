package dev.layercake.kernels;

import jdk.incubator.vector.FloatVector;

/**
 * The most that any key of a page can give a query, for all pages of all KV heads: one call's worth. The pages of the heads,
 * one after the other, are cut into equal ranges, one per worker.
 */
final class UpperBounds {
    private final AttentionShape shape;
    private final KvRows[] bounds;
    private final Tensor query;
    private final Tensor scores;
    private final Workers workers;
    private final int padded;
    private final long rowBytes;
    private final long total;

    UpperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores, Workers workers) {
        this.shape = shape;
        this.bounds = bounds;
        this.query = query;
        this.scores = scores;
        this.workers = workers;
        this.padded = Lanes.padded(shape.headDim());
        this.rowBytes = (long) padded * Float.BYTES;
        long pages = 0;
        for (KvRows head : bounds) {
            pages += head.length();
        }
        this.total = pages;
    }

    void run() {
        workers.run((worker, count) -> {
            // The group's queries, a page's maxima and minima, and the sums of one query.
            long scratch = workers.scratch(worker, (shape.group() + 2) * rowBytes + Lanes.BYTES)
                    .address();
            long start = total * worker / count;
            long end = total * (worker + 1) / count;
            long first = 0;
            for (int head = 0; head < bounds.length; head++) {
                int from = Math.clamp(start - first, 0, bounds[head].length());
                int to = Math.clamp(end - first, 0, bounds[head].length());
                if (from < to) {
                    score(head, from, to, scratch);
                }
                first += bounds[head].length();
            }
        });
    }

    private void score(int head, int from, int to, long scratch) {
        int group = shape.group();
        long row = (long) shape.headDim() * Float.BYTES;
        RowDecoder.decode(
                DType.F32,
                query.address() + (long) head * group * row,
                row,
                group,
                shape.headDim(),
                scratch,
                rowBytes,
                padded);
        long high = scratch + group * rowBytes;
        long low = high + rowBytes;
        long sums = low + rowBytes;
        for (int page = from; page < to; page++) {
            RowDecoder.decodeKeys(bounds[head], page, 1, high, rowBytes, padded);
            RowDecoder.decodeValues(bounds[head], page, 1, low, rowBytes, padded);
            float best = Float.NEGATIVE_INFINITY;
            for (int member = 0; member < group; member++) {
                bound(scratch + member * rowBytes, high, low, rowBytes, sums);
                best = Math.max(best, Lanes.sum(sums));
            }
            Memory.putFloat32(scores.rowAddress(head) + (long) page * Float.BYTES, best);
        }
    }

    private static void bound(long query, long high, long low, long bytes, long target) {
        FloatVector sum = VectorWidth.broadcast(0);
        for (long at = 0; at < bytes; at += Lanes.BYTES) {
            FloatVector factor = VectorWidth.load(query + at);
            sum = sum.add(VectorWidth.load(high + at)
                    .mul(factor)
                    .max(VectorWidth.load(low + at).mul(factor)));
        }
        VectorWidth.store(target, sum);
    }
}
