package dev.layercake.kv;

import dev.layercake.kernels.LayercakeException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * All the memory that keys and values of all sequences may use: pages of one size, {@link #rowsPerPage} entries of one
 * head each (the key rows, then the value rows). The pool is sized once and never grows; its address space is taken at
 * once, but the system backs a page with memory only when it is first written.
 *
 * <p>Sequences get pages through a {@link KvLease}, which reserves the most it will ever hold before it takes the first
 * page: so a sequence is refused at the door, never half way. Thread-safe.
 */
public final class KvPool implements AutoCloseable {
    /** Small enough that the last, half-filled page of a head wastes little, large enough that paging costs nothing. */
    public static final int DEFAULT_ROWS_PER_PAGE = 64;

    private static final int PAGE_ALIGNMENT = 64;

    private final KvLayout layout;
    private final int rowsPerPage;
    private final long pageBytes;
    private final int pages;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;

    private int[] returnedPages = new int[16];
    private int returned;
    private int neverUsed;
    private int reservedPages;
    private int pagesInUse;
    private int peakPages;
    private long entriesInUse;
    private long peakEntries;
    private int openLeases;
    private boolean closed;

    /** A pool of at most {@code capacityBytes}, in pages of {@link #DEFAULT_ROWS_PER_PAGE} entries. */
    public KvPool(KvLayout layout, long capacityBytes) {
        this(layout, capacityBytes, DEFAULT_ROWS_PER_PAGE);
    }

    /**
     * A pool of at most {@code capacityBytes}, rounded down to whole pages.
     *
     * @throws LayercakeException bad input if not even one page fits; over capacity if the system refuses the memory
     */
    public KvPool(KvLayout layout, long capacityBytes, int rowsPerPage) {
        this.layout = layout;
        this.rowsPerPage = rowsPerPage;
        this.pageBytes = pageBytes(layout, rowsPerPage);
        long count = Math.min(capacityBytes / pageBytes, Integer.MAX_VALUE);
        if (count < 1) {
            throw LayercakeException.badInput("A KV pool of " + capacityBytes + " bytes does not hold a single page of "
                    + pageBytes + " bytes; give it more memory.");
        }
        this.pages = (int) count;
        this.memory = NativeMemory.allocate(arena, pages * pageBytes);
    }

    /** Bytes of a page, rounded up to whole cache lines. */
    static long pageBytes(KvLayout layout, int rowsPerPage) {
        if (rowsPerPage < 1) {
            throw new IllegalArgumentException("rowsPerPage " + rowsPerPage);
        }
        long bytes = Math.multiplyExact(layout.entryBytes(), rowsPerPage);
        return (bytes + PAGE_ALIGNMENT - 1) / PAGE_ALIGNMENT * PAGE_ALIGNMENT;
    }

    public KvLayout layout() {
        return layout;
    }

    public int rowsPerPage() {
        return rowsPerPage;
    }

    public long pageBytes() {
        return pageBytes;
    }

    /** Bytes that the pool may hand out. */
    public long capacityBytes() {
        return pages * pageBytes;
    }

    /** Bytes promised to open leases, in use or not. */
    public synchronized long reservedBytes() {
        return reservedPages * pageBytes;
    }

    /** Bytes of the pages that sequences hold. */
    public synchronized long bytesInUse() {
        return pagesInUse * pageBytes;
    }

    /** The most bytes ever in use at a time. */
    public synchronized long peakBytes() {
        return peakPages * pageBytes;
    }

    /** Entries in use: one key and one value of one head in one layer each, those of running prefills included. */
    public synchronized long entriesInUse() {
        return entriesInUse;
    }

    /** The most entries ever in use at a time. */
    public synchronized long peakEntries() {
        return peakEntries;
    }

    /** Leases not yet closed. */
    public synchronized int openLeases() {
        return openLeases;
    }

    /** Forgets the peaks: from here on they are those of what follows. */
    public synchronized void resetPeaks() {
        peakPages = pagesInUse;
        peakEntries = entriesInUse;
    }

    /**
     * A lease that may hold up to {@code bytes}, rounded up to whole pages.
     *
     * @throws LayercakeException over capacity, with the numbers, if what is not reserved yet is less
     */
    public synchronized KvLease lease(long bytes) {
        if (closed) {
            throw new IllegalStateException("the pool is closed");
        }
        int wanted = admit(bytes, 0);
        reservedPages += wanted;
        openLeases++;
        return new KvLease(this, wanted);
    }

    /** Changes a lease's reservation; returns the new number of pages. */
    synchronized int reserve(long bytes, int reserved) {
        int wanted = admit(bytes, reserved);
        reservedPages += wanted - reserved;
        return wanted;
    }

    private int admit(long bytes, int alreadyReserved) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a reservation of " + bytes + " bytes");
        }
        long wanted = bytes / pageBytes + (bytes % pageBytes == 0 ? 0 : 1);
        int free = pages - reservedPages + alreadyReserved;
        if (wanted > free) {
            throw LayercakeException.overCapacity("The request needs " + megabytes(wanted * pageBytes)
                    + " of KV memory, but " + megabytes(free * pageBytes) + " of the pool's "
                    + megabytes(capacityBytes())
                    + " are free; use a smaller budget, a shorter prompt or a larger pool.");
        }
        return (int) wanted;
    }

    private static String megabytes(long bytes) {
        long hundredths = Math.round(bytes / (1024.0 * 1024.0) * 100);
        return hundredths / 100 + "." + (hundredths % 100 < 10 ? "0" : "") + hundredths % 100 + " MiB";
    }

    /** Index of a page that was free; the caller's lease has reserved it. */
    synchronized int take() {
        int page = returned > 0 ? returnedPages[--returned] : neverUsed++;
        pagesInUse++;
        peakPages = Math.max(peakPages, pagesInUse);
        return page;
    }

    synchronized void giveBack(int page) {
        if (returned == returnedPages.length) {
            returnedPages = Arrays.copyOf(returnedPages, returned * 2);
        }
        returnedPages[returned++] = page;
        pagesInUse--;
    }

    synchronized void countEntries(long change) {
        entriesInUse += change;
        peakEntries = Math.max(peakEntries, entriesInUse);
    }

    synchronized void leaseClosed(int reserved) {
        reservedPages -= reserved;
        openLeases--;
    }

    long address(int page) {
        return memory.address() + page * pageBytes;
    }

    int page(long address) {
        return (int) ((address - memory.address()) / pageBytes);
    }

    /** Copies bytes between two rows of this pool. */
    void copy(long fromAddress, long toAddress, long bytes) {
        long base = memory.address();
        MemorySegment.copy(memory, fromAddress - base, memory, toAddress - base, bytes);
    }

    /** The memory at an address of this pool. */
    MemorySegment at(long address, long bytes) {
        return memory.asSlice(address - memory.address(), bytes);
    }

    /**
     * Gives the memory back to the system.
     *
     * @throws IllegalStateException if a lease is still open
     */
    @Override
    public synchronized void close() {
        if (openLeases > 0) {
            throw new IllegalStateException(openLeases + " leases on the KV pool are still open");
        }
        if (!closed) {
            closed = true;
            arena.close();
        }
    }
}
