package dev.layercake.eval;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How likely a model found the continuation of one excerpt under one contender: a line of the results file.
 *
 * @param sample id of the excerpt
 * @param policy of the contender
 * @param budget its label: "3.2%", "64", or nothing
 * @param spec the policy as it ran
 * @param files digests of the files that the contender's spec names; null, and not written, if it names none
 * @param promptTokens that were read and cut
 * @param logProbabilities natural logarithms, one for each token of the continuation
 * @param seconds that reading and continuing took
 * @param kvBytes KV memory at the end
 * @param kvBytesPeak most at a time
 * @param kvBytesFull what {@code full} would hold
 */
public record Likelihoods(
        String sample,
        String policy,
        String budget,
        String spec,
        @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable String files,
        int promptTokens,
        List<Double> logProbabilities,
        double seconds,
        long kvBytes,
        long kvBytesPeak,
        long kvBytesFull)
        implements ResultsFile.Line {
    public Likelihoods {
        logProbabilities = List.copyOf(logProbabilities);
    }

    @Override
    public ResultsFile.Key key() {
        return new ResultsFile.Key(sample, policy, budget, files == null ? "" : files);
    }

    /** Nats per token. */
    double loss() {
        return -logProbabilities.stream()
                .mapToDouble(Double::doubleValue)
                .average()
                .orElse(Double.NaN);
    }

    /**
     * The mean of the absolute differences to another's log-probabilities.
     *
     * @param from index of a token of the continuation
     * @param to index behind the last one
     */
    double distance(Likelihoods other, int from, int to) {
        double sum = 0;
        for (int index = from; index < to; index++) {
            sum += Math.abs(logProbabilities.get(index) - other.logProbabilities.get(index));
        }
        return sum / (to - from);
    }
}
