package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/**
 * Which kernels this process runs, and why, in one sentence for the log.
 *
 * @param kernels the chosen implementation
 * @param description says which it is and, if a faster one is out of reach, what would make it available
 */
public record KernelSelection(Kernels kernels, String description) {
    /** System property that forces an implementation by its {@link Kernels#name}. */
    public static final String PROPERTY = "layercake.kernels";

    /**
     * Chooses by {@value #PROPERTY}, or the fastest available when it is not set.
     *
     * @throws LayercakeException (bad input) if the property names an implementation that is unknown or unavailable
     */
    public static KernelSelection choose() {
        return choose(System.getProperty(PROPERTY));
    }

    static KernelSelection choose(@Nullable String forced) {
        String obstacle = obstacle();
        if (forced == null || forced.isBlank()) {
            return obstacle.isEmpty()
                    ? new KernelSelection(new SimdKernels(), simdDescription())
                    : new KernelSelection(
                            new ScalarKernels(), "scalar kernels, many times slower than simd: " + obstacle);
        }
        return switch (forced) {
            case "scalar" -> new KernelSelection(new ScalarKernels(), "scalar kernels, forced by -D" + PROPERTY);
            case "simd" -> {
                if (!obstacle.isEmpty()) {
                    throw LayercakeException.badInput("-D" + PROPERTY + "=simd is not possible: " + obstacle + ".");
                }
                yield new KernelSelection(new SimdKernels(), simdDescription() + ", forced by -D" + PROPERTY);
            }
            default ->
                throw LayercakeException.badInput(
                        "Unknown kernels \"" + forced + "\" in -D" + PROPERTY + "; known are scalar and simd.");
        };
    }

    private static String simdDescription() {
        return "simd kernels, " + SimdKernels.vectorBits() + " bits";
    }

    /** Why there is no SIMD in this process, as half a sentence; empty if there is. */
    private static String obstacle() {
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            return "start Java with --add-modules jdk.incubator.vector";
        }
        return SimdKernels.available() ? "" : "this machine has no vectors of 128 bits or more that Java can use";
    }
}
