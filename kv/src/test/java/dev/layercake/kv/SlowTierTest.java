package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a slow tier takes and gives back, whatever happens to it. */
class SlowTierTest {
    private static final KvLayout LAYOUT = new KvLayout(2, 2, 32, DType.F32, DType.F32);
    private static final int GROUP = 2;

    /** A tier with room for one piece. */
    private static final class SmallTier implements Tier {
        private final RamTier ram = new RamTier();

        @Override
        public MemorySegment grow(long bytes) {
            if (ram.bytes() > 0) {
                throw LayercakeException.overCapacity("The disk is full.");
            }
            return ram.grow(bytes);
        }

        @Override
        public long bytes() {
            return ram.bytes();
        }

        @Override
        public void close() {
            ram.close();
        }
    }

    @Test
    void theFileIsGoneWhateverHappens(@TempDir Path folder) throws Exception {
        try (FileTier tier = new FileTier(folder)) {
            MemorySegment first = tier.grow(10_000);
            MemorySegment second = tier.grow(3 << 20);
            first.set(ValueLayout.JAVA_LONG_UNALIGNED, 9_992, 42);
            second.set(ValueLayout.JAVA_LONG_UNALIGNED, (3 << 20) - 8, 43);
            assertThat(tier.bytes()).isEqualTo(10_000 + (3 << 20));
            assertThat(first.get(ValueLayout.JAVA_LONG_UNALIGNED, 9_992)).isEqualTo(42);
            assertThat(second.get(ValueLayout.JAVA_LONG_UNALIGNED, (3 << 20) - 8))
                    .isEqualTo(43);
            assertThat(first.get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).isZero();
        }
        try (var left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void anInterruptedTierGivesItsMemoryBack(@TempDir Path folder) throws Exception {
        MemorySegment piece;
        try (FileTier tier = new FileTier(folder)) {
            piece = tier.grow(10_000);
            Thread.currentThread().interrupt();
            try {
                assertThatThrownBy(() -> tier.grow(10_000)).isInstanceOf(LayercakeException.class);
            } finally {
                assertThat(Thread.interrupted()).isTrue();
            }
            assertThat(tier.bytes()).isEqualTo(10_000);
        }
        assertThat(piece.scope().isAlive()).isFalse();
        try (var left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void aFolderThatCannotBeWrittenIsNamed(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("no-folder"));
        assertThatThrownBy(() -> new FileTier(file))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("cannot be made in " + file)
                .hasMessageContaining("slow=ram");
    }

    @Test
    void aFullTierIsRefusedBeforeAnythingIsLost() {
        try (KvPool pool = new KvPool(LAYOUT, 1 << 20, 8);
                SlowCopy slow = new SlowCopy(pool, SmallTier::new)) {
            slow.reserve(64);
            long bytes = slow.bytes();
            assertThatThrownBy(() -> slow.reserve(65)).hasMessage("The disk is full.");
            assertThat(slow.bytes()).isEqualTo(bytes).isEqualTo(SlowCopy.bytes(LAYOUT, 64));
        }
    }

    @Test
    void aForkWithoutRoomForItsSlowTierTakesNothing(@TempDir Path folder) {
        KvPolicy policy = Policies.parse("specache(fetch=6,residual=5,group=4,slow=file)");
        String temporary = System.getProperty("java.io.tmpdir");
        try (ToySequence sequence = new ToySequence(LAYOUT, GROUP, policy, KvPool.pageBytes(LAYOUT, 8) * 500, 8, 9)) {
            sequence.prompt(30);
            sequence.cache.reserve(0, 5);
            long reserved = sequence.pool.reservedBytes();
            System.setProperty("java.io.tmpdir", folder.resolve("missing").toString());
            try {
                assertThatThrownBy(sequence.cache::fork)
                        .isInstanceOf(LayercakeException.class)
                        .hasMessageContaining("slow=ram");
            } finally {
                System.setProperty("java.io.tmpdir", temporary);
            }
            assertThat(sequence.pool.openLeases()).isEqualTo(1);
            assertThat(sequence.pool.reservedBytes()).isEqualTo(reserved);
            assertThat(sequence.pool.bytesInUse())
                    .isEqualTo(sequence.cache.lease().bytesInUse());
            sequence.checkRows();
        }
    }
}
