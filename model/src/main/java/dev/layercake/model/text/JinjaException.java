package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import org.jspecify.annotations.Nullable;

/** A failure inside the template engine, worded as Python words it, before it is turned into what a user sees. */
final class JinjaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int line;
    private final boolean raisedByTemplate;

    private JinjaException(String message, int line, boolean raisedByTemplate, @Nullable Throwable cause) {
        super(message, cause, false, false);
        this.line = line;
        this.raisedByTemplate = raisedByTemplate;
    }

    static JinjaException of(String message) {
        return new JinjaException(message, 0, false, null);
    }

    static JinjaException of(String message, int line) {
        return new JinjaException(message, line, false, null);
    }

    /** The refusal that a template states itself, by calling {@code raise_exception}. */
    static JinjaException raisedByTemplate(String message) {
        return new JinjaException(message, 0, true, null);
    }

    /** This failure with a line, unless an inner construct has already given a more precise one. */
    JinjaException at(int constructLine) {
        return line > 0 ? this : new JinjaException(text(), constructLine, raisedByTemplate, getCause());
    }

    private String text() {
        String message = getMessage();
        return message == null ? "" : message;
    }

    LayercakeException toLayercakeException() {
        if (raisedByTemplate) {
            return LayercakeException.badInput("the chat template refuses this conversation: " + text(), this);
        }
        return LayercakeException.badModel(
                line > 0 ? "chat template line " + line + ": " + text() : "chat template: " + text(), this);
    }
}
