package dev.layercake.engine;

/**
 * What the Java virtual machine holds beside weights, keys and values and working memory: its heap as it is now, and what
 * lies outside of it, which no interface of Java tells in full.
 *
 * <p>Measured with HotSpot 25 on Linux and x86-64 as the peak of a process's resident memory less the other terms: 80 to 93 MiB
 * for one token (libraries and the archive of classes 33, metaspace 15, compiled code 12, threads and the rest), and up to
 * 50 MiB more while the optimising compiler works on the loops that much computing makes hot.
 */
final class JvmMemory {
    private static final long MIB = 1 << 20;
    private static final long BESIDE_HEAP = 86 * MIB;
    private static final long COMPILING = 44 * MIB;
    /** Products, parameters times tokens, after which every loop is being compiled. */
    private static final double HOT = 7e9;

    private JvmMemory() {}

    /** Bytes at the peak of a process that passes so many tokens through so many parameters. */
    static long bytes(long parameters, long tokens) {
        double heat = Math.min(1, (double) parameters * tokens / HOT);
        return Runtime.getRuntime().totalMemory() + BESIDE_HEAP + (long) (COMPILING * heat);
    }
}
