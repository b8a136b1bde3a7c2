package dev.layercake.kv;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.Lookback;
import java.util.Collections;
import java.util.List;

/**
 * The shape of one token's keys and values in a model, the types they are stored in, and how far each layer looks back.
 *
 * @param layers attention layers
 * @param kvHeads KV heads per layer
 * @param headDim elements of one key and of one value vector
 * @param keyType F32, F16, BF16 or Q8_0
 * @param valueType likewise
 * @param slidingWindows for each layer the tokens that a token sees, itself included; 0 for no limit
 */
public record KvLayout(
        int layers, int kvHeads, int headDim, DType keyType, DType valueType, List<Integer> slidingWindows) {
    public KvLayout {
        slidingWindows = List.copyOf(slidingWindows);
        if (slidingWindows.size() != layers || slidingWindows.stream().anyMatch(window -> window < 0)) {
            throw new IllegalArgumentException("sliding windows " + slidingWindows + " for " + layers + " layers");
        }
        if (layers < 1 || kvHeads < 1 || headDim < 1) {
            throw new IllegalArgumentException(
                    layers + " layers with " + kvHeads + " KV heads of " + headDim + " elements");
        }
        requireStorable(keyType, headDim);
        requireStorable(valueType, headDim);
    }

    /** The layout of a model without sliding windows. */
    public KvLayout(int layers, int kvHeads, int headDim, DType keyType, DType valueType) {
        this(layers, kvHeads, headDim, keyType, valueType, Collections.nCopies(layers, 0));
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

    /** The same with other types of keys and values. */
    KvLayout withTypes(DType newKeyType, DType newValueType) {
        return new KvLayout(layers, kvHeads, headDim, newKeyType, newValueType, slidingWindows);
    }

    /** How far the layers look back. */
    public Lookback lookback() {
        return Lookback.of(slidingWindows);
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
