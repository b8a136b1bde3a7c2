package dev.layercake.model.text;

/**
 * The allowance of work and memory of one rendering. A template is part of a downloaded model, so it must not be able to
 * hang the engine or fill its memory: steps bound the time, text lengths bound every string, and both together bound
 * what can be held at once.
 */
final class JinjaBudget {
    /** The longest text, in UTF-16 units, that an expression or the whole output may reach. */
    static final int MAX_TEXT = 16 << 20;

    /** How many elementary steps a rendering may take. */
    static final long MAX_STEPS = 10_000_000;

    /** How deep expressions, statements and macro calls may nest while rendering. */
    static final int MAX_DEPTH = 1_000;

    /** Python's sandbox refuses longer ranges. */
    static final long MAX_RANGE = 100_000;

    /** So many units of text cost one step. */
    private static final int TEXT_PER_STEP = 32;

    private long stepsLeft = MAX_STEPS;
    private int depth;

    void step() {
        charge(1);
    }

    void charge(long steps) {
        stepsLeft -= steps;
        if (stepsLeft < 0) {
            throw JinjaException.of("rendering takes more than " + MAX_STEPS + " steps");
        }
    }

    /** Checks and charges a text that is about to be built. */
    void chargeText(long length) {
        if (length > MAX_TEXT) {
            throw JinjaException.of("a text would be longer than " + MAX_TEXT + " characters");
        }
        charge(length / TEXT_PER_STEP);
    }

    String text(String built) {
        chargeText(built.length());
        return built;
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw JinjaException.of("the template nests or calls itself deeper than " + MAX_DEPTH + " levels");
        }
    }

    void leave() {
        depth--;
    }
}
