package dev.layercake.kernels;

import java.lang.foreign.Arena;
import java.util.Random;

/** Seeded random KV rows for tests: ragged lengths, pages anywhere, gaps between positions. */
final class RandomEntries {
    private final Arena arena;
    private final Random random;

    RandomEntries(Arena arena, long seed) {
        this.arena = arena;
        this.random = new Random(seed);
    }

    Tensor queries(AttentionShape shape, int tokens) {
        Tensor queries = Tensor.allocate(arena, DType.F32, tokens, (long) shape.queryHeads() * shape.headDim());
        for (int token = 0; token < tokens; token++) {
            for (int i = 0; i < queries.columns(); i++) {
                queries.set(token, i, (float) random.nextGaussian());
            }
        }
        return queries;
    }

    /** Empty rows, one per KV head. */
    static KvRows[] rows(AttentionShape shape, RowType keyType, RowType valueType, int rowsPerPage) {
        KvRows[] rows = new KvRows[shape.kvHeads()];
        for (int head = 0; head < rows.length; head++) {
            rows[head] = new KvRows(keyType, valueType, shape.headDim(), rowsPerPage);
        }
        return rows;
    }

    /** Appends entries at consecutive positions to a head. */
    void append(KvRows rows, int count, int firstPosition) {
        for (int i = 0; i < count; i++) {
            append(rows, firstPosition + i);
        }
    }

    /** Appends about {@code count} entries, each a random step after the one before, all before {@code end}. */
    void appendWithGaps(KvRows rows, int count, int end) {
        for (int i = 0; i < count; i++) {
            int low = (int) ((long) end * i / count);
            int high = (int) ((long) end * (i + 1) / count);
            if (low < high) {
                append(rows, low + random.nextInt(high - low));
            }
        }
    }

    private void append(KvRows rows, int position) {
        if (rows.length() == rows.capacity()) {
            long bytes = rows.rowsPerPage() * (rows.keyRowBytes() + rows.valueRowBytes());
            // The bytes before a page are not ours either: an odd offset makes sure that nothing relies on alignment.
            rows.addPage(arena.allocate(bytes + 2, 64).address() + 2);
        }
        int slot = rows.length();
        rows.append(position);
        Tensor row = Tensor.allocate(arena, DType.F32, 1, rows.headDim());
        fill(row, (float) Math.exp(random.nextGaussian() * 0.3));
        BlockCodec.encode(rows.keyType(), row.address(), rows.keyAddress(slot), rows.headDim());
        fill(row, 1);
        BlockCodec.encode(rows.valueType(), row.address(), rows.valueAddress(slot), rows.headDim());
    }

    /** Appends the entry at a slot of other rows, rounded as these store it. */
    void copy(KvRows source, int slot, KvRows target) {
        if (target.length() == target.capacity()) {
            long bytes = target.rowsPerPage() * (target.keyRowBytes() + target.valueRowBytes());
            target.addPage(arena.allocate(bytes).address());
        }
        target.append(source.position(slot));
        Tensor room = Tensor.allocate(arena, DType.F32, 1, source.headDim());
        target.copyEntry(source, slot, target.length() - 1, room);
    }

    /** The same entries without those of the first pages. */
    static KvRows[] withoutPages(KvRows[] rows, int pages) {
        KvRows[] fewer = new KvRows[rows.length];
        for (int head = 0; head < rows.length; head++) {
            KvRows all = rows[head];
            fewer[head] = new KvRows(all.keyType(), all.valueType(), all.headDim(), all.rowsPerPage());
            for (int page = pages; page < all.pageCount(); page++) {
                fewer[head].addPage(all.page(page));
            }
            for (int slot = pages * all.rowsPerPage(); slot < all.length(); slot++) {
                fewer[head].append(all.position(slot));
            }
        }
        return fewer;
    }

    private void fill(Tensor row, float magnitude) {
        for (int i = 0; i < row.columns(); i++) {
            row.set(0, i, (float) random.nextGaussian() * magnitude);
        }
    }

    /** Puts the positions of a head into random order; its rows stay, so slots lose their order. */
    void shufflePositions(KvRows rows) {
        for (int slot = rows.length() - 1; slot > 0; slot--) {
            int other = random.nextInt(slot + 1);
            int position = rows.position(slot);
            rows.position(slot, rows.position(other));
            rows.position(other, position);
        }
    }
}
