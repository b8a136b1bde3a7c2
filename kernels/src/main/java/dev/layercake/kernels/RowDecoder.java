package dev.layercake.kernels;

/** Widens key and value rows to float32, each row followed by zeros up to the length that a kernel wants. */
final class RowDecoder {
    private RowDecoder() {}

    /**
     * Widens {@code count} consecutive rows of {@code headDim} elements.
     *
     * @param targetStride bytes from one target row to the next
     * @param padded elements of a target row that are written, those from {@code headDim} on as zeros
     */
    static void decode(
            DType type, long source, long stride, int count, int headDim, long target, long targetStride, int padded) {
        if (targetStride == (long) headDim * Float.BYTES) {
            SimdCodec.decode(type, source, target, count * headDim);
            return;
        }
        for (int row = 0; row < count; row++) {
            long to = target + row * targetStride;
            SimdCodec.decode(type, source + row * stride, to, headDim);
            for (int i = headDim; i < padded; i++) {
                Memory.putFloat32(to + (long) i * Float.BYTES, 0f);
            }
        }
    }

    /** Widens the keys of slots {@code [slot, slot + count)}, whatever pages they lie in. */
    static void decodeKeys(KvRows entries, int slot, int count, long target, long targetStride) {
        int done = 0;
        while (done < count) {
            int run = run(entries, slot + done, count - done);
            decode(
                    entries.keyType(),
                    entries.keyAddress(slot + done),
                    entries.keyRowBytes(),
                    run,
                    entries.headDim(),
                    target + done * targetStride,
                    targetStride,
                    entries.headDim());
            done += run;
        }
    }

    /** Widens the values of slots {@code [slot, slot + count)}; {@code padded} as in {@link #decode}. */
    static void decodeValues(KvRows entries, int slot, int count, long target, long targetStride, int padded) {
        int done = 0;
        while (done < count) {
            int run = run(entries, slot + done, count - done);
            decode(
                    entries.valueType(),
                    entries.valueAddress(slot + done),
                    entries.valueRowBytes(),
                    run,
                    entries.headDim(),
                    target + done * targetStride,
                    targetStride,
                    padded);
            done += run;
        }
    }

    /** How many of {@code count} slots from {@code slot} on lie in its page. */
    private static int run(KvRows entries, int slot, int count) {
        return Math.min(count, entries.rowsPerPage() - slot % entries.rowsPerPage());
    }
}
