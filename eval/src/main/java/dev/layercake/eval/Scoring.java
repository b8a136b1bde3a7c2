package dev.layercake.eval;

import java.util.List;

/** How an answer becomes a score between 0 and 1, and how long it may be. */
public interface Scoring {
    /** "exact": as setups and reports name it. */
    String label();

    /** The score of an answer. */
    double score(String answer, Sample sample);

    /**
     * Most tokens that an answer may have.
     *
     * @param expectedTokens of the expected answer
     */
    int answerTokens(int expectedTokens);

    /** Texts that end an answer before the model does. */
    default List<String> stops() {
        return List.of();
    }
}
