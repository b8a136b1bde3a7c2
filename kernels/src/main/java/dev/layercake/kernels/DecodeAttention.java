package dev.layercake.kernels;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Attention of one token over all slots, one call's worth. The slots of all KV heads, one after the other, are cut into
 * equal spans, one per worker, so that neither few heads nor ragged lengths leave anybody idle; where a span ends inside
 * a head, both workers leave a partial result, and the caller merges them (flash-decoding). Within a span the softmax is
 * online over blocks of slots.
 */
final class DecodeAttention {
    /** Slots whose scores are taken before their values are. */
    private static final int BLOCK = 256;
    /** A run of slots fills whole tiles, so runs of a single row could need this many slots' worth of scores. */
    private static final int BLOCK_TILES = BLOCK / GroupProduct.KEYS;

    private static final float LOWEST = Columns.LOWEST;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final long query;
    private final int position;
    private final Tensor out;
    private final @Nullable Tensor probabilities;

    private final int headDim;
    private final int padded;
    private final int vectors;
    private final int queryTiles;
    private final long tileBytes;
    private final long partialBytes;
    /** Entries of each KV head in both of its runs: a slot of the lower run counts on from the first run's length. */
    private final int[] lengths;

    private final long totalSlots;
    private final long scratchBytes;
    private final Workers workers;
    private final long partials;
    private final long normalizers;

    DecodeAttention(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            Tensor out,
            @Nullable Tensor probabilities,
            Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.query = query.address();
        this.position = position;
        this.out = out;
        this.probabilities = probabilities;
        this.workers = workers;
        this.headDim = shape.headDim();
        this.padded = Lanes.padded(headDim);
        this.vectors = padded / Lanes.COUNT;
        this.queryTiles = (shape.group() + GroupProduct.QUERIES - 1) / GroupProduct.QUERIES;
        this.tileBytes = (long) vectors * GroupProduct.QUERIES * Lanes.BYTES;
        this.partialBytes = (long) shape.group() * (headDim + 2) * Float.BYTES;
        this.lengths = new int[rows.length];
        long total = 0;
        for (int head = 0; head < rows.length; head++) {
            lengths[head] = rows[head].entries();
            total += lengths[head];
        }
        this.totalSlots = total;
        long perTile = 2 * tileBytes + 3L * Lanes.BYTES + (BLOCK_TILES + 1L) * GroupProduct.TILE_BYTES;
        this.scratchBytes = queryTiles * perTile + Lanes.BYTES + (long) BLOCK * padded * Float.BYTES;
        long shared = 2L * workers.count() * partialBytes + 2L * shape.queryHeads() * Float.BYTES;
        MemorySegment mine = workers.scratch(0, scratchBytes + shared);
        this.partials = mine.address() + scratchBytes;
        this.normalizers = partials + 2L * workers.count() * partialBytes;
    }

    void run() {
        workers.run(this::attendSpan);
        for (int head = 0; head < rows.length; head++) {
            merge(head);
        }
        if (probabilities != null) {
            workers.run(this::normalizeSpan);
        }
    }

    /** First slot of a worker's span, counted through all heads; whole blocks, so that spans start on whole tiles. */
    private long spanStart(int worker, int count) {
        return worker == count ? totalSlots : totalSlots * worker / count / BLOCK * BLOCK;
    }

    private void attendSpan(int worker, int count) {
        long start = spanStart(worker, count);
        long end = spanStart(worker + 1, count);
        Span span = null;
        long first = 0;
        for (int head = 0; head < rows.length; head++) {
            int length = lengths[head];
            int from = Math.clamp(start - first, 0, length);
            int to = Math.clamp(end - first, 0, length);
            first += length;
            if (from < to) {
                if (span == null) {
                    span = new Span(workers.scratch(worker, scratchBytes).address());
                }
                span.attend(head, from, to);
                if (from == 0 && to == length) {
                    span.finish(head);
                } else {
                    span.leave(partials + (2L * worker + (from > 0 ? 0 : 1)) * partialBytes);
                }
            }
        }
    }

    /** Puts the partial results of a head together, if there are any. */
    private void merge(int head) {
        int count = workers.count();
        long first = 0;
        for (int other = 0; other < head; other++) {
            first += lengths[other];
        }
        int length = lengths[head];
        int group = shape.group();
        if (length == 0) {
            for (int member = 0; member < group; member++) {
                write(head * group + member, LOWEST, 0);
            }
            return;
        }
        for (int member = 0; member < group; member++) {
            float largest = LOWEST;
            int parts = 0;
            for (int worker = 0; worker < count; worker++) {
                long partial = partial(worker, count, first, length);
                if (partial != 0) {
                    largest = Math.max(largest, Memory.float32(partial + (long) member * (headDim + 2) * Float.BYTES));
                    parts++;
                }
            }
            if (parts == 0) {
                return;
            }
            int queryHead = head * group + member;
            long target = outAddress(queryHead);
            float sum = 0;
            for (int i = 0; i < headDim; i++) {
                Memory.putFloat32(target + (long) i * Float.BYTES, 0f);
            }
            for (int worker = 0; worker < count; worker++) {
                long partial = partial(worker, count, first, length);
                if (partial != 0) {
                    long mine = partial + (long) member * (headDim + 2) * Float.BYTES;
                    float factor = (float) Math.exp(Memory.float32(mine) - largest);
                    sum += factor * Memory.float32(mine + Float.BYTES);
                    addScaled(mine + 2 * Float.BYTES, factor, target);
                }
            }
            float inverse = sum > 0 ? 1 / sum : 0;
            for (int i = 0; i < headDim; i++) {
                long element = target + (long) i * Float.BYTES;
                Memory.putFloat32(element, Memory.float32(element) * inverse);
            }
            normalizer(queryHead, largest, sum);
        }
    }

    private void addScaled(long source, float factor, long target) {
        for (int i = 0; i < headDim; i++) {
            long element = target + (long) i * Float.BYTES;
            Memory.putFloat32(
                    element, Memory.float32(element) + factor * Memory.float32(source + (long) i * Float.BYTES));
        }
    }

    /** Address of the partial result that a worker left for a head, or 0. */
    private long partial(int worker, int count, long first, int length) {
        int from = Math.clamp(spanStart(worker, count) - first, 0, length);
        int to = Math.clamp(spanStart(worker + 1, count) - first, 0, length);
        if (from >= to || (from == 0 && to == length)) {
            return 0;
        }
        return partials + (2L * worker + (from > 0 ? 0 : 1)) * partialBytes;
    }

    private void write(int queryHead, float largest, float sum) {
        long target = outAddress(queryHead);
        for (int i = 0; i < headDim; i++) {
            Memory.putFloat32(target + (long) i * Float.BYTES, 0f);
        }
        normalizer(queryHead, largest, sum);
    }

    private long outAddress(int queryHead) {
        return out.address() + (long) queryHead * headDim * Float.BYTES;
    }

    private void normalizer(int queryHead, float largest, float sum) {
        Memory.putFloat32(normalizers + 2L * queryHead * Float.BYTES, largest);
        Memory.putFloat32(normalizers + (2L * queryHead + 1) * Float.BYTES, sum > 0 ? 1 / sum : 0);
    }

    /** Turns the scores that were left in the probabilities of a worker's span into probabilities. */
    private void normalizeSpan(int worker, int count) {
        Tensor target = probabilities;
        if (target == null) {
            return;
        }
        long scratch = workers.scratch(worker, scratchBytes).address();
        long start = spanStart(worker, count);
        long end = spanStart(worker + 1, count);
        long first = 0;
        for (int head = 0; head < rows.length; head++) {
            int told = rows[head].told((int) target.columns());
            int from = Math.clamp(start - first, 0, told);
            int to = Math.clamp(end - first, 0, told);
            first += lengths[head];
            for (int member = 0; member < shape.group() && from < to; member++) {
                int queryHead = head * shape.group() + member;
                float largest = Memory.float32(normalizers + 2L * queryHead * Float.BYTES);
                float inverse = Memory.float32(normalizers + (2L * queryHead + 1) * Float.BYTES);
                normalize(target.rowAddress(queryHead), from, to, largest, inverse, scratch);
            }
        }
    }

    private static void normalize(long row, int from, int to, float largest, float inverse, long scratch) {
        long address = row + (long) from * Float.BYTES;
        int whole = (to - from) / Lanes.COUNT;
        Columns.fill(scratch, Lanes.BYTES, largest);
        Columns.exponentiate(address, Lanes.BYTES, whole, scratch);
        Columns.fill(scratch, Lanes.BYTES, inverse);
        Columns.multiply(address, Lanes.BYTES, whole, scratch);
        for (int slot = from + whole * Lanes.COUNT; slot < to; slot++) {
            long rest = row + (long) slot * Float.BYTES;
            Memory.putFloat32(rest, (float) Math.exp(Memory.float32(rest) - largest) * inverse);
        }
    }

    /** One worker's state: the query and the running softmax of the head that it is at. */
    private final class Span {
        private final long queries;
        private final long sums;
        private final long largest;
        private final long weightSums;
        private final long next;
        private final long factors;
        private final long scores;
        private final long scoreBytes;
        private final long decoded;
        private final int[] runSlot = new int[BLOCK_TILES];
        private final int[] runCount = new int[BLOCK_TILES];
        private final int[] runTile = new int[BLOCK_TILES];
        private boolean bfloat16Keys;
        private boolean bfloat16Values;
        /** The channels of a key that the run at hand has, and in what type. */
        private int[] channels = new int[0];

        private int keyElements;
        private RowType keyType = DType.F32;
        /** Whether the run that the span is at leaves probabilities. */
        private boolean told;
        /** Where its slots begin in the probabilities. */
        private int runStart;

        Span(long scratch) {
            queries = scratch;
            sums = queries + queryTiles * tileBytes;
            largest = sums + queryTiles * tileBytes;
            weightSums = largest + (long) queryTiles * Lanes.BYTES;
            next = weightSums + (long) queryTiles * Lanes.BYTES;
            factors = next + Lanes.BYTES;
            scores = factors + (long) queryTiles * Lanes.BYTES;
            scoreBytes = (BLOCK_TILES + 1L) * GroupProduct.TILE_BYTES;
            decoded = scores + queryTiles * scoreBytes;
        }

        void attend(int head, int from, int to) {
            boolean begun = false;
            int first = 0;
            for (KvRows run = rows[head]; run != null; run = run.lower()) {
                int runFrom = Math.clamp((long) from - first, 0, run.length());
                int runTo = Math.clamp((long) to - first, 0, run.length());
                if (runFrom < runTo) {
                    arrange(run, head, begun);
                    begun = true;
                    told = probabilities != null
                            && first + run.length() <= rows[head].told((int) probabilities.columns());
                    runStart = first;
                    attendRun(head, run, runFrom, runTo);
                }
                first += run.length();
            }
        }

        /** Puts queries and sums into the places in which a run wants them. */
        private void arrange(KvRows run, int head, boolean begun) {
            boolean keysBefore = bfloat16Keys;
            boolean valuesBefore = bfloat16Values;
            int[] channelsBefore = channels;
            channels = run.channels();
            keyElements = channels.length == 0 ? headDim : channels.length;
            keyType = run.keyType() instanceof SomeChannels some ? some.type() : run.keyType();
            bfloat16Keys = keyType == DType.BF16 && keyElements % (2 * Lanes.COUNT) == 0;
            bfloat16Values = run.valueType() == DType.BF16 && headDim % (2 * Lanes.COUNT) == 0;
            if (!begun) {
                reset();
            } else if (valuesBefore != bfloat16Values) {
                moveSums(valuesBefore);
            }
            if (!begun || keysBefore != bfloat16Keys || !Arrays.equals(channelsBefore, channels)) {
                fillQueries(head);
            }
        }

        private void attendRun(int head, KvRows entries, int from, int to) {
            int slot = from;
            while (slot < to) {
                int runs = 0;
                int tile = 0;
                while (slot < to && tile < BLOCK_TILES) {
                    int count = Math.min(to - slot, entries.together(slot));
                    count = Math.min(count, (BLOCK_TILES - tile) * GroupProduct.KEYS);
                    if (anyVisible(entries, slot, count)) {
                        runSlot[runs] = slot;
                        runCount[runs] = count;
                        runTile[runs] = tile;
                        runs++;
                        tile += (count + GroupProduct.KEYS - 1) / GroupProduct.KEYS;
                    } else {
                        leaveNothing(head, slot, count);
                    }
                    slot += count;
                }
                if (runs > 0) {
                    attendBlock(head, entries, runs, tile);
                }
            }
        }

        private void reset() {
            Columns.fill(largest, (long) queryTiles * Lanes.BYTES, LOWEST);
            Columns.fill(weightSums, (long) queryTiles * Lanes.BYTES, 0f);
            Columns.fill(sums, queryTiles * tileBytes, 0f);
        }

        /** Brings the sums from the order of one type of values into that of another. */
        private void moveSums(boolean evenOddBefore) {
            for (int tile = 0; tile < queryTiles; tile++) {
                long mine = sums + tile * tileBytes;
                MemorySegment.copy(Memory.ALL, mine, Memory.ALL, decoded, tileBytes);
                for (int member = 0; member < GroupProduct.QUERIES; member++) {
                    for (int i = 0; i < padded; i++) {
                        float sum = Memory.float32(decoded + place(i, member, evenOddBefore));
                        Memory.putFloat32(mine + place(i, member, bfloat16Values), sum);
                    }
                }
            }
        }

        private void fillQueries(int head) {
            for (int tile = 0; tile < queryTiles; tile++) {
                for (int member = 0; member < GroupProduct.QUERIES; member++) {
                    int inGroup = tile * GroupProduct.QUERIES + member;
                    boolean real = inGroup < shape.group();
                    long source = query + ((long) head * shape.group() + inGroup) * headDim * Float.BYTES;
                    for (int i = 0; i < padded; i++) {
                        int channel = channels.length == 0 || i >= channels.length ? i : channels[i];
                        float value = real && i < keyElements
                                ? Memory.float32(source + (long) channel * Float.BYTES) * shape.scale()
                                : 0f;
                        Memory.putFloat32(queries + tile * tileBytes + place(i, member, bfloat16Keys), value);
                    }
                }
            }
        }

        /** Where element {@code i} of a tile's member lies: see {@link GroupProduct}. */
        private long place(int i, int member, boolean evenOdd) {
            int vector = i / Lanes.COUNT;
            int lane = i % Lanes.COUNT;
            if (evenOdd) {
                int inPair = i % (2 * Lanes.COUNT);
                vector = i / (2 * Lanes.COUNT) * 2 + inPair % 2;
                lane = inPair / 2;
            }
            return ((long) vector * GroupProduct.QUERIES + member) * Lanes.BYTES + (long) lane * Float.BYTES;
        }

        private boolean visible(KvRows entries, int slot) {
            if (entries.withheld(slot)) {
                return false;
            }
            return shape.slidingWindow() == 0 || (long) position - entries.position(slot) < shape.slidingWindow();
        }

        private boolean anyVisible(KvRows entries, int slot, int count) {
            if (entries.withholdsAll(slot, count)) {
                return false;
            }
            for (int i = 0; i < count; i++) {
                if (visible(entries, slot + i)) {
                    return true;
                }
            }
            return false;
        }

        private void attendBlock(int head, KvRows entries, int runs, int tiles) {
            for (int run = 0; run < runs; run++) {
                scoreRun(entries, runSlot[run], runCount[run], runTile[run]);
            }
            for (int tile = 0; tile < queryTiles; tile++) {
                long tileScores = scores + tile * scoreBytes;
                if (shape.softcap() > 0) {
                    Columns.softcap(tileScores, tiles, shape.softcap());
                }
                for (int run = 0; run < runs; run++) {
                    mask(entries, runSlot[run], runCount[run], tileScores + (long) runTile[run] * Lanes.BYTES);
                }
                if (told) {
                    for (int run = 0; run < runs; run++) {
                        copyScores(
                                head,
                                tile,
                                runSlot[run],
                                runCount[run],
                                tileScores + (long) runTile[run] * Lanes.BYTES);
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
                weighRun(entries, runSlot[run], runCount[run], runTile[run]);
            }
        }

        private void scoreRun(KvRows entries, int slot, int count, int firstTile) {
            long keys = entries.keyAddress(slot);
            long stride = entries.keyRowBytes();
            int keyVectors = Lanes.padded(keyElements) / Lanes.COUNT;
            boolean inPlace = bfloat16Keys || (keyType == DType.F32 && keyElements % Lanes.COUNT == 0);
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
                if (bfloat16Keys) {
                    GroupProduct.scoresBfloat16(
                            keys, stride, count, keyVectors / 2, queries + tile * tileBytes, target);
                } else {
                    GroupProduct.scores(keys, stride, count, keyVectors, queries + tile * tileBytes, target);
                }
            }
        }

        private void weighRun(KvRows entries, int slot, int count, int firstTile) {
            long values = entries.valueAddress(slot);
            long stride = entries.valueRowBytes();
            boolean inPlace = bfloat16Values || (entries.valueType() == DType.F32 && padded == headDim);
            if (!inPlace) {
                long decodedStride = (long) padded * Float.BYTES;
                RowDecoder.decodeValues(entries, slot, count, decoded, decodedStride, padded);
                values = decoded;
                stride = decodedStride;
            }
            for (int tile = 0; tile < queryTiles; tile++) {
                long weights = scores + tile * scoreBytes + (long) firstTile * GroupProduct.TILE_BYTES;
                long factor = factors + (long) tile * Lanes.BYTES;
                long target = sums + tile * tileBytes;
                if (bfloat16Values) {
                    GroupProduct.weighBfloat16(values, stride, count, vectors / 2, weights, factor, target);
                } else {
                    GroupProduct.weigh(values, stride, count, vectors, weights, factor, target);
                }
                // The further runs of the block add to what this one made.
                Columns.fill(factor, Lanes.BYTES, 1f);
            }
        }

        private void mask(KvRows entries, int slot, int count, long runScores) {
            int filled = (count + GroupProduct.KEYS - 1) / GroupProduct.KEYS * GroupProduct.KEYS;
            int firstUnseen = shape.slidingWindow() == 0 && !entries.withholdsAny() ? count : 0;
            for (int i = firstUnseen; i < filled; i++) {
                if (i >= count || !visible(entries, slot + i)) {
                    for (int member = 0; member < GroupProduct.QUERIES; member++) {
                        Memory.putFloat32(scoreAddress(runScores, i, member), Float.NEGATIVE_INFINITY);
                    }
                }
            }
        }

        private void copyScores(int head, int tile, int slot, int count, long runScores) {
            Tensor target = probabilities;
            if (target == null) {
                return;
            }
            int members = Math.min(GroupProduct.QUERIES, shape.group() - tile * GroupProduct.QUERIES);
            for (int member = 0; member < members; member++) {
                int queryHead = head * shape.group() + tile * GroupProduct.QUERIES + member;
                long row = target.rowAddress(queryHead) + (long) (runStart + slot) * Float.BYTES;
                for (int i = 0; i < count; i++) {
                    Memory.putFloat32(row + (long) i * Float.BYTES, Memory.float32(scoreAddress(runScores, i, member)));
                }
            }
        }

        private void leaveNothing(int head, int slot, int count) {
            Tensor target = probabilities;
            if (target == null || !told) {
                return;
            }
            for (int member = 0; member < shape.group(); member++) {
                long row = target.rowAddress(head * shape.group() + member) + (long) (runStart + slot) * Float.BYTES;
                for (int i = 0; i < count; i++) {
                    Memory.putFloat32(row + (long) i * Float.BYTES, Float.NEGATIVE_INFINITY);
                }
            }
        }

        /** Writes the finished output of a head that lay wholly in the span. */
        void finish(int head) {
            for (int inGroup = 0; inGroup < shape.group(); inGroup++) {
                int queryHead = head * shape.group() + inGroup;
                float sum = weightSum(inGroup);
                copySums(inGroup, sum > 0 ? 1 / sum : 0, outAddress(queryHead));
                normalizer(queryHead, largest(inGroup), sum);
            }
        }

        /** Leaves maximum, sum of weights and weighted values of each member of the group for the merge. */
        void leave(long partial) {
            for (int inGroup = 0; inGroup < shape.group(); inGroup++) {
                long mine = partial + (long) inGroup * (headDim + 2) * Float.BYTES;
                Memory.putFloat32(mine, largest(inGroup));
                Memory.putFloat32(mine + Float.BYTES, weightSum(inGroup));
                copySums(inGroup, 1, mine + 2 * Float.BYTES);
            }
        }

        private float largest(int inGroup) {
            return Memory.float32(largest + stateOffset(inGroup));
        }

        private float weightSum(int inGroup) {
            long address = weightSums + stateOffset(inGroup);
            float sum = 0;
            for (int key = 0; key < GroupProduct.KEYS; key++) {
                sum += Memory.float32(address + (long) key * Float.BYTES);
            }
            return sum;
        }

        private long stateOffset(int inGroup) {
            return (long) inGroup * GroupProduct.KEYS * Float.BYTES;
        }

        private void copySums(int inGroup, float factor, long target) {
            long tile = sums + inGroup / GroupProduct.QUERIES * tileBytes;
            int member = inGroup % GroupProduct.QUERIES;
            for (int i = 0; i < headDim; i++) {
                Memory.putFloat32(
                        target + (long) i * Float.BYTES,
                        factor * Memory.float32(tile + place(i, member, bfloat16Values)));
            }
        }
    }

    private static long scoreAddress(long runScores, int key, int member) {
        return runScores
                + (long) (key / GroupProduct.KEYS) * GroupProduct.TILE_BYTES
                + ((long) member * GroupProduct.KEYS + key % GroupProduct.KEYS) * Float.BYTES;
    }
}
