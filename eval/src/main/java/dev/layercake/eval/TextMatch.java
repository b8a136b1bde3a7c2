package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.util.Arrays;
import java.util.Locale;

/** Scoring by what an answer says, letter by letter. */
public enum TextMatch implements Scoring {
    /** 1 if the answer is the expected one to the letter, blanks at its ends apart. */
    EXACT(8) {
        @Override
        public double score(String answer, Sample sample) {
            return answer.strip().equals(sample.answer().strip()) ? 1 : 0;
        }
    },
    /**
     * The share of the sample's facts that occur somewhere in the answer, in upper or lower case (RULER's string match, for
     * models that answer in sentences).
     */
    CONTAINS(48) {
        @Override
        public double score(String answer, Sample sample) {
            String given = answer.toLowerCase(Locale.ROOT);
            long found = sample.facts().stream()
                    .filter(fact -> given.contains(fact.toLowerCase(Locale.ROOT)))
                    .count();
            return (double) found / sample.facts().size();
        }
    };

    /** Tokens that an answer may have beyond the expected one: to be seen to be wrong, or to come to the point. */
    private final int spareTokens;

    TextMatch(int spareTokens) {
        this.spareTokens = spareTokens;
    }

    @Override
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public int answerTokens(int expectedTokens) {
        return expectedTokens + spareTokens;
    }

    /** Reads "exact" or "contains". */
    public static Scoring parse(String text) {
        return Arrays.stream(values())
                .filter(match -> match.label().equalsIgnoreCase(text.strip()))
                .findFirst()
                .orElseThrow(() -> LayercakeException.badInput(
                        "There is no scoring '" + text + "'; possible are exact and contains."));
    }
}
