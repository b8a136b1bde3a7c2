package dev.layercake.kv;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads what lies in pages. */
final class Rows {
    private Rows() {}

    static float[] floats(long address, int count) {
        return MemorySegment.ofAddress(address)
                .reinterpret((long) count * Float.BYTES)
                .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }

    /** The memory at an address. */
    static MemorySegment at(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    static byte[] bytes(long address, long count) {
        return MemorySegment.ofAddress(address).reinterpret(count).toArray(ValueLayout.JAVA_BYTE);
    }
}
