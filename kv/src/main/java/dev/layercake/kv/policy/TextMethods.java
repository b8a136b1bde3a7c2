package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.KEPT_WINDOW;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;

/** Methods that look at no query: a text can be compressed before anything is asked about it. */
final class TextMethods {
    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "knorm",
                            "Keeps the entries with the shortest keys; looks at no query.",
                            "budget, and one entry more per token",
                            "one pass over the keys",
                            "Devoto et al., arXiv 2406.11430; NVIDIA/kvpress",
                            List.of(BUDGET, KEPT_WINDOW)),
                    settings -> judgedBy(new KeyNormScorer(settings.whole("window")), settings)),
            new Method(
                    new Description(
                            "keydiff",
                            "Keeps the entries whose keys differ most from the mean key; looks at no query.",
                            "budget, and one entry more per token",
                            "two passes over the keys",
                            "Park et al., arXiv 2504.15364; NVIDIA/kvpress",
                            List.of(BUDGET, KEPT_WINDOW)),
                    settings -> judgedBy(new KeyDifferenceScorer(settings.whole("window")), settings)));

    private TextMethods() {}

    private static KvPolicy judgedBy(TokenScorer scorer, Settings settings) {
        UniformBudget budget = new UniformBudget(settings.budgetOver("window", 0), scorer.window());
        return new KvPolicy(settings.spec(), scorer, budget, Schedule.AFTER_PROMPT);
    }
}
