package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A small team of threads that carries out one kernel at a time, and the scratch memory of each. The calling thread is
 * worker 0 and takes part, so a team of one has no thread of its own. Not thread-safe: one team serves one caller at a
 * time, and a task must not run another task on the same team.
 *
 * <p>A decode step runs hundreds of tasks of some tens of microseconds each, so whoever waits spins for a moment before
 * it parks. The spinning is bounded, and left out where the team has more threads than the machine has cores. A run
 * allocates nothing.
 */
public final class Workers implements AutoCloseable {
    /** The part of a task that one worker does. */
    @FunctionalInterface
    public interface Task {
        /** Does the part of {@code worker}, in {@code [0, count)}. */
        void run(int worker, int count);
    }

    /** Longer than the gap between two kernels of a decode step, shorter than anybody notices. */
    private static final long SPIN_NANOS = 50_000;

    private static final int SPINS_PER_CLOCK_READ = 32;
    private static final int NEXT_CACHE_LINE = 16;
    private static final Task NOTHING = (worker, count) -> {};

    private final int count;
    private final long spinNanos;
    private final Thread[] threads;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment[] scratch;
    private final float[][] floats;

    private final AtomicBoolean busy = new AtomicBoolean();
    private final AtomicInteger round = new AtomicInteger();
    private final AtomicInteger pending = new AtomicInteger();
    private final AtomicInteger claims = new AtomicInteger();
    private final AtomicIntegerArray parked;
    private final AtomicReference<@Nullable Thread> parkedCaller = new AtomicReference<>();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    /** Published by the write to {@code round} that follows each change. */
    private Task task = NOTHING;

    private volatile boolean closed;

    /** @param count threads to use, the caller's included; at least 1 */
    public Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("threads " + count);
        }
        this.count = count;
        this.spinNanos = count <= Runtime.getRuntime().availableProcessors() ? SPIN_NANOS : 0;
        this.scratch = new MemorySegment[count];
        Arrays.fill(scratch, MemorySegment.NULL);
        this.floats = new float[count][0];
        this.parked = new AtomicIntegerArray(count * NEXT_CACHE_LINE);
        this.threads = new Thread[count - 1];
        for (int worker = 1; worker < count; worker++) {
            int number = worker;
            threads[worker - 1] = Thread.ofPlatform()
                    .daemon()
                    .name("layercake-worker-" + worker)
                    .unstarted(() -> serve(number));
        }
        for (Thread thread : threads) {
            thread.start();
        }
    }

    public int count() {
        return count;
    }

    /**
     * Runs the task once on every worker and returns when all are done. What a worker throws is thrown here; if several
     * do, the others are suppressed exceptions of the first.
     *
     * @throws IllegalStateException if the team is closed, or is at work already (a task within a task, a second caller)
     */
    public void run(Task newTask) {
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException("a team of workers carries out one task at a time");
        }
        try {
            if (closed) {
                throw new IllegalStateException("the team of workers is closed");
            }
            claims.set(0);
            if (count == 1) {
                newTask.run(0, 1);
                return;
            }
            task = newTask;
            startRound(count - 1);
            work(newTask, 0);
            awaitOthers();
            task = NOTHING;
            rethrow(failure.getAndSet(null));
        } finally {
            busy.set(false);
        }
    }

    /**
     * A number that no worker has claimed in the current task, counted from 0: for work in more pieces than workers, so
     * that the faster ones do more of it.
     */
    public int claim() {
        return claims.getAndIncrement();
    }

    private void startRound(int others) {
        pending.set(others);
        round.incrementAndGet();
        for (int worker = 1; worker < count; worker++) {
            if (parked.get(worker * NEXT_CACHE_LINE) != 0) {
                LockSupport.unpark(threads[worker - 1]);
            }
        }
    }

    private void serve(int worker) {
        int seen = 0;
        while (true) {
            seen = awaitRound(worker, seen);
            if (closed) {
                return;
            }
            work(task, worker);
            if (pending.decrementAndGet() == 0) {
                Thread caller = parkedCaller.get();
                if (caller != null) {
                    LockSupport.unpark(caller);
                }
            }
        }
    }

    private void work(Task current, int worker) {
        try {
            current.run(worker, count);
        } catch (Throwable thrown) {
            if (!failure.compareAndSet(null, thrown)) {
                Throwable first = failure.get();
                if (first != null && !first.equals(thrown)) {
                    first.addSuppressed(thrown);
                }
            }
        }
    }

    private int awaitRound(int worker, int seen) {
        if (spinNanos > 0) {
            long start = System.nanoTime();
            do {
                for (int spin = 0; spin < SPINS_PER_CLOCK_READ; spin++) {
                    int now = round.get();
                    if (now != seen) {
                        return now;
                    }
                    Thread.onSpinWait();
                }
            } while (System.nanoTime() - start < spinNanos);
        }
        int flag = worker * NEXT_CACHE_LINE;
        parked.set(flag, 1);
        int now = round.get();
        while (now == seen) {
            LockSupport.park(this);
            now = round.get();
        }
        parked.set(flag, 0);
        return now;
    }

    private void awaitOthers() {
        if (spinNanos > 0) {
            long start = System.nanoTime();
            do {
                for (int spin = 0; spin < SPINS_PER_CLOCK_READ; spin++) {
                    if (pending.get() == 0) {
                        return;
                    }
                    Thread.onSpinWait();
                }
            } while (System.nanoTime() - start < spinNanos);
        }
        parkedCaller.set(Thread.currentThread());
        // An interrupted caller must still not leave before its workers: they write to its memory.
        boolean interrupted = false;
        while (pending.get() != 0) {
            LockSupport.park(this);
            interrupted |= Thread.interrupted();
        }
        parkedCaller.set(null);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rethrow(@Nullable Throwable thrown) {
        switch (thrown) {
            case null -> {}
            case RuntimeException exception -> throw exception;
            case Error error -> throw error;
            default -> throw new IllegalStateException("a worker failed", thrown);
        }
    }

    /**
     * At least {@code bytes} of memory that belong to {@code worker} during the current task, aligned to a cache line;
     * contents undefined. A second call within a task may return the same memory.
     */
    public MemorySegment scratch(int worker, long bytes) {
        if (scratch[worker].byteSize() < bytes) {
            scratch[worker] = arena.allocate(bytes + bytes / 4, 64);
        }
        return scratch[worker];
    }

    /**
     * An array of at least {@code length} floats, under the rules of {@link #scratch}: for loops with so many vectors that
     * the compiler takes arrays only.
     */
    public float[] floats(int worker, int length) {
        if (floats[worker].length < length) {
            floats[worker] = new float[length + length / 4];
        }
        return floats[worker];
    }

    /** Stops the threads and frees the scratch memory. Closing twice does nothing. */
    @Override
    public void close() {
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException("a team of workers cannot be closed while it is at work");
        }
        try {
            if (closed) {
                return;
            }
            closed = true;
            startRound(0);
            boolean interrupted = false;
            for (Thread thread : threads) {
                while (thread.isAlive()) {
                    try {
                        thread.join();
                    } catch (InterruptedException e) {
                        interrupted = true;
                    }
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            arena.close();
        } finally {
            busy.set(false);
        }
    }
}
