package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.FLAG;
import static dev.layercake.kv.policy.CommonParameters.KEPT_WINDOW;
import static dev.layercake.kv.policy.CommonParameters.REDUCE;
import static dev.layercake.kv.policy.CommonParameters.SINKS;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;

/** Methods that look at all queries of a prompt, one by one or as a distribution. */
final class AttentionMethods {
    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "observed",
                            "Keeps what has got the most attention per token that could see it.",
                            "budget, and one entry more per token",
                            "all attention of the prompt a second time",
                            "NVIDIA/kvpress",
                            List.of(BUDGET, KEPT_WINDOW, REDUCE)),
                    AttentionMethods::observed),
            new Method(
                    new Description(
                            "expected",
                            "Keeps what tokens to come will probably look at, judged by the spread of the prompt's"
                                    + " queries.",
                            "budget, and one entry more per token",
                            "mean and covariance of the queries, a quadratic form per entry",
                            "Devoto et al., arXiv 2510.00636; NVIDIA/kvpress",
                            List.of(
                                    BUDGET,
                                    SINKS,
                                    KEPT_WINDOW,
                                    Parameter.whole("future", "512", 1, 1 << 16, "positions that are looked ahead"),
                                    Parameter.real("epsilon", "0", 0, 1, "added before the value's length counts"),
                                    Parameter.word("covariance", "true", FLAG, "the queries' spread counts"),
                                    Parameter.word("valuenorm", "true", FLAG, "the value's length counts"))),
                    AttentionMethods::expected));

    private AttentionMethods() {}

    private static KvPolicy observed(Settings settings) {
        int window = settings.whole("window");
        return new KvPolicy(
                settings.spec(),
                new ObservedAttentionScorer(window, Reduction.of(settings)),
                new UniformBudget(settings.budgetOver("window", 0), window),
                Schedule.AFTER_PROMPT);
    }

    private static KvPolicy expected(Settings settings) {
        int window = settings.windowBeside("sinks");
        return new KvPolicy(
                settings.spec(),
                new ExpectedAttentionScorer(
                        window,
                        settings.whole("sinks"),
                        settings.whole("future"),
                        settings.real("epsilon"),
                        settings.flag("covariance"),
                        settings.flag("valuenorm")),
                new UniformBudget(settings.whole("budget"), window),
                Schedule.AFTER_PROMPT);
    }
}
