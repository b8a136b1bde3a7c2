package dev.layercake.kernels;

import java.lang.foreign.Arena;

/** Attention by its definition, in double precision. */
final class ExactAttention {
    private ExactAttention() {}

    /**
     * For each query and slot the exponential of its logit; 0 where the query must not look.
     *
     * @param firstPosition of the first query
     */
    static double[][] weights(AttentionShape shape, KvRows entries, Tensor queries, int head, int firstPosition) {
        double[][] weights = new double[(int) queries.rows()][entries.length()];
        for (int slot = 0; slot < entries.length(); slot++) {
            double[] key = key(entries, slot);
            for (int query = 0; query < weights.length; query++) {
                int distance = firstPosition + query - entries.position(slot);
                if (distance < 0 || (shape.slidingWindow() > 0 && distance >= shape.slidingWindow())) {
                    continue;
                }
                double logit = 0;
                for (int i = 0; i < key.length; i++) {
                    logit += key[i] * queries.get(query, (long) head * key.length + i);
                }
                logit *= shape.scale();
                weights[query][slot] =
                        Math.exp(shape.softcap() > 0 ? shape.softcap() * Math.tanh(logit / shape.softcap()) : logit);
            }
        }
        return weights;
    }

    static double[] key(KvRows entries, int slot) {
        return decoded(entries.keyType(), entries.keyAddress(slot), entries.headDim());
    }

    static double[] value(KvRows entries, int slot) {
        return decoded(entries.valueType(), entries.valueAddress(slot), entries.headDim());
    }

    private static double[] decoded(RowType type, long address, int elements) {
        double[] vector = new double[elements];
        try (Arena arena = Arena.ofConfined()) {
            Tensor row = Tensor.allocate(arena, DType.F32, 1, elements);
            BlockCodec.decode(type, address, row.address(), elements);
            for (int i = 0; i < elements; i++) {
                vector[i] = row.get(0, i);
            }
        }
        return vector;
    }
}
