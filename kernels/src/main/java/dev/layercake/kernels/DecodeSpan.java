package dev.layercake.kernels;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One worker's part in {@link DecodeAttention}: the softmax of one token's query heads over spans of slots, online over blocks
 * of slots. What comes of a span, its sums, maxima and sums of weights, is left where the caller says.
 */
final class DecodeSpan {
    /** Slots whose scores are taken before their values are. */
    private static final int BLOCK = 256;
    /** A run of slots fills whole tiles, so runs of a single row could need this many slots' worth of scores. */
    private static final int BLOCK_TILES = BLOCK / GroupProduct.KEYS;

    /** What all spans of a call compute: the attention of {@code query} at {@code position}. */
    record Call(
            AttentionShape shape,
            Layout layout,
            long query,
            int position,
            @Nullable Tensor probabilities) {}

    private final Call call;
    private final AttentionShape shape;
    private final Layout layout;
    private final int queryTiles;
    private final long tileBytes;

    private final long queries;
    private final long next;
    private final long factors;
    private final long scores;
    private final long scoreBytes;
    private final long decoded;
    private final int[] runSlot = new int[BLOCK_TILES];
    private final int[] runCount = new int[BLOCK_TILES];
    private final int[] runTile = new int[BLOCK_TILES];
    private final boolean[] runMasked = new boolean[BLOCK_TILES];

    private KvRows entries;
    private int head = -1;
    /** Where the span's slots begin in the probabilities. */
    private int start;
    /** Whether the span leaves probabilities. */
    private boolean told;

    private boolean evenOddKeys;
    private boolean evenOddValues;
    /** The channels of a key that the entries have, and in what type. */
    private int[] channels = new int[0];

    private int keyElements;
    private RowType keyType = DType.F32;
    private long sums;
    private long largest;
    private long weightSums;

    /** @param scratch address of {@link Layout#scratchBytes} */
    DecodeSpan(Call call, long scratch) {
        this.call = call;
        this.shape = call.shape();
        this.layout = call.layout();
        this.queryTiles = layout.queryTiles;
        this.tileBytes = layout.tileBytes;
        this.entries = new KvRows(DType.F32, DType.F32, shape.headDim(), 1);
        queries = scratch;
        next = queries + queryTiles * tileBytes;
        factors = next + Lanes.BYTES;
        scores = factors + (long) queryTiles * Lanes.BYTES;
        scoreBytes = (BLOCK_TILES + 1L) * GroupProduct.TILE_BYTES;
        decoded = scores + queryTiles * scoreBytes;
    }

    /**
     * Begins a span of a run of entries.
     *
     * @param newStart where the run's slots begin in the probabilities
     * @param tells whether it leaves its scores there
     * @param partial address of {@link Layout#partialBytes} for what comes of it
     */
    void begin(int newHead, KvRows run, int newStart, boolean tells, long partial) {
        sums = partial + layout.sums();
        largest = partial + layout.largest();
        weightSums = partial + layout.weightSums();
        Columns.fill(sums, queryTiles * tileBytes, 0f);
        Columns.fill(largest, (long) queryTiles * Lanes.BYTES, Columns.LOWEST);
        Columns.fill(weightSums, (long) queryTiles * Lanes.BYTES, 0f);
        start = newStart;
        told = tells;
        if (newHead != head || !run.equals(entries)) {
            head = newHead;
            entries = run;
            channels = run.channels();
            keyElements = channels.length == 0 ? shape.headDim() : channels.length;
            keyType = run.keyType() instanceof SomeChannels some ? some.type() : run.keyType();
            evenOddKeys = Layout.evenOdd(keyType, keyElements);
            evenOddValues = layout.evenOddValues(run);
            fillQueries();
        }
    }

    void attend(int from, int to) {
        int slot = from;
        while (slot < to) {
            int runs = 0;
            int tile = 0;
            while (slot < to && tile < BLOCK_TILES) {
                int count = Math.min(to - slot, entries.together(slot));
                count = Math.min(count, (BLOCK_TILES - tile) * GroupProduct.KEYS);
                int visible = visible(slot, count);
                if (visible > 0) {
                    runSlot[runs] = slot;
                    runCount[runs] = count;
                    runTile[runs] = tile;
                    runMasked[runs] = visible < count;
                    runs++;
                    tile += Math.ceilDiv(count, GroupProduct.KEYS);
                } else {
                    leaveNothing(slot, count);
                }
                slot += count;
            }
            if (runs > 0) {
                attendBlock(runs, tile);
            }
        }
    }

    /** Ends the span. Its sums lie as those of its head's first run, whose values may be of another type. */
    void end(boolean evenOdd) {
        if (evenOdd == evenOddValues) {
            return;
        }
        for (int tile = 0; tile < queryTiles; tile++) {
            long mine = sums + tile * tileBytes;
            MemorySegment.copy(Memory.ALL, mine, Memory.ALL, decoded, tileBytes);
            for (int member = 0; member < GroupProduct.QUERIES; member++) {
                for (int i = 0; i < layout.padded; i++) {
                    float sum = Memory.float32(decoded + place(i, member, evenOddValues));
                    Memory.putFloat32(mine + place(i, member, evenOdd), sum);
                }
            }
        }
    }

    private void fillQueries() {
        float factor = evenOddKeys && keyType == DType.F16 ? Float16Product.HALF_FACTOR : 1;
        for (int tile = 0; tile < queryTiles; tile++) {
            for (int member = 0; member < GroupProduct.QUERIES; member++) {
                int inGroup = tile * GroupProduct.QUERIES + member;
                boolean real = inGroup < shape.group();
                long source = call.query() + ((long) head * shape.group() + inGroup) * shape.headDim() * Float.BYTES;
                for (int i = 0; i < layout.padded; i++) {
                    int channel = i >= channels.length ? i : channels[i];
                    float value = real && i < keyElements
                            ? Memory.float32(source + (long) channel * Float.BYTES) * shape.scale() * factor
                            : 0f;
                    Memory.putFloat32(queries + tile * tileBytes + place(i, member, evenOddKeys), value);
                }
            }
        }
    }

    /** Where element {@code i} of a tile's member lies: see {@link GroupProduct}. */
    private static long place(int i, int member, boolean evenOdd) {
        int vector = i / Lanes.COUNT;
        int lane = i % Lanes.COUNT;
        if (evenOdd) {
            int inPair = i % (2 * Lanes.COUNT);
            vector = i / (2 * Lanes.COUNT) * 2 + inPair % 2;
            lane = inPair / 2;
        }
        return ((long) vector * GroupProduct.QUERIES + member) * Lanes.BYTES + (long) lane * Float.BYTES;
    }

    /** How many of these slots the token looks at. */
    private int visible(int slot, int count) {
        boolean withholds = entries.withholdsAny();
        if (shape.slidingWindow() == 0 && !withholds) {
            return count;
        }
        if (withholds && entries.withholdsAll(slot, count)) {
            return 0;
        }
        int visible = 0;
        for (int i = 0; i < count; i++) {
            visible += visible(slot + i) ? 1 : 0;
        }
        return visible;
    }

    private boolean visible(int slot) {
        return !entries.withheld(slot)
                && (shape.slidingWindow() == 0
                        || (long) call.position() - entries.position(slot) < shape.slidingWindow());
    }

    private void attendBlock(int runs, int tiles) {
        for (int run = 0; run < runs; run++) {
            scoreRun(runSlot[run], runCount[run], runTile[run]);
        }
        for (int tile = 0; tile < queryTiles; tile++) {
            long tileScores = scores + tile * scoreBytes;
            if (shape.softcap() > 0) {
                Columns.softcap(tileScores, tiles, shape.softcap());
            }
            for (int run = 0; run < runs; run++) {
                long runScores = tileScores + (long) runTile[run] * Lanes.BYTES;
                mask(runSlot[run], runCount[run], runMasked[run], runScores);
                if (told) {
                    copyScores(tile, runSlot[run], runCount[run], runScores);
                }
            }
            long state = (long) tile * Lanes.BYTES;
            Columns.maximum(tileScores, Lanes.BYTES, tiles, largest + state, next);
            GroupProduct.spreadMaximum(next);
            Columns.rescale(largest + state, next, weightSums + state, factors + state);
            Columns.exponentiate(tileScores, Lanes.BYTES, tiles, next);
            Columns.addUp(tileScores, Lanes.BYTES, tiles, weightSums + state);
        }
        for (int run = 0; run < runs; run++) {
            weighRun(runSlot[run], runCount[run], runTile[run]);
        }
    }

    private void scoreRun(int slot, int count, int firstTile) {
        long keys = entries.keyAddress(slot);
        long stride = entries.keyRowBytes();
        int keyVectors = Lanes.padded(keyElements) / Lanes.COUNT;
        boolean inPlace = evenOddKeys || (keyType == DType.F32 && keyElements % Lanes.COUNT == 0);
        if (!inPlace) {
            int keyPadded = keyVectors * Lanes.COUNT;
            stride = (long) keyPadded * Float.BYTES;
            keys = decoded;
            if (channels.length == 0) {
                RowDecoder.decodeKeys(entries, slot, count, keys, stride, keyPadded);
            } else {
                RowDecoder.decodeStoredKeys(entries, slot, count, keys, stride, keyPadded);
            }
        }
        for (int tile = 0; tile < queryTiles; tile++) {
            long target = scores + tile * scoreBytes + (long) firstTile * GroupProduct.TILE_BYTES;
            if (evenOddKeys && keyType == DType.BF16) {
                Bfloat16Product.scores(keys, stride, count, keyVectors / 2, queries + tile * tileBytes, target);
            } else if (evenOddKeys) {
                Float16Product.scores(keys, stride, count, keyVectors / 2, queries + tile * tileBytes, target);
            } else {
                GroupProduct.scores(keys, stride, count, keyVectors, queries + tile * tileBytes, target);
            }
        }
    }

    private void weighRun(int slot, int count, int firstTile) {
        int vectors = layout.padded / Lanes.COUNT;
        long values = entries.valueAddress(slot);
        long stride = entries.valueRowBytes();
        boolean inPlace = evenOddValues || (entries.valueType() == DType.F32 && layout.padded == shape.headDim());
        if (!inPlace) {
            long decodedStride = (long) layout.padded * Float.BYTES;
            RowDecoder.decodeValues(entries, slot, count, decoded, decodedStride, layout.padded);
            values = decoded;
            stride = decodedStride;
        }
        for (int tile = 0; tile < queryTiles; tile++) {
            long weights = scores + tile * scoreBytes + (long) firstTile * GroupProduct.TILE_BYTES;
            long factor = factors + (long) tile * Lanes.BYTES;
            long target = sums + tile * tileBytes;
            if (evenOddValues && entries.valueType() == DType.BF16) {
                Bfloat16Product.weigh(values, stride, count, vectors / 2, weights, factor, target);
            } else if (evenOddValues) {
                Columns.scale(weights, Math.ceilDiv(count, GroupProduct.KEYS), Float16Product.FACTOR);
                Float16Product.weigh(values, stride, count, vectors / 2, weights, factor, target);
            } else {
                GroupProduct.weigh(values, stride, count, vectors, weights, factor, target);
            }
            // The further runs of the block add to what this one made.
            Columns.fill(factor, Lanes.BYTES, 1f);
        }
    }

    /** Hides what the token does not look at, and what fills the last tile. */
    private void mask(int slot, int count, boolean masked, long runScores) {
        int filled = Math.ceilDiv(count, GroupProduct.KEYS) * GroupProduct.KEYS;
        for (int i = masked ? 0 : count; i < filled; i++) {
            if (i >= count || !visible(slot + i)) {
                for (int member = 0; member < GroupProduct.QUERIES; member++) {
                    Memory.putFloat32(scoreAddress(runScores, i, member), Float.NEGATIVE_INFINITY);
                }
            }
        }
    }

    private void copyScores(int tile, int slot, int count, long runScores) {
        Tensor target = call.probabilities();
        if (target == null) {
            return;
        }
        int members = Math.min(GroupProduct.QUERIES, shape.group() - tile * GroupProduct.QUERIES);
        for (int member = 0; member < members; member++) {
            int queryHead = head * shape.group() + tile * GroupProduct.QUERIES + member;
            long row = target.rowAddress(queryHead) + (long) (start + slot) * Float.BYTES;
            for (int i = 0; i < count; i++) {
                Memory.putFloat32(row + (long) i * Float.BYTES, Memory.float32(scoreAddress(runScores, i, member)));
            }
        }
    }

    private void leaveNothing(int slot, int count) {
        Tensor target = call.probabilities();
        if (target == null || !told) {
            return;
        }
        for (int member = 0; member < shape.group(); member++) {
            long row = target.rowAddress(head * shape.group() + member) + (long) (start + slot) * Float.BYTES;
            for (int i = 0; i < count; i++) {
                Memory.putFloat32(row + (long) i * Float.BYTES, Float.NEGATIVE_INFINITY);
            }
        }
    }

    private static long scoreAddress(long runScores, int key, int member) {
        return runScores
                + (long) (key / GroupProduct.KEYS) * GroupProduct.TILE_BYTES
                + ((long) member * GroupProduct.KEYS + key % GroupProduct.KEYS) * Float.BYTES;
    }

    /**
     * How the state of a softmax lies in memory: for each tile of query heads the weighted sums of values, then for each tile a
     * vector of maxima and one of sums of weights, with {@link GroupProduct#KEYS} lanes to a query head. Maxima are the same in
     * these lanes, sums of weights are to be added up.
     */
    static final class Layout {
        private final AttentionShape shape;
        private final int padded;
        private final int queryTiles;
        private final long tileBytes;

        Layout(AttentionShape shape) {
            this.shape = shape;
            this.padded = Lanes.padded(shape.headDim());
            this.queryTiles = Math.ceilDiv(shape.group(), GroupProduct.QUERIES);
            this.tileBytes = (long) padded / Lanes.COUNT * GroupProduct.QUERIES * Lanes.BYTES;
        }

        /** Bytes that a worker works with. */
        long scratchBytes() {
            long perTile = tileBytes + Lanes.BYTES + (BLOCK_TILES + 1L) * GroupProduct.TILE_BYTES;
            return queryTiles * perTile + Lanes.BYTES + (long) BLOCK * padded * Float.BYTES;
        }

        /** Bytes of a state. */
        long partialBytes() {
            return queryTiles * (tileBytes + 2 * Lanes.BYTES);
        }

        private long sums() {
            return 0;
        }

        private long largest() {
            return queryTiles * tileBytes;
        }

        private long weightSums() {
            return queryTiles * (tileBytes + Lanes.BYTES);
        }

        /** Whether the sums of values in this run's type lie even elements first; see {@link GroupProduct}. */
        boolean evenOddValues(KvRows run) {
            return evenOdd(run.valueType(), shape.headDim());
        }

        private static boolean evenOdd(RowType type, int elements) {
            return (type == DType.BF16 || type == DType.F16) && elements % (2 * Lanes.COUNT) == 0;
        }

        /** Puts {@code count} consecutive states together, in their order; they are overwritten. */
        void merge(long states, int count, long target) {
            Columns.fill(target + sums(), queryTiles * tileBytes, 0f);
            Columns.fill(target + largest(), (long) queryTiles * Lanes.BYTES, Columns.LOWEST);
            Columns.fill(target + weightSums(), (long) queryTiles * Lanes.BYTES, 0f);
            int vectors = padded / Lanes.COUNT;
            for (int tile = 0; tile < queryTiles; tile++) {
                long vector = (long) tile * Lanes.BYTES;
                long most = target + largest() + vector;
                Columns.maximum(states + largest() + vector, partialBytes(), count, most, most);
                Columns.exponentiate(states + largest() + vector, partialBytes(), count, most);
                for (int i = 0; i < count; i++) {
                    long state = states + i * partialBytes();
                    long factor = state + largest() + vector;
                    Columns.addScaled(
                            state + weightSums() + vector,
                            Lanes.BYTES,
                            1,
                            factor,
                            target + weightSums() + vector,
                            Lanes.BYTES);
                    GroupProduct.addScaled(
                            state + sums() + tile * tileBytes, vectors, factor, target + sums() + tile * tileBytes);
                }
            }
        }

        float largest(long state, int member) {
            return Memory.float32(state + largest() + (long) member * GroupProduct.KEYS * Float.BYTES);
        }

        float weightSum(long state, int member) {
            long address = state + weightSums() + (long) member * GroupProduct.KEYS * Float.BYTES;
            float sum = 0;
            for (int key = 0; key < GroupProduct.KEYS; key++) {
                sum += Memory.float32(address + (long) key * Float.BYTES);
            }
            return sum;
        }

        /** Writes the weighted values of a query head times a factor, in the order of their elements. */
        void write(long state, int member, boolean evenOdd, float factor, long target) {
            long tile = state + sums() + member / GroupProduct.QUERIES * tileBytes;
            int inTile = member % GroupProduct.QUERIES;
            for (int i = 0; i < shape.headDim(); i++) {
                float sum = Memory.float32(tile + place(i, inTile, evenOdd));
                Memory.putFloat32(target + (long) i * Float.BYTES, factor * sum);
            }
        }
    }
}
