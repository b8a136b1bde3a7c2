package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void everyWorkerRunsOncePerRun(int count) {
        try (Workers workers = new Workers(count)) {
            AtomicIntegerArray runs = new AtomicIntegerArray(count);
            for (int run = 1; run <= 3_000; run++) {
                workers.run((worker, all) -> {
                    assertThat(all).isEqualTo(count);
                    runs.incrementAndGet(worker);
                });
                for (int worker = 0; worker < count; worker++) {
                    assertThat(runs.get(worker)).isEqualTo(run);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void piecesAreClaimedOnceEachInEveryRun(int count) {
        try (Workers workers = new Workers(count)) {
            for (int run = 0; run < 100; run++) {
                AtomicIntegerArray claimed = new AtomicIntegerArray(50);
                workers.run((worker, all) -> {
                    for (int piece = workers.claim(); piece < claimed.length(); piece = workers.claim()) {
                        claimed.incrementAndGet(piece);
                    }
                });
                for (int piece = 0; piece < claimed.length(); piece++) {
                    assertThat(claimed.get(piece)).isOne();
                }
            }
        }
    }

    /** Plain memory written by one run is seen by all workers of the next: each run is a barrier. */
    @Test
    void aRunSeesWhatTheRunBeforeWrote() {
        try (Workers workers = new Workers(3)) {
            long[] values = {1, 2, 3};
            long[] next = new long[3];
            for (int run = 0; run < 20_000; run++) {
                workers.run((worker, count) -> next[worker] = values[(worker + 1) % count] + 1);
                workers.run((worker, count) -> values[worker] = next[worker]);
            }
            assertThat(values[0] + values[1] + values[2]).isEqualTo(6 + 3L * 20_000);
        }
    }

    @Test
    void workersThatWentToSleepWakeUp() throws InterruptedException {
        try (Workers workers = new Workers(2)) {
            AtomicInteger runs = new AtomicInteger();
            for (int run = 0; run < 20; run++) {
                Thread.sleep(2);
                workers.run((worker, count) -> runs.incrementAndGet());
            }
            assertThat(runs).hasValue(40);
        }
    }

    @Test
    void aCallerWaitsForASlowWorker() {
        try (Workers workers = new Workers(2)) {
            AtomicInteger done = new AtomicInteger();
            workers.run((worker, count) -> {
                if (worker == 1) {
                    busyFor(20);
                }
                done.incrementAndGet();
            });
            assertThat(done).hasValue(2);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void aWorkersExceptionIsThrownInTheCallerAndTheTeamLivesOn(int thrower) {
        try (Workers workers = new Workers(3)) {
            AtomicInteger finished = new AtomicInteger();
            assertThatThrownBy(() -> workers.run((worker, count) -> {
                        if (worker == thrower) {
                            throw new ArithmeticException("worker " + worker);
                        }
                        finished.incrementAndGet();
                    }))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessage("worker " + thrower);
            assertThat(finished).hasValue(2);
            workers.run((worker, count) -> finished.incrementAndGet());
            assertThat(finished).hasValue(5);
        }
    }

    @Test
    void furtherExceptionsAreSuppressedOnesOfTheFirst() {
        try (Workers workers = new Workers(4)) {
            assertThatThrownBy(() -> workers.run((worker, count) -> {
                        throw new IllegalArgumentException("worker " + worker);
                    }))
                    .isInstanceOf(IllegalArgumentException.class)
                    .satisfies(thrown -> assertThat(thrown.getSuppressed()).hasSize(3));
        }
    }

    @Test
    void errorsAreThrownAsTheyAre() {
        try (Workers workers = new Workers(2)) {
            assertThatThrownBy(() -> workers.run((worker, count) -> {
                        if (worker == 1) {
                            throw new StackOverflowError("deep");
                        }
                    }))
                    .isInstanceOf(StackOverflowError.class)
                    .hasMessage("deep");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aTaskWithinATaskIsRefused(int count) {
        try (Workers workers = new Workers(count)) {
            assertThatThrownBy(() -> workers.run((worker, all) -> workers.run((inner, allInner) -> {})))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("one task at a time");
            workers.run((worker, all) -> {});
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void aClosedTeamRefusesWorkAndMayBeClosedAgain(int count) {
        Workers workers = new Workers(count);
        workers.run((worker, all) -> {});
        workers.close();
        workers.close();
        assertThatThrownBy(() -> workers.run((worker, all) -> {}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void closingEndsTheThreads() {
        Workers workers = new Workers(3);
        Thread[] seen = new Thread[3];
        workers.run((worker, count) -> seen[worker] = Thread.currentThread());
        assertThat(seen[0]).isSameAs(Thread.currentThread());
        assertThat(seen[1].isDaemon()).isTrue();
        workers.close();
        assertThat(seen[1].isAlive()).isFalse();
        assertThat(seen[2].isAlive()).isFalse();
    }

    @Test
    void anInterruptedCallerStillWaitsAndStaysInterrupted() {
        try (Workers workers = new Workers(2)) {
            AtomicInteger done = new AtomicInteger();
            Thread.currentThread().interrupt();
            workers.run((worker, count) -> {
                if (worker == 1) {
                    busyFor(5);
                }
                done.incrementAndGet();
            });
            assertThat(Thread.interrupted()).isTrue();
            assertThat(done).hasValue(2);
        }
    }

    @Test
    void scratchBelongsToOneWorkerAndGrows() {
        try (Workers workers = new Workers(2)) {
            assertThat(workers.scratch(0, 100).byteSize()).isGreaterThanOrEqualTo(100);
            long first = workers.scratch(0, 100).address();
            assertThat(workers.scratch(1, 100).address()).isNotEqualTo(first);
            assertThat(workers.scratch(0, 50).address()).isEqualTo(first);
            assertThat(workers.scratch(0, 10_000).byteSize()).isGreaterThanOrEqualTo(10_000);
            assertThat(first % 64).isZero();
        }
    }

    @Test
    void aTeamOfNobodyIsRefused() {
        assertThatThrownBy(() -> new Workers(0)).isInstanceOf(IllegalArgumentException.class);
    }

    private static void busyFor(long millis) {
        long end = System.nanoTime() + millis * 1_000_000;
        while (System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }
}
