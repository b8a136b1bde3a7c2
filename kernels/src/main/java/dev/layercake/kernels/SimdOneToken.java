package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/**
 * One token times one or several matrices, straight from the weights' memory. The rows are cut into pieces that workers
 * claim one after the other, because cores that share a memory bus, or a machine, never run equally fast.
 */
final class SimdOneToken {
    /** Long enough that the streams of a piece's rows stay sequential, short enough that the last worker is not waited for. */
    private static final long PIECE_BYTES = 1 << 18;

    /** Pieces that a small matrix is cut into for each worker. */
    private static final int PIECES_PER_WORKER = 2;

    /** Outputs of a cache line, which one worker writes. */
    private static final int LINE = 16;

    private SimdOneToken() {}

    static void matmul(Tensor[] weights, Tensor x, Tensor[] outs, Workers workers) {
        workers.run((worker, count) -> work(weights, x, outs, workers, worker, count));
    }

    private static void work(Tensor[] weights, Tensor x, Tensor[] outs, Workers workers, int worker, int count) {
        int inputs = (int) x.columns();
        long scratch = workers.scratch(worker, Math.max(SimdGemv.preparedBytes(inputs), SimdFewTokens.SCRATCH_BYTES))
                .address();
        float[] floats = workers.floats(worker, SimdGemv.WORK_FLOATS);
        @Nullable DType prepared = null;
        int piece = workers.claim();
        int firstPiece = 0;
        for (int matrix = 0; matrix < weights.length; matrix++) {
            Tensor rows = weights[matrix];
            int pieceRows = pieceRows(rows, count);
            int pieces = Math.ceilDiv((int) rows.rows(), pieceRows);
            if (piece < firstPiece + pieces && rows.dtype() != prepared) {
                prepared = rows.dtype();
                SimdGemv.prepare(prepared, x.address(), inputs, scratch);
            }
            for (; piece < firstPiece + pieces; piece = workers.claim()) {
                int first = (piece - firstPiece) * pieceRows;
                int last = Math.min(first + pieceRows, (int) rows.rows());
                if (SimdGemv.direct(rows.dtype())) {
                    SimdGemv.rows(rows, first, last, x, scratch, floats, outs[matrix]);
                } else {
                    SimdFewTokens.rows(rows, x, outs[matrix], first, last, scratch);
                    prepared = null;
                }
            }
            firstPiece += pieces;
        }
    }

    /** Rows of a piece: whole cache lines of outputs. */
    private static int pieceRows(Tensor weights, int workers) {
        long bySize = PIECE_BYTES / weights.rowBytes();
        long byShare = weights.rows() / ((long) PIECES_PER_WORKER * workers);
        return (int) Math.max(1, Math.min(bySize, byShare) / LINE) * LINE;
    }
}
