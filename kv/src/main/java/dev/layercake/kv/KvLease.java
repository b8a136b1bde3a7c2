package dev.layercake.kv;

import dev.layercake.kernels.LayercakeException;
import java.util.BitSet;

/**
 * A sequence's right to pages of a {@link KvPool}, up to a reservation made beforehand. Closing it returns every page.
 * Thread-safe, since the heads of a layer are cut in parallel.
 */
public final class KvLease implements AutoCloseable {
    private final KvPool pool;
    private final BitSet held = new BitSet();
    private int reservedPages;
    private int pagesInUse;
    private int peakPages;
    private long entriesInUse;
    private long peakEntries;
    private boolean closed;

    KvLease(KvPool pool, int reservedPages) {
        this.pool = pool;
        this.reservedPages = reservedPages;
    }

    public KvPool pool() {
        return pool;
    }

    public synchronized long reservedBytes() {
        return reservedPages * pool.pageBytes();
    }

    public synchronized long bytesInUse() {
        return pagesInUse * pool.pageBytes();
    }

    public synchronized long peakBytes() {
        return peakPages * pool.pageBytes();
    }

    /** Entries in use, over all layers and heads. */
    public synchronized long entriesInUse() {
        return entriesInUse;
    }

    public synchronized long peakEntries() {
        return peakEntries;
    }

    /**
     * Changes the reservation, before another turn for example. It never falls below what is in use.
     *
     * @throws LayercakeException over capacity if the pool has not that much left; the old reservation then stays
     */
    public synchronized void reserve(long bytes) {
        requireOpen();
        reservedPages = pool.reserve(Math.max(bytes, bytesInUse()), reservedPages);
    }

    /** Address of a page that is this lease's from now on; its contents are undefined. */
    synchronized long takePage() {
        requireOpen();
        if (pagesInUse == reservedPages) {
            throw LayercakeException.overCapacity(
                    "The sequence has used all of the " + reservedBytes()
                            + " bytes of KV memory that were reserved for it; reserve for more tokens or use a smaller budget.");
        }
        int page = pool.take();
        held.set(page);
        pagesInUse++;
        peakPages = Math.max(peakPages, pagesInUse);
        return pool.address(page);
    }

    synchronized void givePage(long address) {
        int page = pool.page(address);
        if (!held.get(page)) {
            throw new IllegalStateException("page " + page + " is not this lease's");
        }
        held.clear(page);
        pagesInUse--;
        pool.giveBack(page);
    }

    synchronized void countEntries(long change) {
        entriesInUse += change;
        peakEntries = Math.max(peakEntries, entriesInUse);
        pool.countEntries(change);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the lease is closed");
        }
    }

    /** Returns every page and the reservation. Closing twice is harmless. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        for (int page = held.nextSetBit(0); page >= 0; page = held.nextSetBit(page + 1)) {
            pool.giveBack(page);
        }
        held.clear();
        countEntries(-entriesInUse);
        pagesInUse = 0;
        pool.leaseClosed(reservedPages);
        reservedPages = 0;
    }
}
