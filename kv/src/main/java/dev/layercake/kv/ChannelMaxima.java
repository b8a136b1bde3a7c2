package dev.layercake.kv;

import dev.layercake.kernels.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The largest magnitude that each channel of a layer's queries and keys has in a prompt, per KV head. */
final class ChannelMaxima {
    private final int headDim;
    private final float[][] queries;
    private final float[][] keys;
    private float[] row = new float[0];

    ChannelMaxima(KvLayout layout) {
        this.headDim = layout.headDim();
        this.queries = new float[layout.kvHeads()][headDim];
        this.keys = new float[layout.kvHeads()][headDim];
    }

    /** Looks at keys, [tokens x kvHeads * headDim]. */
    void addKeys(Tensor rows) {
        add(rows, 1, keys);
    }

    /** Looks at queries, [tokens x kvHeads * group * headDim]. */
    void addQueries(Tensor rows, int group) {
        add(rows, group, queries);
    }

    private void add(Tensor rows, int group, float[][] largest) {
        int columns = Math.toIntExact(rows.columns());
        if (row.length < columns) {
            row = new float[columns];
        }
        for (int token = 0; token < rows.rows(); token++) {
            MemorySegment.copy(rows.data(), ValueLayout.JAVA_FLOAT_UNALIGNED, token * rows.rowBytes(), row, 0, columns);
            for (int vector = 0; vector * headDim < columns; vector++) {
                add(vector * headDim, largest[vector / group]);
            }
        }
    }

    private void add(int first, float[] largest) {
        for (int i = 0; i < headDim; i++) {
            largest[i] = Math.max(largest[i], Math.abs(row[first + i]));
        }
    }

    /** Balances the low tiers of a layer. */
    void balance(LayerEntries layer) {
        for (int head = 0; head < keys.length; head++) {
            LowTier low = layer.head(head).low();
            if (low != null) {
                low.balance(queries[head], keys[head]);
            }
        }
    }
}
