package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;

/**
 * The shape of one token's keys and values in a model, and the types they are stored in.
 *
 * @param layers attention layers
 * @param kvHeads KV heads per layer
 * @param headDim elements of one key and of one value vector
 * @param keyType F32, F16, BF16 or Q8_0
 * @param valueType likewise
 */
public record KvLayout(int layers, int kvHeads, int headDim, DType keyType, DType valueType) {
    public KvLayout {
        if (layers < 1 || kvHeads < 1 || headDim < 1) {
            throw new IllegalArgumentException(
                    layers + " layers with " + kvHeads + " KV heads of " + headDim + " elements");
        }
        requireStorable(keyType, headDim);
        requireStorable(valueType, headDim);
    }

    /** The usual layout: keys and values in BF16. */
    public static KvLayout of(int layers, int kvHeads, int headDim) {
        return new KvLayout(layers, kvHeads, headDim, DType.BF16, DType.BF16);
    }

    private static void requireStorable(DType type, int headDim) {
        switch (type) {
            case F32, F16, BF16 -> {}
            case Q8_0 -> {
                if (headDim % type.blockElements() != 0) {
                    throw LayercakeException.badInput("KV type Q8_0 needs a head dimension that is a multiple of "
                            + type.blockElements() + ", this model's is " + headDim + "; use BF16, F16 or F32.");
                }
            }
            default ->
                throw LayercakeException.badInput("KV type " + type + " is not supported; use BF16, F16, F32 or Q8_0.");
        }
    }

    public long keyBytes() {
        return keyType.rowBytes(headDim);
    }

    public long valueBytes() {
        return valueType.rowBytes(headDim);
    }

    /** Bytes of an entry: one key and one value of one KV head in one layer. */
    public long entryBytes() {
        return keyBytes() + valueBytes();
    }

    /** Bytes of a token's entries in all heads of all layers, page rounding apart. */
    public long tokenBytes() {
        return Math.multiplyExact((long) layers * kvHeads, entryBytes());
    }
}
