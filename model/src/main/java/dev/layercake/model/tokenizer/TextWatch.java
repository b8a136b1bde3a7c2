package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.util.concurrent.CancellationException;

/** Looks now and then at a text that is being cut: whether it is still wanted, and whether it has too many tokens. */
final class TextWatch {
    private static final long CHARACTERS_BETWEEN_LOOKS = 1 << 14;

    /** Published rules make a text three times as long at most, single characters eighteen times. */
    private static final long MADE_OF_A_CHARACTER = 64;

    private static final long MADE_OF_ANY_TEXT = 1 << 22;

    /** What vocabularies with pieces of usual lengths need for a character, many times over. */
    private static final long STEPS_OF_A_CHARACTER = 512;

    private static final long STEPS_OF_ANY_TEXT = 1 << 25;

    private final long length;
    private final int mostTokens;
    private final int room;
    private final TokenizeProgress progress;
    private long done;
    private long nextLook = CHARACTERS_BETWEEN_LOOKS;
    private long made;
    private long steps;

    TextWatch(long length, int mostTokens, int room, TokenizeProgress progress) {
        this.length = length;
        this.mostTokens = mostTokens;
        this.room = room;
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

    /**
     * A rule of the tokenizer writes so many characters. Rules that lengthen what others have lengthened would fill the memory
     * with a text of a few words.
     *
     * @throws LayercakeException (bad model) if that is more than any usable tokenizer makes of the text
     */
    void made(long characters) {
        made += characters;
        if (made > MADE_OF_ANY_TEXT + MADE_OF_A_CHARACTER * length) {
            throw LayercakeException.badModel("The tokenizer's rules make more than " + made
                    + " characters of a text of " + length + "; the tokenizer file is not usable.");
        }
    }

    /**
     * So many places of the vocabulary were looked at, without regard to where the text ends.
     *
     * @throws LayercakeException (bad model) if that is more than any usable vocabulary needs
     */
    void searched(int places, int tokens) {
        steps += places;
        if ((steps & 0xFFFFF) < places) {
            look(tokens);
        }
        if (steps > STEPS_OF_ANY_TEXT + STEPS_OF_A_CHARACTER * length) {
            throw LayercakeException.badModel("The tokenizer's pieces fit this text in too many ways (" + steps
                    + " steps for " + length + " characters); the tokenizer file is not usable for it.");
        }
    }

    void requireAtMost(int tokens) {
        if (tokens > mostTokens) {
            throw LayercakeException.overCapacity("The text is too long: it has at least " + tokens
                    + " tokens, in its first "
                    + Math.max(1, Math.min(99, done * 100 / Math.max(1, length))) + " % alone, and there is room for "
                    + room + "; give a shorter text or a longer context.");
        }
    }
}
