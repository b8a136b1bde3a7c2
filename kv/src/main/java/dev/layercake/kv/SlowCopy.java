package dev.layercake.kv;

import dev.layercake.kernels.KvRows;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The exact keys and values, in the cache's own types, of all entries that the pool holds in few bits only, by the position
 * of their token. They lie in a {@link Tier}, {@value #TOKENS} tokens of all layers and heads to a piece; where a head holds an
 * entry exact itself there is a gap.
 */
final class SlowCopy implements AutoCloseable {
    private static final int TOKENS = 64;

    private final KvLayout layout;
    private final KvPool pool;
    private final Supplier<Tier> opening;
    private final List<MemorySegment> pieces = new ArrayList<>();
    private @Nullable Tier tier;

    /** @param opening makes the tier, when the first entry comes */
    SlowCopy(KvPool pool, Supplier<Tier> opening) {
        this.pool = pool;
        this.layout = pool.layout();
        this.opening = opening;
    }

    /** Bytes for the first so many tokens of a text. */
    static long bytes(KvLayout layout, long tokens) {
        long pieces = (tokens + TOKENS - 1) / TOKENS;
        return Math.multiplyExact(pieces, TOKENS * layout.tokenBytes());
    }

    /** Bytes taken. */
    synchronized long bytes() {
        return tier == null ? 0 : tier.bytes();
    }

    /**
     * Makes room for the first so many tokens of a text.
     *
     * @throws dev.layercake.kernels.LayercakeException over capacity if there is none; nothing is lost then
     */
    synchronized void reserve(long tokens) {
        while ((long) pieces.size() * TOKENS < tokens) {
            Tier open = tier;
            if (open == null) {
                open = opening.get();
                tier = open;
            }
            pieces.add(open.grow(TOKENS * layout.tokenBytes()));
        }
    }

    /** Keeps the entry at a slot of a head's rows. */
    void write(int layer, int head, KvRows rows, int slot) {
        int position = rows.position(slot);
        reserve(position + 1L);
        MemorySegment piece = piece(position);
        long at = offset(layer, head, position);
        MemorySegment.copy(pool.at(rows.keyAddress(slot), layout.keyBytes()), 0, piece, at, layout.keyBytes());
        MemorySegment.copy(
                pool.at(rows.valueAddress(slot), layout.valueBytes()),
                0,
                piece,
                at + layout.keyBytes(),
                layout.valueBytes());
    }

    /** Brings the entry of a head whose position a slot of rows has to that slot. */
    void read(int layer, int head, KvRows rows, int slot) {
        int position = rows.position(slot);
        MemorySegment piece = piece(position);
        long at = offset(layer, head, position);
        MemorySegment.copy(piece, at, pool.at(rows.keyAddress(slot), layout.keyBytes()), 0, layout.keyBytes());
        MemorySegment.copy(
                piece,
                at + layout.keyBytes(),
                pool.at(rows.valueAddress(slot), layout.valueBytes()),
                0,
                layout.valueBytes());
    }

    private synchronized MemorySegment piece(int position) {
        return pieces.get(position / TOKENS);
    }

    private long offset(int layer, int head, int position) {
        return (((long) layer * layout.kvHeads() + head) * TOKENS + position % TOKENS) * layout.entryBytes();
    }

    /** Takes what another holds; this one must be empty. */
    void copyFrom(SlowCopy other) {
        List<MemorySegment> theirs;
        synchronized (other) {
            theirs = List.copyOf(other.pieces);
        }
        reserve((long) theirs.size() * TOKENS);
        synchronized (this) {
            for (int piece = 0; piece < theirs.size(); piece++) {
                pieces.get(piece).copyFrom(theirs.get(piece));
            }
        }
    }

    /** Forgets all entries and gives the tier back; it opens again when it is needed. */
    synchronized void clear() {
        pieces.clear();
        Tier open = tier;
        tier = null;
        if (open != null) {
            open.close();
        }
    }

    @Override
    public void close() {
        clear();
    }
}
