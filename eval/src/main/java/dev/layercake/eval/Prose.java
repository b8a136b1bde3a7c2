package dev.layercake.eval;

import java.util.SplittableRandom;

/** Text to hide facts in. */
interface Prose {
    /** Sentences from a place that the random numbers choose. */
    Sentences begin(SplittableRandom random);

    /** What the text is, the same for the same text only. */
    String identity();

    /** One sentence after the other, without end. */
    @FunctionalInterface
    interface Sentences {
        /** The next one, beginning with a space. */
        String next();
    }
}
