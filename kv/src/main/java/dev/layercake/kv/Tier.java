package dev.layercake.kv;

import java.lang.foreign.MemorySegment;

/**
 * Memory that is slower or larger than the pool's, in pieces that come one after the other. It grows by what {@link #grow}
 * is asked for and gives everything back when it is closed. Written by one thread; what was written may be read by another.
 */
public interface Tier extends AutoCloseable {
    /**
     * A new piece, which stays valid until {@link #close}. The room for it is really there afterwards: writing to it does
     * not fail.
     *
     * @throws dev.layercake.kernels.LayercakeException over capacity if there is no room; the pieces made before stay valid
     */
    MemorySegment grow(long bytes);

    /** Bytes of all pieces together. */
    long bytes();

    @Override
    void close();
}
