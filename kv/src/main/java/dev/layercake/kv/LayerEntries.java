package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** One layer's entries in all its heads, and what the last prompt told about the layer. */
final class LayerEntries {
    private final HeadEntries[] heads;
    private final KvRows[] rows;
    /** What each head may grow to while decoding, the window not counted. */
    final int[] counts;
    /** Entries at the front of each head that are its window; -1 if the last prompt was kept whole, in order. */
    int windowInFront = -1;

    double dispersion;
    double shift;
    float preference = Float.NaN;

    LayerEntries(KvLease lease) {
        heads = new HeadEntries[lease.pool().layout().kvHeads()];
        rows = new KvRows[heads.length];
        for (int head = 0; head < heads.length; head++) {
            heads[head] = new HeadEntries(lease);
            rows[head] = heads[head].rows();
        }
        counts = new int[heads.length];
    }

    HeadEntries head(int index) {
        return heads[index];
    }

    HeadEntries[] heads() {
        return heads;
    }

    KvRows[] rows() {
        return rows;
    }

    /** Entries per head, on average and rounded up. */
    int averageLength() {
        long sum = 0;
        for (HeadEntries head : heads) {
            sum += head.length();
        }
        return (int) ((sum + heads.length - 1) / heads.length);
    }

    int longest() {
        int longest = 0;
        for (HeadEntries head : heads) {
            longest = Math.max(longest, head.length());
        }
        return longest;
    }

    /**
     * Writes keys and values of consecutive tokens, the first of which lies {@code fromEnd} slots before each head's end.
     */
    void store(int fromEnd, Tensor keys, Tensor values, Kernels kernels, Workers workers) {
        int firstSlot = rows[0].length() - fromEnd;
        boolean ragged = false;
        for (KvRows head : rows) {
            ragged |= head.length() - fromEnd != firstSlot;
        }
        if (!ragged) {
            kernels.store(rows, firstSlot, keys, values, workers);
            return;
        }
        int headDim = rows[0].headDim();
        try (Arena arena = Arena.ofConfined()) {
            for (int head = 0; head < rows.length; head++) {
                kernels.store(
                        new KvRows[] {rows[head]},
                        rows[head].length() - fromEnd,
                        columns(keys, head * headDim, headDim, arena),
                        columns(values, head * headDim, headDim, arena),
                        workers);
            }
        }
    }

    private static Tensor columns(Tensor tensor, int first, int count, Arena arena) {
        Tensor part = Tensor.allocate(arena, DType.F32, tensor.rows(), count);
        for (long row = 0; row < tensor.rows(); row++) {
            MemorySegment.copy(
                    tensor.data(),
                    row * tensor.rowBytes() + (long) first * Float.BYTES,
                    part.data(),
                    row * part.rowBytes(),
                    part.rowBytes());
        }
        return part;
    }
}
