package dev.layercake.kernels;

/**
 * The one failure that Layercake reports on purpose. Its message is one sentence for the person who can act on it: what
 * is wrong, where, what to do. The category maps to an exit code and to an HTTP status.
 */
public final class LayercakeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Whose move it is. */
    public enum Category {
        /** The request is wrong: an option, a spec string, a prompt. */
        BAD_INPUT,
        /** A model file is damaged, unsupported or missing a part. */
        BAD_MODEL,
        /** The request is fine but needs more memory or context than there is. */
        OVER_CAPACITY,
        /** A defect of ours. */
        INTERNAL
    }

    private final Category category;

    private LayercakeException(Category category, String message, Throwable cause) {
        super(message, cause);
        this.category = category;
    }

    private LayercakeException(Category category, String message) {
        super(message);
        this.category = category;
    }

    public static LayercakeException badInput(String message) {
        return new LayercakeException(Category.BAD_INPUT, message);
    }

    public static LayercakeException badInput(String message, Throwable cause) {
        return new LayercakeException(Category.BAD_INPUT, message, cause);
    }

    public static LayercakeException badModel(String message) {
        return new LayercakeException(Category.BAD_MODEL, message);
    }

    public static LayercakeException badModel(String message, Throwable cause) {
        return new LayercakeException(Category.BAD_MODEL, message, cause);
    }

    public static LayercakeException overCapacity(String message) {
        return new LayercakeException(Category.OVER_CAPACITY, message);
    }

    public static LayercakeException internal(String message, Throwable cause) {
        return new LayercakeException(Category.INTERNAL, message, cause);
    }

    public Category category() {
        return category;
    }
}
