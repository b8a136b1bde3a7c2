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
        if (forced == null || forced.isBlank()) {
            return new KernelSelection(new ScalarKernels(), "scalar kernels");
        }
        return switch (forced) {
            case "scalar" -> new KernelSelection(new ScalarKernels(), "scalar kernels, forced by -D" + PROPERTY);
            default ->
                throw LayercakeException.badInput(
                        "Unknown kernels \"" + forced + "\" in -D" + PROPERTY + "; known are: scalar.");
        };
    }
}
