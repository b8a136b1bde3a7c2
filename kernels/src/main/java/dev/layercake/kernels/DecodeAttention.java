package dev.layercake.kernels;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attention of one token over all slots, one call's worth. The slots of each run of entries are cut into spans, which workers
 * claim one after the other, so that neither few heads nor ragged lengths leave anybody idle. Each span leaves a partial result,
 * and the caller puts those of a head together, first span first (flash-decoding).
 *
 * <p>Where spans begin is a rule that gives the same bits whoever computes: the first one at the first slot that the token may
 * see by its position, the others at multiples of a length that depends on nothing but how many slots follow that one. So the
 * number of workers does not matter, and neither does it whether entries in front that a sliding window has left behind are
 * still there, as long as the others keep their order and their places in their pages: whole pages may go.
 */
final class DecodeAttention {
    private static final int LEAST_SPAN = 128;
    private static final int MOST_SPAN = 1024;
    /** Beyond so many spans they become longer. */
    private static final int ENOUGH_SPANS = 64;

    private final AttentionShape shape;
    private final Tensor out;
    private final @Nullable Tensor probabilities;
    private final Workers workers;
    private final DecodeSpan.Layout layout;
    private final KvRows[] rows;
    private final List<Stretch> stretches;
    private final int spanSlots;
    private final int spans;
    private final long partials;
    /** Maximum and inverse sum of each query head. */
    private final long normalizers;

    private final long room;
    private final DecodeSpan.Call call;

    /**
     * A run of one head's entries.
     *
     * @param start slots of the head's runs before it
     * @param seen its first slot that the token may see by its position
     * @param firstSpan number of its first span
     * @param told whether it leaves probabilities
     */
    private record Stretch(int head, KvRows run, int start, int seen, int firstSpan, boolean told) {
        int spans(int spanSlots) {
            return Math.ceilDiv(run.length() - seen, spanSlots);
        }
    }

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
        this.out = out;
        this.probabilities = probabilities;
        this.workers = workers;
        this.layout = new DecodeSpan.Layout(shape);
        this.call = new DecodeSpan.Call(shape, layout, query.address(), position, probabilities);
        this.spanSlots = spanSlots(rows, shape, position);
        this.stretches = new ArrayList<>(rows.length);
        int count = 0;
        for (int head = 0; head < rows.length; head++) {
            int told = probabilities == null ? 0 : rows[head].told((int) probabilities.columns());
            int start = 0;
            for (KvRows run = rows[head]; run != null; run = run.lower()) {
                int seen = firstInReach(run, shape, position);
                Stretch stretch = new Stretch(head, run, start, seen, count, start + run.length() <= told);
                stretches.add(stretch);
                count += stretch.spans(spanSlots);
                start += run.length();
            }
        }
        this.spans = count;
        long scratch = layout.scratchBytes();
        long shared = (spans + 1L) * layout.partialBytes() + 2L * shape.queryHeads() * Float.BYTES;
        this.partials = workers.scratch(0, scratch + shared).address() + scratch;
        this.room = partials + spans * layout.partialBytes();
        this.normalizers = room + layout.partialBytes();
    }

    private static int spanSlots(KvRows[] rows, AttentionShape shape, int position) {
        long seen = 0;
        for (KvRows head : rows) {
            for (KvRows run = head; run != null; run = run.lower()) {
                seen += run.length() - firstInReach(run, shape, position);
            }
        }
        int slots = LEAST_SPAN;
        while (slots < MOST_SPAN && seen > (long) slots * ENOUGH_SPANS) {
            slots *= 2;
        }
        return slots;
    }

    /** The first slot within reach of a sliding window; slots may come in any order. */
    private static int firstInReach(KvRows run, AttentionShape shape, int position) {
        int slot = 0;
        if (shape.slidingWindow() > 0) {
            while (slot < run.length() && (long) position - run.position(slot) >= shape.slidingWindow()) {
                slot++;
            }
        }
        return slot;
    }

    void run() {
        if (spans == 1) {
            attend(
                    new DecodeSpan(
                            call, workers.scratch(0, layout.scratchBytes()).address()),
                    stretchOf(0, 0),
                    0);
        } else if (spans > 1) {
            workers.run(this::attendSpans);
        }
        int next = 0;
        for (int head = 0; head < rows.length; head++) {
            next = merge(head, next);
        }
        if (probabilities != null) {
            workers.run(this::normalizeSpans);
        }
    }

    private void attendSpans(int worker, int count) {
        DecodeSpan span = null;
        int stretch = 0;
        for (int number = workers.claim(); number < spans; number = workers.claim()) {
            if (span == null) {
                span = new DecodeSpan(
                        call, workers.scratch(worker, layout.scratchBytes()).address());
            }
            stretch = stretchOf(number, stretch);
            attend(span, stretch, number);
        }
    }

    /** The stretch that a span belongs to, at or after one at which the search begins. */
    private int stretchOf(int span, int from) {
        int stretch = from;
        while (stretch + 1 < stretches.size() && stretches.get(stretch + 1).firstSpan() <= span) {
            stretch++;
        }
        return stretch;
    }

    private void attend(DecodeSpan span, int number, int spanNumber) {
        Stretch stretch = stretches.get(number);
        int from = stretch.seen() + (spanNumber - stretch.firstSpan()) * spanSlots;
        int to = Math.min(from + spanSlots, stretch.run().length());
        boolean evenOdd = layout.evenOddValues(rows[stretch.head()]);
        span.begin(stretch.head(), stretch.run(), stretch.start(), stretch.told(), partial(spanNumber));
        span.attend(from, to);
        span.end(evenOdd);
    }

    private long partial(int span) {
        return partials + span * layout.partialBytes();
    }

    /** Puts the partial results of a head together, the first of which is at or after a stretch; returns the next head's. */
    private int merge(int head, int firstStretch) {
        int first = stretches.get(firstStretch).firstSpan();
        int next = firstStretch;
        int count = 0;
        while (next < stretches.size() && stretches.get(next).head() == head) {
            count += stretches.get(next++).spans(spanSlots);
        }
        long merged = count == 1 ? partial(first) : room;
        if (count != 1) {
            layout.merge(partial(first), count, merged);
        }
        boolean evenOdd = layout.evenOddValues(rows[head]);
        for (int member = 0; member < shape.group(); member++) {
            int queryHead = head * shape.group() + member;
            float sum = layout.weightSum(merged, member);
            float inverse = sum > 0 ? 1 / sum : 0;
            layout.write(
                    merged, member, evenOdd, inverse, out.address() + (long) queryHead * shape.headDim() * Float.BYTES);
            Memory.putFloat32(normalizers + 2L * queryHead * Float.BYTES, layout.largest(merged, member));
            Memory.putFloat32(normalizers + (2L * queryHead + 1) * Float.BYTES, inverse);
        }
        return next;
    }

    /** Turns the scores that were left in the probabilities into probabilities. */
    private void normalizeSpans(int worker, int count) {
        long scratch = workers.scratch(worker, layout.scratchBytes()).address();
        for (Stretch stretch : stretches) {
            if (!stretch.told()) {
                continue;
            }
            int spansOfStretch = stretch.spans(spanSlots);
            for (int span = 0; span < spansOfStretch; span++) {
                if ((stretch.firstSpan() + span) % count == worker) {
                    int from = stretch.seen() + span * spanSlots;
                    int to = Math.min(from + spanSlots, stretch.run().length());
                    normalize(stretch, from, to, scratch);
                }
            }
            if (worker == 0) {
                normalize(stretch, 0, 0, scratch);
            }
        }
    }

    /** The probabilities of a span's slots; of slots {@code [0, 0)} those that come before the first span, which are 0. */
    private void normalize(Stretch stretch, int from, int to, long scratch) {
        Tensor target = probabilities;
        if (target == null) {
            return;
        }
        for (int member = 0; member < shape.group(); member++) {
            int queryHead = stretch.head() * shape.group() + member;
            long row = target.rowAddress(queryHead) + (long) stretch.start() * Float.BYTES;
            if (to == 0) {
                for (int slot = 0; slot < stretch.seen(); slot++) {
                    Memory.putFloat32(row + (long) slot * Float.BYTES, 0f);
                }
                continue;
            }
            float largest = Memory.float32(normalizers + 2L * queryHead * Float.BYTES);
            float inverse = Memory.float32(normalizers + (2L * queryHead + 1) * Float.BYTES);
            normalize(row, from, to, largest, inverse, scratch);
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
}
