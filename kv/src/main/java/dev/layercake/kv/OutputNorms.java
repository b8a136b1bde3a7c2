package dev.layercake.kv;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What values are worth to a layer's output: for each query head h and entry the sum of magnitudes of W_O,h v, the value
 * through the head's columns of the output projection. Costs what the projection itself costs for as many tokens; works in
 * blocks of entries and of rows of W_O, so that its memory depends on neither.
 */
final class OutputNorms {
    private static final int BLOCK_ENTRIES = 2048;
    private static final int BLOCK_ROWS = 256;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Kernels kernels;
    private final Workers workers;

    OutputNorms(AttentionShape shape, KvRows[] rows, Kernels kernels, Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.kernels = kernels;
        this.workers = workers;
    }

    /** Bytes that the computation takes beside its result. */
    static long bytes(int queryHeads, int kvHeads, int headDim) {
        long elements = (long) BLOCK_ROWS * headDim * (queryHeads + 1)
                + (long) BLOCK_ENTRIES * (kvHeads * headDim + BLOCK_ROWS + 1);
        return elements * Float.BYTES;
    }

    /**
     * The norms.
     *
     * @param counts entries of each KV head to look at, from slot 0
     * @return for each query head as many numbers
     */
    float[][] compute(ModelParts parts, int layer, int[] counts) {
        float[][] norms = new float[shape.queryHeads()][];
        int longest = 0;
        for (int head = 0; head < norms.length; head++) {
            norms[head] = new float[counts[head / shape.group()]];
            longest = Math.max(longest, norms[head].length);
        }
        int outputs = parts.outputSize();
        int headDim = shape.headDim();
        try (Arena arena = Arena.ofShared()) {
            Tensor matrix =
                    Tensor.allocate(arena, DType.F32, Math.min(BLOCK_ROWS, outputs), (long) norms.length * headDim);
            Tensor columns = Tensor.allocate(arena, DType.F32, matrix.rows(), headDim);
            int block = Math.min(BLOCK_ENTRIES, longest);
            Tensor values = Tensor.allocate(arena, DType.F32, (long) rows.length * block, headDim);
            Tensor projected = Tensor.allocate(arena, DType.F32, block, matrix.rows());
            Tensor sums = Tensor.allocate(arena, DType.F32, 1, block);
            for (int first = 0; first < longest; first += block) {
                readValues(first, block, counts, values);
                for (int row = 0; row < outputs; row += BLOCK_ROWS) {
                    int blockRows = Math.min(BLOCK_ROWS, outputs - row);
                    parts.outputRows(layer, row, matrix.slice(0, blockRows));
                    for (int head = 0; head < norms.length; head++) {
                        int kvHead = head / shape.group();
                        int count = Math.min(block, counts[kvHead] - first);
                        if (count > 0) {
                            copyColumns(matrix, head, columns.slice(0, blockRows));
                            Tensor out = new Tensor(DType.F32, projected.data(), count, blockRows);
                            kernels.matmul(
                                    columns.slice(0, blockRows),
                                    values.slice((long) kvHead * block, count),
                                    out,
                                    workers);
                            addMagnitudes(out, new Tensor(DType.F32, sums.data(), 1, count), norms[head], first);
                        }
                    }
                }
            }
        }
        return norms;
    }

    private void readValues(int first, int block, int[] counts, Tensor target) {
        workers.run((worker, team) -> {
            float[] value = new float[shape.headDim()];
            for (int head = worker; head < rows.length; head += team) {
                int end = Math.min(counts[head], first + block);
                for (int slot = first; slot < end; slot++) {
                    rows[head].readValue(slot, value);
                    MemorySegment.copy(
                            value,
                            0,
                            target.data(),
                            ValueLayout.JAVA_FLOAT_UNALIGNED,
                            ((long) head * block + slot - first) * target.rowBytes(),
                            value.length);
                }
            }
        });
    }

    private void copyColumns(Tensor matrix, int head, Tensor target) {
        long offset = (long) head * target.rowBytes();
        for (long row = 0; row < target.rows(); row++) {
            MemorySegment.copy(
                    matrix.data(),
                    row * matrix.rowBytes() + offset,
                    target.data(),
                    row * target.rowBytes(),
                    target.rowBytes());
        }
    }

    private void addMagnitudes(Tensor projected, Tensor sums, float[] norms, int first) {
        sums.data().fill((byte) 0);
        kernels.addMagnitudes(projected, sums, workers);
        for (int entry = 0; entry < projected.rows(); entry++) {
            norms[first + entry] += sums.get(0, entry);
        }
    }
}
