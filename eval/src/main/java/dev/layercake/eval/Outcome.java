package dev.layercake.eval;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * What one contender made of one sample: a line of the results file.
 *
 * @param sample id
 * @param policy of the contender
 * @param budget its label: "3.2%", "64", or nothing
 * @param labels of the sample
 * @param spec the policy as it ran
 * @param files digests of the files that the contender's spec names; null, and not written, if it names none
 * @param promptTokens length of the prompt
 * @param budgetEntries entries per head and layer that the policy might keep; 0 for all
 * @param window of these, the last prompt tokens that are kept always; 0 if the policy has none
 * @param answerDistance tokens from the answer's place in the text to the end of what was cut; null, and not written, if it
 *     is not known
 * @param expected the right answer
 * @param answer what the model said
 * @param score between 0 and 1
 * @param firstTokenSeconds from the beginning of the question's reading to the first token of the answer
 * @param tokensPerSecond while answering
 * @param kvBytes KV memory after the answer
 * @param kvBytesPeak most at a time
 * @param kvBytesFull what {@code full} would hold
 */
public record Outcome(
        String sample,
        String policy,
        String budget,
        SequencedMap<String, String> labels,
        String spec,
        @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable String files,
        int promptTokens,
        int budgetEntries,
        int window,
        @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Integer answerDistance,
        String expected,
        String answer,
        double score,
        double firstTokenSeconds,
        double tokensPerSecond,
        long kvBytes,
        long kvBytesPeak,
        long kvBytesFull)
        implements ResultsFile.Line {
    public Outcome {
        labels = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(labels));
    }

    /** Whether nothing was wrong or missing. */
    @JsonIgnore
    public boolean correct() {
        return score == 1;
    }

    /** Whether the answer lay among the tokens that the policy keeps unjudged, so that it could not be lost. */
    @JsonIgnore
    public boolean inWindow() {
        return answerDistance != null && answerDistance <= window;
    }

    @Override
    public ResultsFile.Key key() {
        return new ResultsFile.Key(sample, policy, budget, files == null ? "" : files);
    }
}
