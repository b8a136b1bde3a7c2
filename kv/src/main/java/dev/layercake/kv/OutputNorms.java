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
    private static final int BLOCK_ENTRIES = 512;
    private static final int BLOCK_ROWS = 512;

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
        int group = queryHeads / kvHeads;
        long elements = (long) BLOCK_ROWS * headDim * (queryHeads + group)
                + (long) BLOCK_ENTRIES * (kvHeads * headDim + group * (BLOCK_ROWS + 1));
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
        int block = Math.min(BLOCK_ENTRIES, longest);
        try (Arena arena = Arena.ofShared()) {
            Block work = new Block(arena, Math.min(BLOCK_ROWS, outputs), block);
            for (int first = 0; first < longest; first += block) {
                work.readValues(first, counts);
                for (int row = 0; row < outputs; row += BLOCK_ROWS) {
                    work.readRows(parts, layer, row, Math.min(BLOCK_ROWS, outputs - row));
                    for (int kvHead = 0; kvHead < rows.length; kvHead++) {
                        work.add(kvHead, first, Math.min(block, counts[kvHead] - first), norms);
                    }
                }
            }
        }
        return norms;
    }

    /** So many entries of each KV head, and so many rows of W_O. */
    private final class Block {
        private final int headDim = shape.headDim();
        private final int group = shape.group();
        private final int entries;
        private final Tensor values;
        private final Tensor matrix;
        /** The columns of one group's heads, one head's rows after the other's. */
        private final Tensor columns;

        private final Tensor projected;
        private final Tensor sums;
        private int blockRows;

        Block(Arena arena, int mostRows, int entries) {
            this.entries = entries;
            values = Tensor.allocate(arena, DType.F32, (long) rows.length * entries, headDim);
            matrix = Tensor.allocate(arena, DType.F32, mostRows, (long) shape.queryHeads() * headDim);
            columns = Tensor.allocate(arena, DType.F32, (long) group * mostRows, headDim);
            projected = Tensor.allocate(arena, DType.F32, entries, (long) group * mostRows);
            sums = Tensor.allocate(arena, DType.F32, group, entries);
        }

        void readValues(int first, int[] counts) {
            workers.run((worker, team) -> {
                float[] value = new float[headDim];
                for (int head = worker; head < rows.length; head += team) {
                    int end = Math.min(counts[head], first + entries);
                    for (int slot = first; slot < end; slot++) {
                        rows[head].readValue(slot, value);
                        MemorySegment.copy(
                                value,
                                0,
                                values.data(),
                                ValueLayout.JAVA_FLOAT_UNALIGNED,
                                ((long) head * entries + slot - first) * values.rowBytes(),
                                headDim);
                    }
                }
            });
        }

        void readRows(ModelParts parts, int layer, int firstRow, int count) {
            blockRows = count;
            parts.outputRows(layer, firstRow, matrix.slice(0, count));
        }

        void add(int kvHead, int first, int count, float[][] norms) {
            if (count <= 0) {
                return;
            }
            copyColumns(kvHead);
            Tensor out = new Tensor(DType.F32, projected.data(), count, (long) group * blockRows);
            kernels.matmul(
                    columns.slice(0, (long) group * blockRows),
                    values.slice((long) kvHead * entries, count),
                    out,
                    workers);
            sums.data().fill((byte) 0);
            kernels.addMagnitudes(out, sums, workers);
            for (int member = 0; member < group; member++) {
                float[] target = norms[kvHead * group + member];
                for (int entry = 0; entry < count; entry++) {
                    target[first + entry] += sums.get(member, entry);
                }
            }
        }

        private void copyColumns(int kvHead) {
            for (int member = 0; member < group; member++) {
                long offset = (long) (kvHead * group + member) * columns.rowBytes();
                for (int row = 0; row < blockRows; row++) {
                    MemorySegment.copy(
                            matrix.data(),
                            row * matrix.rowBytes() + offset,
                            columns.data(),
                            ((long) member * blockRows + row) * columns.rowBytes(),
                            columns.rowBytes());
                }
            }
        }
    }
}
