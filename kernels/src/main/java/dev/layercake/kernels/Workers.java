package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A small team of threads that carries out one kernel at a time, and the scratch memory of each. The calling thread is
 * worker 0 and takes part. Not thread-safe: one team serves one caller at a time.
 */
public final class Workers implements AutoCloseable {
    /** The part of a task that one worker does. */
    @FunctionalInterface
    public interface Task {
        /** Does the part of {@code worker}, in {@code [0, count)}. */
        void run(int worker, int count);
    }

    private final int count;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] scratch;

    /** @param count threads to use, the caller's included; at least 1 */
    public Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("threads " + count);
        }
        this.count = count;
        this.scratch = new MemorySegment[count];
        java.util.Arrays.fill(scratch, MemorySegment.NULL);
    }

    public int count() {
        return count;
    }

    /** Runs the task on every worker and returns when all are done. A worker's exception is thrown here. */
    public void run(Task task) {
        for (int worker = 0; worker < count; worker++) {
            task.run(worker, count);
        }
    }

    /** At least {@code bytes} of memory that belong to {@code worker} during the current task; contents undefined. */
    public MemorySegment scratch(int worker, long bytes) {
        if (scratch[worker].byteSize() < bytes) {
            scratch[worker] = arena.allocate(bytes + bytes / 4, 64);
        }
        return scratch[worker];
    }

    @Override
    public void close() {
        arena.close();
    }
}
