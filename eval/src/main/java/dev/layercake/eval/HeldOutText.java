package dev.layercake.eval;

/** A text in two parts: one to read at once, and how it goes on. */
public final class HeldOutText {
    private final int[] prompt;
    private final int[] continuation;

    /**
     * @param prompt at least one token
     * @param continuation at least one token
     */
    public HeldOutText(int[] prompt, int[] continuation) {
        if (prompt.length == 0 || continuation.length == 0) {
            throw new IllegalArgumentException(prompt.length + " tokens, continued by " + continuation.length);
        }
        this.prompt = prompt.clone();
        this.continuation = continuation.clone();
    }

    public int[] prompt() {
        return prompt.clone();
    }

    public int[] continuation() {
        return continuation.clone();
    }

    /** Tokens of both parts. */
    public int tokens() {
        return prompt.length + continuation.length;
    }
}
