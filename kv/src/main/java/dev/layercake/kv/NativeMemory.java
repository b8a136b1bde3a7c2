package dev.layercake.kv;

import dev.layercake.kernels.LayercakeException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Zeroed memory that costs nothing until it is touched. An arena's own allocation writes zeros over every byte and counts
 * against the JVM's direct memory limit; the C library's calloc hands out untouched pages for large sizes.
 */
final class NativeMemory {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle CALLOC = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("calloc"),
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("free"), FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private NativeMemory() {}

    /**
     * Memory that lives as long as the arena, aligned to a cache line.
     *
     * @throws LayercakeException over capacity, if the system has no address space for it
     */
    static MemorySegment allocate(Arena arena, long bytes) {
        int alignment = 64;
        long padded = Math.addExact(bytes, alignment);
        MemorySegment block;
        try {
            block = (MemorySegment) CALLOC.invokeExact(1L, padded);
        } catch (Throwable failure) {
            throw LayercakeException.internal("The C library's calloc could not be called.", failure);
        }
        if (block.address() == 0) {
            throw LayercakeException.overCapacity("The system refused " + bytes
                    + " bytes of memory for the KV pool; give the pool fewer bytes or free some memory.");
        }
        long skip = -block.address() & (alignment - 1);
        return block.reinterpret(padded, arena, NativeMemory::free).asSlice(skip, bytes);
    }

    private static void free(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable failure) {
            throw LayercakeException.internal("The C library's free could not be called.", failure);
        }
    }
}
