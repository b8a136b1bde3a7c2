package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** A tensor converted to its type while it is written, some megabytes at a time. */
record ConvertedRows(DType target, long rows, long columns, TensorContent.Rows source, Kernels kernels, Workers workers)
        implements TensorContent {
    private static final long PIECE_ELEMENTS = 1 << 20;

    @Override
    public void writeTo(Consumer<MemorySegment> out) {
        long most = Math.clamp(PIECE_ELEMENTS / Math.max(columns, 1), 1, Math.max(rows, 1));
        try (Arena arena = Arena.ofShared()) {
            Tensor floats = Tensor.allocate(arena, DType.F32, most, columns);
            Tensor converted = Tensor.allocate(arena, target, most, columns);
            for (long first = 0; first < rows; first += most) {
                long count = Math.min(most, rows - first);
                Tensor part = floats.slice(0, count);
                Tensor result = converted.slice(0, count);
                source.fill(first, part);
                kernels.quantize(part, result, workers);
                out.accept(result.data());
            }
        }
    }
}
