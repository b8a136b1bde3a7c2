package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;
import static dev.layercake.kv.policy.CommonParameters.SINKS;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;

/** Methods that let the model read a text a second time before they cut it. */
final class ReplayMethods {
    static final List<Method> ALL = List.of(new Method(
            new Description(
                    "kvzip",
                    "Keeps what the model looks at when it repeats the whole text, so that any question may follow.",
                    "everything until the text was repeated; then budget on average over all heads of all layers, and"
                            + " one entry more per token",
                    "the text through the model a second time, over the whole cache: two to four times the prefill in"
                            + " all",
                    "Kim et al., arXiv 2505.23416; NVIDIA/kvpress",
                    List.of(
                            BUDGET,
                            Parameter.whole("chunk", "2048", 1, MOST_TOKENS, "tokens of the text repeated at a time"),
                            SINKS)),
            ReplayMethods::kvzip));

    private ReplayMethods() {}

    private static KvPolicy kvzip(Settings settings) {
        return new KvPolicy(
                settings.spec(),
                new ReplayScorer(settings.whole("sinks"), settings.whole("chunk")),
                new GlobalBudget(settings.budgetOver("sinks", 0)),
                Schedule.AFTER_REPLAY);
    }
}
