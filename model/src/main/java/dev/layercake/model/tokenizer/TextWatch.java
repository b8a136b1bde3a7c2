package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.util.concurrent.CancellationException;

/** Looks now and then at a text that is being cut: whether it is still wanted, and whether it has too many tokens. */
final class TextWatch {
    static final TextWatch NONE = new TextWatch(0, Integer.MAX_VALUE, TokenizeProgress.NONE);

    private static final long CHARACTERS_BETWEEN_LOOKS = 1 << 14;

    private final long length;
    private final int mostTokens;
    private final TokenizeProgress progress;
    private long done;
    private long nextLook = CHARACTERS_BETWEEN_LOOKS;

    TextWatch(long length, int mostTokens, TokenizeProgress progress) {
        this.length = length;
        this.mostTokens = mostTokens;
        this.progress = progress;
    }

    /** A word of {@code characters} has been cut. */
    void passed(int characters, int tokens) {
        done += characters;
        if (done >= nextLook) {
            nextLook = done + CHARACTERS_BETWEEN_LOOKS;
            look(tokens);
        }
    }

    /**
     * @throws CancellationException if the text is no longer wanted
     * @throws LayercakeException (over capacity) if there are more tokens than wanted
     */
    void look(int tokens) {
        requireAtMost(tokens);
        if (!progress.proceed(Math.min(done, length), length)) {
            throw new CancellationException("the text is no longer wanted");
        }
    }

    void requireAtMost(int tokens) {
        if (tokens > mostTokens) {
            // Who sets a limit may allow for more than there is room for, so this does not name it as the room.
            throw LayercakeException.overCapacity("The text is too long: its first "
                    + Math.max(1, Math.min(99, done * 100 / Math.max(1, length)))
                    + " % alone have more than " + mostTokens
                    + " tokens; give a shorter text or a longer context.");
        }
    }
}
