package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.ChannelBits;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.RowType;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.kv.policy.Rotary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A sequence without a transformer: keys, values and queries of a token are random numbers that depend on nothing but the
 * seed, the layer and the position, so that what lies in the cache can be checked at any time. Closing it checks that the
 * pool got everything back.
 */
final class ToySequence implements AutoCloseable {
    /** That ask for a repetition. */
    static final int ASKING_TOKENS = 3;

    final KvLayout layout;
    final AttentionShape shape;
    final KvPool pool;
    final KvCache cache;
    final Kernels kernels = new ScalarKernels();
    final Workers workers = new Workers(1);
    private final long seed;
    private int chunk = 17;

    ToySequence(KvLayout layout, int group, KvPolicy policy, long reservedBytes, int rowsPerPage, long seed) {
        this.layout = layout;
        this.seed = seed;
        this.shape = new AttentionShape(
                layout.kvHeads() * group,
                layout.kvHeads(),
                layout.headDim(),
                (float) (1 / Math.sqrt(layout.headDim())),
                0,
                0);
        this.pool = new KvPool(layout, reservedBytes, rowsPerPage);
        this.cache = new KvCache(pool, policy, pool.capacityBytes());
    }

    private ToySequence(ToySequence original, KvCache cache) {
        this.layout = original.layout;
        this.seed = original.seed;
        this.shape = original.shape;
        this.pool = original.pool;
        this.cache = cache;
    }

    /** The same text in another cache of the same pool, which is for whoever made it to close. */
    ToySequence of(KvCache fork) {
        return new ToySequence(this, fork);
    }

    /** A sequence whose pool is exactly as large as the plan says. */
    static ToySequence planned(KvLayout layout, int group, KvPolicy policy, int prompt, int newTokens, long seed) {
        int rowsPerPage = 8;
        KvPlan plan = KvPlan.of(layout, rowsPerPage, policy, prompt, newTokens);
        return new ToySequence(layout, group, policy, plan.peakBytes(), rowsPerPage, seed);
    }

    /** Runs a prompt of consecutive new tokens. */
    void prompt(int tokens) {
        try (Arena arena = Arena.ofConfined();
                KvPrefill prefill = cache.beginPrefill(tokens, parts(), kernels, workers)) {
            for (int layer = 0; layer < layout.layers(); layer++) {
                layer(prefill, layer, tokens, arena);
            }
            prefill.finish();
        }
        cache.noteText(new int[tokens]);
        replay();
    }

    /** Repeats what is due, part by part, and cuts. */
    private void replay() {
        if (!cache.replayDue(0)) {
            return;
        }
        int left = cache.unreplayedText().length;
        while (left > 0) {
            int text = Math.min(left, cache.policy().scorer().replayTokens());
            replay(text, text + ASKING_TOKENS);
            left -= text;
        }
        cache.cutReplayed(workers);
    }

    /** A pass that repeats the next tokens of the text: its own are what the text's would be if it went on. */
    void replay(int textTokens, int passTokens) {
        try (Arena arena = Arena.ofConfined();
                ContextReplay replay = cache.beginReplay(textTokens, passTokens, kernels, workers)) {
            for (int layer = 0; layer < layout.layers(); layer++) {
                replay.beginLayer(layer);
                for (int first = 0; first < passTokens; first += chunk) {
                    int count = Math.min(chunk, passTokens - first);
                    int position = replay.firstPosition() + first;
                    replay.store(
                            first, turnedKeys(layer, position, count, arena), values(layer, position, count, arena));
                    replay.addAttention(shape(layer), first, queries(layer, position, count, arena));
                }
                replay.endLayer();
            }
            replay.finish();
        }
    }

    /** The attention of a layer, which may have a sliding window. */
    AttentionShape shape(int layer) {
        return new AttentionShape(
                shape.queryHeads(),
                shape.kvHeads(),
                shape.headDim(),
                shape.scale(),
                shape.softcap(),
                layout.slidingWindows().get(layer));
    }

    /** The first position that the next token sees in a layer. */
    int oldest(int layer) {
        int window = layout.slidingWindows().get(layer);
        return window == 0 ? 0 : Math.max(0, cache.tokensSeen() - window + 1);
    }

    /** Runs one layer of a prompt. */
    void layer(KvPrefill prefill, int layer, int tokens, Arena arena) {
        KvRows[] rows = prefill.beginLayer(layer);
        if (prefill.gated()) {
            prefill.gate(gates(layer, prefill.firstPosition(), tokens));
        }
        for (int first = 0; first < tokens; first += chunk) {
            int count = Math.min(chunk, tokens - first);
            int position = prefill.firstPosition() + first;
            prefill.addPlainQueries(shape(layer), first, queries(layer, position, count, arena));
            if (prefill.readsAsStream()) {
                stream(prefill, layer, rows, position, count, arena);
                continue;
            }
            prefill.store(first, turnedKeys(layer, position, count, arena), values(layer, position, count, arena));
            Tensor queries = queries(layer, position, count, arena);
            prefill.showQueries(shape(layer), queries);
            if (prefill.usesAllQueries()) {
                Tensor out = Tensor.allocate(arena, DType.F32, count, queries.columns());
                Tensor softmax = Tensor.allocate(arena, DType.F32, count, 2L * shape.queryHeads());
                kernels.attend(shape(layer), rows, queries, position, out, softmax, workers);
                prefill.addAttention(shape(layer), first, queries, softmax);
            }
        }
        for (KvRows head : rows) {
            assertThat(Arrays.stream(head.positions()).limit(head.length()).max())
                    .hasValue(prefill.firstPosition() + tokens - 1);
        }
        int queries = prefill.windowQueries();
        Tensor window =
                queries == 0 ? null : queries(layer, prefill.firstPosition() + tokens - queries, queries, arena);
        prefill.endLayer(shape(layer), window);
    }

    private void stream(KvPrefill prefill, int layer, KvRows[] rows, int position, int count, Arena arena) {
        Tensor out = Tensor.allocate(arena, DType.F32, 1, (long) shape.queryHeads() * layout.headDim());
        for (int token = position; token < position + count; token++) {
            prefill.append(turnedKeys(layer, token, 1, arena), values(layer, token, 1, arena));
            kernels.attendOne(shape(layer), rows, queries(layer, token, 1, arena), token, out, null, workers);
            prefill.evict();
        }
    }

    /** A model of a rotary embedding and of output projections as random as everything else. */
    ModelParts parts() {
        return new ModelParts() {
            @Override
            public Rotary rotary(int layer, int length) {
                return ToySequence.this.rotary();
            }

            @Override
            public int outputSize() {
                return 40;
            }

            @Override
            public void outputRows(int layer, int firstRow, Tensor target) {
                Random random = new Random(seed + layer);
                for (int row = 0; row < firstRow + target.rows(); row++) {
                    for (int column = 0; column < target.columns(); column++) {
                        float value = (float) random.nextGaussian();
                        if (row >= firstRow) {
                            target.set(row - firstRow, column, value);
                        }
                    }
                }
            }
        };
    }

    private Rotary rotary() {
        float[] frequencies = new float[layout.headDim() / 4];
        for (int pair = 0; pair < frequencies.length; pair++) {
            frequencies[pair] = (float) Math.pow(10_000, -(double) pair / frequencies.length);
        }
        return new Rotary(frequencies, 1, false);
    }

    /** How much farther the key of an entry is rotated than its token's position says. */
    private int turned(int layer, int head, int slot) {
        int position = cache.rows(layer)[head].position(slot);
        KvPolicy policy = cache.policy();
        return switch (policy.positions()) {
            case ORIGINAL -> 0;
            case SLOT -> position < policy.scorer().sinks() ? Math.max(0, droppedBehindSinks(layer)) : 0;
            case REROTATED -> cache.layer(layer).head(head).rotation(slot) - position;
        };
    }

    /** How many entries were missing between the sinks and the others when the last token looked. */
    private int droppedBehindSinks(int layer) {
        int window = layout.slidingWindows().get(layer);
        int seen = cache.tokensSeen();
        int held = cache.policy().allocator().budget() + 1;
        if (window > 0 && window < held) {
            return 0;
        }
        return seen - held - (window == 0 ? 0 : Math.max(0, seen - window));
    }

    /** Decodes tokens; after each the rows are what was stored. */
    void steps(int tokens) {
        for (int i = 0; i < tokens; i++) {
            try (Arena arena = Arena.ofConfined();
                    KvStep step = cache.beginStep(parts(), kernels, workers)) {
                int position = step.position();
                Tensor out = Tensor.allocate(arena, DType.F32, 1, (long) shape.queryHeads() * layout.headDim());
                for (int layer = 0; layer < layout.layers(); layer++) {
                    KvRows[] rows = step.append(
                            layer, turnedKeys(layer, position, 1, arena), values(layer, position, 1, arena));
                    step.look(shape(layer), queries(layer, position, 1, arena));
                    Tensor probabilities = step.probabilities(shape(layer));
                    kernels.attendOne(
                            shape(layer),
                            rows,
                            queries(layer, position, 1, arena),
                            position,
                            out,
                            probabilities,
                            workers);
                    step.endLayer(probabilities);
                }
                step.finish();
            }
            cache.noteText(0);
        }
    }

    /** What gates let through: of each token and head by chance, about half. */
    boolean[][] gates(int layer, int first, int count) {
        boolean[][] kept = new boolean[layout.kvHeads()][count];
        for (int head = 0; head < kept.length; head++) {
            for (int token = 0; token < count; token++) {
                long place = (((long) layer * kept.length + head) << 24) + first + token;
                kept[head][token] = new Random(seed * 1_000_003 + place).nextInt(1000) < 500;
            }
        }
        return kept;
    }

    Tensor keys(int layer, int first, int count, Arena arena) {
        return vectors(1, layer, first, count, layout.kvHeads() * layout.headDim(), arena);
    }

    /** Keys with the rotation that the cache asks for: those of {@link #keys} are rotated to their places in the text. */
    private Tensor turnedKeys(int layer, int first, int count, Arena arena) {
        Tensor keys = keys(layer, first, count, arena);
        int by = cache.rotations(1).first() - cache.tokensSeen();
        int headDim = layout.headDim();
        for (int token = 0; token < count && by != 0; token++) {
            for (int column = 0; column < keys.columns(); column += headDim) {
                float[] key = new float[headDim];
                for (int i = 0; i < headDim; i++) {
                    key[i] = keys.get(token, column + i);
                }
                rotary().turn(by).apply(key);
                for (int i = 0; i < headDim; i++) {
                    keys.set(token, column + i, key[i]);
                }
            }
        }
        return keys;
    }

    Tensor values(int layer, int first, int count, Arena arena) {
        return vectors(2, layer, first, count, layout.kvHeads() * layout.headDim(), arena);
    }

    Tensor queries(int layer, int first, int count, Arena arena) {
        return vectors(3, layer, first, count, shape.queryHeads() * layout.headDim(), arena);
    }

    private Tensor vectors(int kind, int layer, int first, int count, int columns, Arena arena) {
        Tensor tensor = Tensor.allocate(arena, DType.F32, count, columns);
        for (int token = 0; token < count; token++) {
            Random random = new Random(seed * 1_000_003 + (((long) kind * 512 + layer) << 24) + first + token);
            // Layers differ in how sharply they look, so that their preferences differ.
            double magnitude = kind == 3 ? 0.5 + (layer * 7L + seed) % 5 : 1;
            for (int column = 0; column < columns; column++) {
                tensor.set(token, column, (float) (random.nextGaussian() * magnitude));
            }
        }
        return tensor;
    }

    /** Sorted positions of a head. */
    int[] held(int layer, int head) {
        int[] positions = cache.positions(layer, head);
        Arrays.sort(positions);
        return positions;
    }

    /** Every entry is once there, inside the text, and bit for bit what was stored for its position. */
    void checkRows() {
        long entries = 0;
        for (int layer = 0; layer < layout.layers(); layer++) {
            for (int head = 0; head < layout.kvHeads(); head++) {
                KvRows rows = cache.rows(layer)[head];
                int[] positions = held(layer, head);
                assertThat(positions).doesNotHaveDuplicates().hasSize(rows.length());
                entries += rows.length();
                if (rows.lower() != null) {
                    entries += rows.lower().length();
                    checkLow(rows, rows.lower(), layer, head);
                }
                assertThat(rows.pageCount()).isEqualTo(pages(rows));
                for (int slot = 0; slot < rows.length(); slot++) {
                    checkRow(rows, layer, head, slot);
                }
            }
        }
        assertThat(pool.entriesInUse()).isEqualTo(entries);
        assertThat(cache.lease().entriesInUse()).isEqualTo(entries);
        long bytes = 0;
        for (int layer = 0; layer < layout.layers(); layer++) {
            bytes += cache.bytesInUse(layer);
        }
        assertThat(pool.bytesInUse()).isEqualTo(bytes);
    }

    /** Nothing is forgotten, and what lies in the low tier is what lay above, rounded once. */
    private void checkLow(KvRows high, KvRows low, int layer, int head) {
        int[] all = IntStream.concat(
                        IntStream.of(held(layer, head)),
                        IntStream.of(low.positions()).limit(low.length()))
                .sorted()
                .toArray();
        assertThat(all)
                .containsExactly(
                        IntStream.range(oldest(layer), cache.tokensSeen()).toArray());
        assertThat(low.pageCount()).isEqualTo(pages(low));
        if (low.keyType() instanceof ChannelBits) {
            // Rounded in groups: checked where a sequence is computed a second time.
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            KvRows before = oneRow(high.keyType(), high.valueType(), arena);
            KvRows after = oneRow(low.keyType(), low.valueType(), arena);
            after.truncate(0);
            after.balancer(low.balancer());
            if (low.channels().length > 0) {
                after.channels(low.channels());
            }
            after.append(0);
            Tensor room = Tensor.allocate(arena, DType.F32, 1, layout.headDim());
            for (int slot = 0; slot < low.length(); slot++) {
                int position = low.position(slot);
                write(before, layer, head, position, arena);
                after.copyEntry(before, 0, 0, room);
                assertThat(Rows.bytes(low.keyAddress(slot), low.keyRowBytes()))
                        .as("key of position " + position)
                        .isEqualTo(Rows.bytes(after.keyAddress(0), after.keyRowBytes()));
                assertThat(Rows.bytes(low.valueAddress(slot), low.valueRowBytes()))
                        .as("value of position " + position)
                        .isEqualTo(Rows.bytes(after.valueAddress(0), after.valueRowBytes()));
            }
        }
    }

    private static int pages(KvRows rows) {
        return rows.length() == 0 ? 0 : Math.ceilDiv(rows.firstRow() + rows.length(), rows.rowsPerPage());
    }

    private KvRows oneRow(RowType keyType, RowType valueType, Arena arena) {
        KvRows rows = new KvRows(keyType, valueType, layout.headDim(), 1);
        rows.addPage(
                arena.allocate(rows.keyRowBytes() + rows.valueRowBytes() + 8).address());
        rows.append(0);
        return rows;
    }

    /** Stores what a head has at a position in the only slot of some rows. */
    private void write(KvRows row, int layer, int head, int position, Arena arena) {
        byte[] key = stored(keys(layer, position, 1, arena), head, (DType) row.keyType(), arena);
        byte[] value = stored(values(layer, position, 1, arena), head, (DType) row.valueType(), arena);
        MemorySegment.copy(key, 0, Rows.at(row.keyAddress(0), key.length), ValueLayout.JAVA_BYTE, 0, key.length);
        MemorySegment.copy(
                value, 0, Rows.at(row.valueAddress(0), value.length), ValueLayout.JAVA_BYTE, 0, value.length);
    }

    private void checkRow(KvRows rows, int layer, int head, int slot) {
        int position = rows.position(slot);
        assertThat(position).isBetween(oldest(layer), cache.tokensSeen() - 1);
        try (Arena arena = Arena.ofConfined()) {
            int turned = turned(layer, head, slot);
            if (turned == 0 && cache.policy().positions() != PositionRule.REROTATED) {
                assertThat(Rows.bytes(rows.keyAddress(slot), rows.keyRowBytes()))
                        .as("key of position " + position)
                        .isEqualTo(stored(keys(layer, position, 1, arena), head, (DType) rows.keyType(), arena));
            } else {
                checkTurnedKey(rows, layer, head, slot, turned, arena);
            }
            assertThat(Rows.bytes(rows.valueAddress(slot), rows.valueRowBytes()))
                    .as("value of position " + position)
                    .isEqualTo(stored(values(layer, position, 1, arena), head, (DType) rows.valueType(), arena));
        }
    }

    private void checkTurnedKey(KvRows rows, int layer, int head, int slot, int turned, Arena arena) {
        int headDim = layout.headDim();
        float[] all = keys(layer, rows.position(slot), 1, arena).toArray();
        float[] expected = Arrays.copyOfRange(all, head * headDim, (head + 1) * headDim);
        rotary().turn(turned).apply(expected);
        float[] actual = new float[headDim];
        rows.readKey(slot, actual);
        float tolerance = switch (layout.keyType()) {
            case F32 -> 1e-5f;
            case F16 -> 1e-2f;
            default -> 0.1f;
        };
        assertThat(actual).as("key of position " + rows.position(slot)).containsExactly(expected, within(tolerance));
    }

    private byte[] stored(Tensor vectors, int head, DType type, Arena arena) {
        float[] all = vectors.toArray();
        int headDim = layout.headDim();
        Tensor one = Tensor.of(arena, 1, headDim, Arrays.copyOfRange(all, head * headDim, (head + 1) * headDim));
        Tensor target = Tensor.allocate(arena, type, 1, headDim);
        kernels.quantize(one, target, workers);
        return Rows.bytes(target.address(), target.rowBytes());
    }

    @Override
    public void close() {
        cache.close();
        assertThat(pool.bytesInUse()).isZero();
        assertThat(pool.entriesInUse()).isZero();
        assertThat(pool.reservedBytes()).isZero();
        assertThat(pool.openLeases()).isZero();
        pool.close();
        workers.close();
    }
}
