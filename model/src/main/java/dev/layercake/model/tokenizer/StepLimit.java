package dev.layercake.model.tokenizer;

/**
 * How many steps a regular expression may still take on a text. Steps are earned by characters that are seen for the first time
 * and never saved up beyond what one long match needs, so that an expression which begins to backtrack without end is stopped
 * after about as many steps wherever in the text that is, and however long the text. What is left over is carried on from part to
 * part of a text ({@link Workspace#steps}): many parts that cost a little too much are stopped as one is.
 */
final class StepLimit {
    /** What a match may cost that is not long. */
    static final long STEPS = 30_000_000;

    /** What a character may cost on average. */
    private static final int STEPS_PER_CHARACTER = 200;

    /** A run of millions of blanks is one match, and usual expressions walk along it three or four times. */
    private static final int STEPS_PER_CHARACTER_OF_MATCH = 10;

    /** Beyond this no match may go. */
    private static final long MOST = 250_000_000;

    private static final int BETWEEN_LOOKS = 1 << 20;

    private final String expression;
    private final Workspace work;
    private int matchEnd;
    private int furthest;
    private int untilLook = BETWEEN_LOOKS;

    StepLimit(String expression, int from, Workspace work) {
        this.expression = expression;
        this.work = work;
        matchEnd = from;
        furthest = from;
    }

    /** The expression has looked at the text up to {@code position}. */
    void reached(int position) {
        if (position > furthest) {
            long earned = work.steps + (long) STEPS_PER_CHARACTER * (position - furthest);
            furthest = position;
            work.steps = Math.min(earned, most());
        }
    }

    private long most() {
        return Math.min(MOST, STEPS + (long) STEPS_PER_CHARACTER_OF_MATCH * (furthest - matchEnd));
    }

    /** A match ends here. */
    void matched(int end) {
        matchEnd = Math.max(matchEnd, end);
        work.steps = Math.min(work.steps, most());
    }

    /**
     * So many steps were taken.
     *
     * @throws dev.layercake.kernels.LayercakeException (bad model) if they are more than any usable expression needs
     */
    void spend(int steps) {
        work.steps -= steps;
        untilLook -= steps;
        if (work.steps < 0) {
            throw TextPattern.tooManySteps(expression);
        }
        if (untilLook < 0) {
            untilLook = BETWEEN_LOOKS;
            work.watch.look(work.tokens.size());
        }
    }
}
