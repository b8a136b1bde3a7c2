package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A row-major matrix in off-heap memory, read and written by kernels; a vector is a matrix of one row. It does not own
 * its memory: whoever made the segment (an arena, a mapped file, the KV pool) decides how long it lives.
 *
 * <p>The constructor is the one place where extents are checked against memory; kernels check shapes against each other
 * and then compute with raw addresses.
 */
public final class Tensor {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final DType dtype;
    private final MemorySegment data;
    private final long rows;
    private final long columns;
    private final long rowBytes;

    /**
     * @param data native memory of at least {@code rows * dtype.rowBytes(columns)} bytes
     * @throws IllegalArgumentException if the segment is on the heap or too small, or the row is no whole number of blocks
     */
    public Tensor(DType dtype, MemorySegment data, long rows, long columns) {
        if (rows < 0 || columns < 0) {
            throw new IllegalArgumentException("negative shape " + rows + " x " + columns);
        }
        if (!data.isNative()) {
            throw new IllegalArgumentException("a tensor needs native memory");
        }
        this.rowBytes = dtype.rowBytes(columns);
        long needed = Math.multiplyExact(rows, rowBytes);
        if (data.byteSize() < needed) {
            throw new IllegalArgumentException(
                    rows + " x " + columns + " " + dtype + " need " + needed + " bytes, got " + data.byteSize());
        }
        this.dtype = dtype;
        this.data = data;
        this.rows = rows;
        this.columns = columns;
    }

    /** A zeroed matrix, aligned to a cache line. */
    public static Tensor allocate(Arena arena, DType dtype, long rows, long columns) {
        long bytes = Math.multiplyExact(rows, dtype.rowBytes(columns));
        return new Tensor(dtype, arena.allocate(Math.max(bytes, 1), 64), rows, columns);
    }

    /** A float matrix that holds a copy of {@code values}, row-major. */
    public static Tensor of(Arena arena, long rows, long columns, float... values) {
        if (values.length != rows * columns) {
            throw new IllegalArgumentException(values.length + " values for " + rows + " x " + columns);
        }
        Tensor tensor = allocate(arena, DType.F32, rows, columns);
        MemorySegment.copy(values, 0, tensor.data, FLOAT, 0, values.length);
        return tensor;
    }

    public DType dtype() {
        return dtype;
    }

    public MemorySegment data() {
        return data;
    }

    public long rows() {
        return rows;
    }

    public long columns() {
        return columns;
    }

    public long rowBytes() {
        return rowBytes;
    }

    public long address() {
        return data.address();
    }

    /** Address of the first byte of a row. */
    public long rowAddress(long row) {
        return data.address() + row * rowBytes;
    }

    public long bytes() {
        return rows * rowBytes;
    }

    /** The rows {@code [first, first + count)}, sharing memory. */
    public Tensor slice(long first, long count) {
        if (first < 0 || count < 0 || first + count > rows) {
            throw new IllegalArgumentException("rows " + first + "+" + count + " of " + rows);
        }
        return new Tensor(dtype, data.asSlice(first * rowBytes, count * rowBytes), count, columns);
    }

    /** The same float numbers seen as a matrix of another shape, sharing memory. */
    public Tensor reshape(long newRows, long newColumns) {
        if (dtype.quantized() || Math.multiplyExact(newRows, newColumns) != rows * columns) {
            throw new IllegalArgumentException(
                    dtype + " " + rows + " x " + columns + " seen as " + newRows + " x " + newColumns);
        }
        return new Tensor(dtype, data, newRows, newColumns);
    }

    /** One element of a float matrix. */
    public float get(long row, long column) {
        return data.get(FLOAT, offset(row, column));
    }

    /** Sets one element of a float matrix. */
    public void set(long row, long column, float value) {
        data.set(FLOAT, offset(row, column), value);
    }

    /** A copy of a float matrix, row-major. */
    public float[] toArray() {
        requireF32();
        float[] values = new float[Math.toIntExact(rows * columns)];
        MemorySegment.copy(data, FLOAT, 0, values, 0, values.length);
        return values;
    }

    private long offset(long row, long column) {
        requireF32();
        if (row < 0 || row >= rows || column < 0 || column >= columns) {
            throw new IndexOutOfBoundsException("(" + row + ", " + column + ") of " + rows + " x " + columns);
        }
        return row * rowBytes + column * Float.BYTES;
    }

    private void requireF32() {
        if (dtype != DType.F32) {
            throw new IllegalStateException("elements of a " + dtype + " tensor have no address of their own");
        }
    }

    @Override
    public String toString() {
        return dtype + "[" + rows + " x " + columns + "]";
    }
}
