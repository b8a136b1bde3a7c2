package dev.layercake.kernels;

/**
 * The most that any key of a page can give a query, for all pages of all KV heads: one call's worth. The larger of q high and q
 * low is q high where q is positive and q low where it is negative, so that a bound is one product: of the page's maxima and
 * minima with the query's positive and negative part. The pages of the heads, one after the other, are cut into equal ranges, one
 * per worker.
 */
final class UpperBounds {
    private static final int BLOCK = 32;

    private final AttentionShape shape;
    private final KvRows[] bounds;
    private final Tensor query;
    private final Tensor scores;
    private final Workers workers;
    private final int padded;
    /** Of a page's maxima and minima. */
    private final long rowBytes;

    private final int queryTiles;
    private final long tileBytes;
    private final long total;

    UpperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores, Workers workers) {
        this.shape = shape;
        this.bounds = bounds;
        this.query = query;
        this.scores = scores;
        this.workers = workers;
        this.padded = Lanes.padded(shape.headDim());
        this.rowBytes = 2L * padded * Float.BYTES;
        this.queryTiles = Math.ceilDiv(shape.group(), GroupProduct.QUERIES);
        this.tileBytes = rowBytes * GroupProduct.QUERIES;
        long pages = 0;
        for (KvRows head : bounds) {
            pages += head.length();
        }
        this.total = pages;
    }

    void run() {
        // A narrow tile is written with a vector that reaches beyond it.
        long products = (BLOCK / GroupProduct.KEYS + 1L) * GroupProduct.TILE_BYTES;
        workers.run((worker, count) -> {
            long scratch = workers.scratch(worker, queryTiles * tileBytes + BLOCK * rowBytes + products)
                    .address();
            long start = total * worker / count;
            long end = total * (worker + 1) / count;
            long first = 0;
            for (int head = 0; head < bounds.length; head++) {
                int from = Math.clamp(start - first, 0, bounds[head].length());
                int to = Math.clamp(end - first, 0, bounds[head].length());
                if (from < to) {
                    packQueries(head, scratch);
                    for (int page = from; page < to; page += BLOCK) {
                        score(head, page, Math.min(BLOCK, to - page), scratch);
                    }
                }
                first += bounds[head].length();
            }
        });
    }

    /** The parts of the group's queries, vector by vector, tile by tile. */
    private void packQueries(int head, long target) {
        Columns.fill(target, queryTiles * tileBytes, 0f);
        for (int member = 0; member < shape.group(); member++) {
            long source = query.address() + (long) (head * shape.group() + member) * shape.headDim() * Float.BYTES;
            long tile = target + member / GroupProduct.QUERIES * tileBytes;
            for (int i = 0; i < shape.headDim(); i++) {
                float element = Memory.float32(source + (long) i * Float.BYTES);
                Memory.putFloat32(tile + place(member, i), Math.max(element, 0));
                Memory.putFloat32(tile + place(member, padded + i), Math.min(element, 0));
            }
        }
    }

    /** Where an element of a member's parts lies in its tile. */
    private static long place(int member, int element) {
        long vector = (long) element / Lanes.COUNT * GroupProduct.QUERIES + member % GroupProduct.QUERIES;
        return vector * Lanes.BYTES + (long) element % Lanes.COUNT * Float.BYTES;
    }

    private void score(int head, int page, int count, long scratch) {
        long rows = scratch + queryTiles * tileBytes;
        long products = rows + BLOCK * rowBytes;
        RowDecoder.decodeKeys(bounds[head], page, count, rows, rowBytes, padded);
        RowDecoder.decodeValues(bounds[head], page, count, rows + rowBytes / 2, rowBytes, padded);
        long target = scores.rowAddress(head) + (long) page * Float.BYTES;
        for (int tile = 0; tile < queryTiles; tile++) {
            GroupProduct.scores(rows, rowBytes, count, 2 * padded / Lanes.COUNT, scratch + tile * tileBytes, products);
            int members = Math.min(GroupProduct.QUERIES, shape.group() - tile * GroupProduct.QUERIES);
            for (int i = 0; i < count; i++) {
                long best = target + (long) i * Float.BYTES;
                Memory.putFloat32(
                        best,
                        Math.max(
                                tile == 0 ? Float.NEGATIVE_INFINITY : Memory.float32(best),
                                largest(products, i, members)));
            }
        }
    }

    /** The largest of the products of one row. */
    private static float largest(long products, int row, int members) {
        long at = products + (long) row / GroupProduct.KEYS * GroupProduct.TILE_BYTES + row % GroupProduct.KEYS * 4L;
        float largest = Float.NEGATIVE_INFINITY;
        for (int member = 0; member < members; member++) {
            largest = Math.max(largest, Memory.float32(at + (long) member * GroupProduct.KEYS * Float.BYTES));
        }
        return largest;
    }
}
