package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class KvPoolTest {
    private static final KvLayout LAYOUT = new KvLayout(2, 1, 32, DType.F32, DType.F32);
    private static final long PAGE = 4 * 2 * 32 * Float.BYTES;

    @Test
    void countsWhatIsInUse() {
        try (KvPool pool = new KvPool(LAYOUT, 10 * PAGE + 5, 4)) {
            assertThat(pool.capacityBytes()).isEqualTo(10 * PAGE);
            try (KvLease first = pool.lease(3 * PAGE);
                    KvLease second = pool.lease(4 * PAGE - 1)) {
                assertThat(pool.reservedBytes()).isEqualTo(7 * PAGE);
                long page = first.takePage();
                second.takePage();
                second.takePage();
                first.countEntries(3);
                second.countEntries(5);
                assertThat(pool.bytesInUse()).isEqualTo(3 * PAGE);
                assertThat(first.bytesInUse()).isEqualTo(PAGE);
                assertThat(pool.entriesInUse()).isEqualTo(8);
                first.givePage(page);
                first.countEntries(-3);
                assertThat(pool.bytesInUse()).isEqualTo(2 * PAGE);
                assertThat(pool.peakBytes()).isEqualTo(3 * PAGE);
                assertThat(pool.peakEntries()).isEqualTo(8);
                assertThatThrownBy(() -> first.givePage(page)).isInstanceOf(IllegalStateException.class);
            }
            assertThat(pool.bytesInUse()).isZero();
            assertThat(pool.entriesInUse()).isZero();
            assertThat(pool.reservedBytes()).isZero();
        }
    }

    @Test
    void pagesAreDistinctAndReused() {
        try (KvPool pool = new KvPool(LAYOUT, 3 * PAGE, 4);
                KvLease lease = pool.lease(3 * PAGE)) {
            List<Long> pages = new ArrayList<>();
            for (int round = 0; round < 5; round++) {
                for (int i = 0; i < 3; i++) {
                    pages.add(lease.takePage());
                }
                assertThat(pages).doesNotHaveDuplicates().allMatch(page -> page % 64 == 0);
                assertThatThrownBy(lease::takePage)
                        .isInstanceOf(LayercakeException.class)
                        .hasMessageContaining(3 * PAGE + " bytes");
                pages.forEach(lease::givePage);
                pages.clear();
            }
        }
    }

    @Test
    void refusesAtTheDoorWithTheNumbers() {
        KvLayout layout = new KvLayout(1, 1, 128, DType.F32, DType.F32);
        long mebibyte = 1 << 20;
        try (KvPool pool = new KvPool(layout, 8 * mebibyte, 64)) {
            KvLease lease = pool.lease(5 * mebibyte);
            assertThatThrownBy(() -> pool.lease(4 * mebibyte))
                    .isInstanceOfSatisfying(LayercakeException.class, refused -> {
                        assertThat(refused.category()).isEqualTo(LayercakeException.Category.OVER_CAPACITY);
                        assertThat(refused)
                                .hasMessageStartingWith(
                                        "The request needs 4.00 MiB of KV memory, but 3.00 MiB of the pool's"
                                                + " 8.00 MiB are free");
                    });
            lease.reserve(2 * mebibyte);
            try (KvLease other = pool.lease(4 * mebibyte)) {
                assertThatThrownBy(() -> lease.reserve(5 * mebibyte)).isInstanceOf(LayercakeException.class);
                assertThat(lease.reservedBytes()).isEqualTo(2 * mebibyte);
                assertThat(other.reservedBytes()).isEqualTo(4 * mebibyte);
            }
            assertThatThrownBy(pool::close).isInstanceOf(IllegalStateException.class);
            lease.close();
            lease.close();
            assertThatThrownBy(lease::takePage).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void refusesWhatCannotBeStored() {
        assertThatThrownBy(() -> new KvPool(LAYOUT, PAGE - 1, 4))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining(PAGE + " bytes");
        assertThatThrownBy(() -> new KvLayout(1, 1, 48, DType.Q8_0, DType.BF16))
                .isInstanceOf(LayercakeException.class)
                .hasMessage(
                        "KV type Q8_0 needs a head dimension that is a multiple of 32, this model's is 48; use BF16,"
                                + " F16 or F32.");
        assertThatThrownBy(() -> new KvLayout(1, 1, 64, DType.BF16, DType.Q4_0))
                .isInstanceOf(LayercakeException.class)
                .hasMessageStartingWith("KV type Q4_0 is not supported");
    }

    @Test
    void largePoolsCostNothingUntilTheyAreUsed() {
        KvLayout layout = KvLayout.of(16, 8, 64);
        try (KvPool pool = new KvPool(layout, 1L << 30);
                KvLease lease = pool.lease(1L << 29)) {
            long address = lease.takePage();
            assertThat(Rows.bytes(address, pool.pageBytes())).containsOnly(0);
            assertThat(lease.bytesInUse()).isEqualTo(pool.pageBytes());
        }
    }

    @Test
    void layoutCountsBytes() {
        assertThat(KvLayout.of(16, 8, 64).tokenBytes()).isEqualTo(16 * 8 * 2 * 64 * 2);
        assertThat(new KvLayout(1, 1, 64, DType.Q8_0, DType.F16).entryBytes()).isEqualTo(68 + 128);
    }
}
