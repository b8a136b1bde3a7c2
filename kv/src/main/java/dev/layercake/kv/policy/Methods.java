package dev.layercake.kv.policy;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;
import java.util.stream.Stream;

/** The methods of the literature, each a composition with the paper's defaults, in the order in which one reads of them. */
final class Methods {
    static final List<Method> ALL = Stream.of(
                    List.of(new Method(
                            new Description("full", "Keeps everything.", "everything", "none", "", List.of()),
                            Methods::full)),
                    WindowMethods.ALL,
                    BaselineMethods.ALL,
                    AttentionMethods.ALL,
                    ReplayMethods.ALL,
                    PrecisionMethods.ALL,
                    RetrievalMethods.ALL,
                    TextMethods.ALL,
                    LearnedMethods.ALL)
            .flatMap(List::stream)
            .toList();

    private Methods() {}

    private static KvPolicy full(Settings settings) {
        return new KvPolicy(settings.spec(), new NoScorer(), new Unlimited(), Schedule.NEVER);
    }
}
