package dev.layercake.engine;

import dev.layercake.kv.Slice;
import java.util.List;

/**
 * The KV memory of a session.
 *
 * @param policy its spec
 * @param tokensSeen tokens of the text so far
 * @param bytesNow in use now, whole pages
 * @param bytesPeak most in use at a time since the session began
 * @param bytesFull what the policy {@code full} would use now
 * @param bytesSlow in use now in the policy's slow tier, a file or RAM outside of the pool; 0 if it has none
 * @param slices what each layer got, from the first to the last
 */
public record KvUsage(
        String policy,
        int tokensSeen,
        long bytesNow,
        long bytesPeak,
        long bytesFull,
        long bytesSlow,
        List<Slice> slices) {
    public KvUsage {
        slices = List.copyOf(slices);
    }

    /** Entries of a layer per KV head, on average, rounded up. */
    public int entriesPerHead(int layer) {
        Slice slice = slices.get(layer);
        int heads = slice.entries().size();
        return (int) ((slice.total() + heads - 1) / heads);
    }

    /** Policy and bytes in one line. */
    @Override
    public String toString() {
        String slow = bytesSlow == 0 ? "" : ", " + Bytes.text(bytesSlow) + " in the slow tier";
        return policy + ": " + Bytes.text(bytesNow) + " of keys and values, " + Bytes.text(bytesPeak)
                + " at the peak, instead of " + Bytes.text(bytesFull) + slow;
    }
}
