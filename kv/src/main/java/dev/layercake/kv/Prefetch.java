package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.Ranking;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * The exact pairs that stand in for entries held in few bits, fetched from the slow copy before they are needed. Each head
 * has two buffers of up to {@code most} pairs in pages of the pool: attention reads the one while a thread of this object's own
 * fills the other. The order of a layer is {@link #arrive}, attention, {@link #choose}, {@link #request}.
 */
final class Prefetch implements AutoCloseable {
    private final SlowCopy slow;
    private final int most;
    private final Layer[] layers;
    private @Nullable ExecutorService thread;
    private @Nullable Tensor probabilities;

    /** One layer's buffers. */
    private static final class Layer {
        private final PagedRows[][] buffers;
        /** For each buffer and head the slots of the low tier that its pairs stand in for, in the same order. */
        private final int[][][] standIns;

        private int current;
        private @Nullable CompletableFuture<?> coming;

        Layer(PagedRows[][] buffers) {
            this.buffers = buffers;
            this.standIns = new int[2][buffers[0].length][0];
        }

        /** The slots of a head's low tier that what was fetched for it stands in for. */
        int[] replaced(int head) {
            return standIns[current][head];
        }

        PagedRows[] now() {
            return buffers[current];
        }

        PagedRows[] next() {
            return buffers[1 - current];
        }
    }

    Prefetch(KvLease lease, TierLayout tiers, SlowCopy slow, int most) {
        this.slow = slow;
        this.most = most;
        KvLayout layout = lease.pool().layout();
        this.layers = new Layer[layout.layers()];
        for (int layer = 0; layer < layers.length; layer++) {
            PagedRows[][] buffers = new PagedRows[2][layout.kvHeads()];
            for (PagedRows[] heads : buffers) {
                Arrays.setAll(
                        heads,
                        head -> new PagedRows(
                                lease, tiers.keyType(), tiers.valueType(), layout.headDim(), tiers.rowsPerPage()));
            }
            layers[layer] = new Layer(buffers);
        }
    }

    /** Waits for what was requested for a layer, and lets attention read it instead of the same entries in few bits. */
    void arrive(int index, LayerEntries entries) {
        Layer layer = layers[index];
        await(layer);
        for (int head = 0; head < layer.now().length; head++) {
            HeadEntries one = entries.head(head);
            KvRows fetched = layer.now()[head].rows();
            one.rows().lower(fetched);
            fetched.lower(one.lowRows());
            BitSet withheld = new BitSet(one.lowLength());
            for (int slot : layer.replaced(head)) {
                withheld.set(slot);
            }
            one.lowRows().withhold(withheld.isEmpty() ? null : withheld);
        }
    }

    private static void await(Layer layer) {
        CompletableFuture<?> coming = layer.coming;
        if (coming == null) {
            return;
        }
        layer.coming = null;
        try {
            coming.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : e;
        }
        layer.current = 1 - layer.current;
    }

    /** Waits for what was requested, however it ended. */
    private static void abandon(Layer layer) {
        CompletableFuture<?> coming = layer.coming;
        layer.coming = null;
        if (coming != null) {
            coming.handle((done, failure) -> failure).join();
        }
    }

    /** Room for the attention of each query head on all that a layer's heads hold. */
    Tensor probabilities(int queryHeads, LayerEntries layer) {
        int entries = 0;
        for (HeadEntries head : layer.heads()) {
            int all = 0;
            for (KvRows run = head.rows(); run != null; run = run.lower()) {
                all += run.length();
            }
            entries = Math.max(entries, all);
        }
        Tensor room = probabilities;
        if (room == null || room.rows() != queryHeads || room.columns() < entries) {
            // Freed by the garbage collector: it is small, and nobody would know when to close it.
            room = Tensor.allocate(Arena.ofAuto(), DType.F32, queryHeads, entries + entries / 2);
            probabilities = room;
        }
        return room;
    }

    /**
     * Chooses what a token looked at most, of the entries that will be held in few bits: for each head the {@code most} entries
     * of the highest mean attention over the group, of equals the earlier.
     *
     * @param filled the token's attention on all runs of each head
     * @param index of the layer
     * @param leaving entries, the first of each head's slots, that go to few bits before the next step
     * @return slots of each head's low tier, ascending, those of the leaving entries counted on
     */
    int[][] choose(int index, LayerEntries entries, Tensor filled, int leaving) {
        int heads = entries.heads().length;
        int group = (int) filled.rows() / heads;
        int[][] chosen = new int[heads][];
        for (int head = 0; head < heads; head++) {
            chosen[head] = best(entries.head(head), layers[index].replaced(head), filled, head * group, group, leaving);
        }
        return chosen;
    }

    /**
     * Begins to fetch the exact pairs of each head's entries at these slots of its low tier, and of those that came to it since
     * the slots were chosen, if there is room.
     *
     * @param known entries that each low tier had when the slots were chosen
     */
    void request(int index, LayerEntries entries, int[][] wanted, int[] known) {
        Layer layer = layers[index];
        int heads = wanted.length;
        for (int head = 0; head < heads; head++) {
            KvRows low = entries.head(head).lowRows();
            int more = Math.clamp(low.length() - known[head], 0, most - wanted[head].length);
            int[] slots = Arrays.copyOf(wanted[head], wanted[head].length + more);
            for (int i = 0; i < more; i++) {
                slots[wanted[head].length + i] = known[head] + i;
            }
            PagedRows buffer = layer.next()[head];
            buffer.truncate(0);
            buffer.reserve(slots.length);
            for (int slot : slots) {
                buffer.append(low.position(slot));
            }
            layer.standIns[1 - layer.current][head] = slots;
        }
        PagedRows[] target = layer.next();
        layer.coming = CompletableFuture.runAsync(
                () -> {
                    for (int head = 0; head < heads; head++) {
                        for (int i = 0; i < target[head].length(); i++) {
                            slow.read(index, head, target[head].rows(), i);
                        }
                    }
                },
                thread());
    }

    private int[] best(HeadEntries entries, int[] replaced, Tensor filled, int firstQuery, int group, int leaving) {
        KvRows fetched = entries.rows().lower();
        KvRows low = entries.lowRows();
        int lowStart = entries.length();
        float[] scores = new float[low.length() + leaving];
        if (fetched != null && fetched != low) {
            lowStart += fetched.length();
            for (int i = 0; i < fetched.length(); i++) {
                scores[replaced[i]] = mean(filled, firstQuery, group, entries.length() + i);
            }
        }
        for (int slot = 0; slot < low.length(); slot++) {
            // A slot that another stands in for got no attention of its own.
            scores[slot] += mean(filled, firstQuery, group, lowStart + slot);
        }
        for (int slot = 0; slot < leaving; slot++) {
            scores[low.length() + slot] = mean(filled, firstQuery, group, slot);
        }
        long[] keys = new long[scores.length];
        for (int slot = 0; slot < keys.length; slot++) {
            keys[slot] = Ranking.key(scores[slot], slot);
        }
        int count = Math.min(most, keys.length);
        Ranking.select(keys, keys.length, count);
        int[] slots = new int[count];
        for (int i = 0; i < count; i++) {
            slots[i] = Ranking.tieBreaker(keys[i]);
        }
        Arrays.sort(slots);
        return slots;
    }

    private static float mean(Tensor filled, int firstQuery, int group, int column) {
        float sum = 0;
        for (int member = 0; member < group; member++) {
            sum += filled.get(firstQuery + member, column);
        }
        return sum / group;
    }

    private ExecutorService thread() {
        ExecutorService running = thread;
        if (running == null) {
            running = Executors.newSingleThreadExecutor(
                    Thread.ofPlatform().daemon().name("layercake-fetch").factory());
            thread = running;
        }
        return running;
    }

    /** The positions whose exact pairs a head's attention will read next, ascending. */
    int[] positions(int layer, int head) {
        Layer one = layers[layer];
        KvRows rows = (one.coming == null ? one.now() : one.next())[head].rows();
        return Arrays.copyOf(rows.positions(), rows.length());
    }

    /** Waits for what is under way, forgets everything fetched and returns its pages. */
    void forget(LayerEntries[] entries) {
        for (int index = 0; index < layers.length; index++) {
            Layer layer = layers[index];
            abandon(layer);
            for (int head = 0; head < layer.now().length; head++) {
                layer.now()[head].truncate(0);
                layer.next()[head].truncate(0);
                layer.standIns[0][head] = new int[0];
                layer.standIns[1][head] = new int[0];
                entries[index].head(head).rows().lower(entries[index].head(head).lowRows());
                entries[index].head(head).lowRows().withhold(null);
            }
        }
    }

    @Override
    public void close() {
        for (Layer layer : layers) {
            abandon(layer);
        }
        if (thread != null) {
            thread.close();
            thread = null;
        }
    }
}
