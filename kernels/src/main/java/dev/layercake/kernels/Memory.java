package dev.layercake.kernels;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * All native memory as one segment, read and written by absolute address. One constant segment keeps every access in
 * the kernels monomorphic, so that its checks fold into the compiled loop; extents were checked when a {@link Tensor} or
 * a page was made.
 */
final class Memory {
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long HALF = Long.MAX_VALUE >>> 1;

    private Memory() {}

    /**
     * The address itself, which the compiler now knows to be far from both ends of {@link #ALL}: accesses a little beyond
     * it need no bounds check, and a loop over them no checks before it begins.
     */
    static long inside(long address) {
        return address & HALF;
    }

    static float float32(long address) {
        return ALL.get(FLOAT, address);
    }

    static void putFloat32(long address, float value) {
        ALL.set(FLOAT, address, value);
    }

    static void copy(long source, float[] target, int first, int count) {
        MemorySegment.copy(ALL, FLOAT, source, target, first, count);
    }

    static float float16(long address) {
        return Float.float16ToFloat(ALL.get(SHORT, address));
    }

    static void putFloat16(long address, float value) {
        ALL.set(SHORT, address, Float.floatToFloat16(value));
    }

    static float bfloat16(long address) {
        return Float.intBitsToFloat(ALL.get(SHORT, address) << 16);
    }

    /** Rounds to nearest, ties to even; a NaN stays a NaN. */
    static void putBfloat16(long address, float value) {
        int bits = Float.floatToIntBits(value);
        int rounded = Float.isNaN(value) ? bits : bits + 0x7FFF + ((bits >>> 16) & 1);
        ALL.set(SHORT, address, (short) (rounded >>> 16));
    }

    static int int32(long address) {
        return ALL.get(INT, address);
    }

    static void putInt32(long address, int value) {
        ALL.set(INT, address, value);
    }

    static long int64(long address) {
        return ALL.get(LONG, address);
    }

    static byte int8(long address) {
        return ALL.get(ValueLayout.JAVA_BYTE, address);
    }

    static int unsigned8(long address) {
        return ALL.get(ValueLayout.JAVA_BYTE, address) & 0xFF;
    }

    static int unsigned16(long address) {
        return ALL.get(SHORT, address) & 0xFFFF;
    }

    static void putInt8(long address, byte value) {
        ALL.set(ValueLayout.JAVA_BYTE, address, value);
    }
}
