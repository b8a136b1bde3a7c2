package dev.layercake.eval.suite;

import dev.layercake.eval.Sample;
import dev.layercake.eval.Scoring;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * How a suite scores one question.
 *
 * @param label of the rule
 * @param newTokens most tokens of an answer
 * @param stops texts that end an answer
 * @param rule from the answer to a score between 0 and 1
 */
record SuiteScoring(String label, int newTokens, List<String> stops, ToDoubleFunction<String> rule) implements Scoring {
    SuiteScoring(String label, int newTokens, ToDoubleFunction<String> rule) {
        this(label, newTokens, List.of(), rule);
    }

    @Override
    public double score(String answer, Sample sample) {
        return rule.applyAsDouble(answer);
    }

    @Override
    public int answerTokens(int expectedTokens) {
        return newTokens;
    }
}
