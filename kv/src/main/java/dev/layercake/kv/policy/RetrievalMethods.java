package dev.layercake.kv.policy;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;

/** Methods that keep everything as it is and read little of it. */
final class RetrievalMethods {
    static final List<Method> ALL = List.of(new Method(
            new Description(
                    "quest",
                    "Keeps everything, and reads only the pages whose keys can match the token's query best.",
                    "everything, and a sixteenth for the bounds of pages of 16",
                    "bounds of all pages read in each decode step; saves time, not memory",
                    "Tang et al., ICML 2024, arXiv 2406.10774; mit-han-lab/quest",
                    List.of(
                            Parameter.whole(
                                    "budget",
                                    "1024",
                                    1,
                                    CommonParameters.MOST_TOKENS,
                                    "entries that a head reads for a token, in whole pages"),
                            Parameter.whole("page", "16", 1, 4096, "entries of a page"),
                            Parameter.whole(
                                    "dense", "2", 0, 4096, "first layers, which read everything as in the paper"))),
            RetrievalMethods::quest));

    private RetrievalMethods() {}

    private static KvPolicy quest(Settings settings) {
        return new KvPolicy(settings.spec(), new NoScorer(), new Unlimited(), Schedule.NEVER)
                .withRetention(new Retention.ReadFew(
                        settings.whole("budget"), settings.whole("page"), settings.whole("dense")));
    }
}
