package dev.layercake.kv;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A slow tier in main memory, outside of the pool. */
final class RamTier implements Tier {
    private final Arena arena = Arena.ofShared();
    private long bytes;

    @Override
    public MemorySegment grow(long more) {
        MemorySegment piece = NativeMemory.allocate(arena, more);
        bytes += more;
        return piece;
    }

    @Override
    public long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
