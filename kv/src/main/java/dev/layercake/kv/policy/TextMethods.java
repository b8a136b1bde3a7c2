package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.FLAG;
import static dev.layercake.kv.policy.CommonParameters.KEPT_WINDOW;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;
import static dev.layercake.kv.policy.CommonParameters.SINKS;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;
import java.util.Locale;

/** Methods that look at no query: a text can be compressed before anything is asked about it. */
final class TextMethods {
    private static final Parameter FIRST_TOKENS = Parameter.whole(
            "sinks", "", 0, 4096, "first tokens, always kept; none, but 4 in layers that see all where others slide");

    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "knorm",
                            "Keeps the entries with the shortest keys; looks at no query.",
                            "budget, and one entry more per token",
                            "one pass over the keys",
                            "Devoto et al., arXiv 2406.11430; NVIDIA/kvpress",
                            List.of(BUDGET, FIRST_TOKENS, KEPT_WINDOW)),
                    settings -> judgedBy(new KeyNormScorer(window(settings), FirstTokens.of(settings)), settings)),
            new Method(
                    new Description(
                            "keydiff",
                            "Keeps the entries whose keys differ most from the mean key; looks at no query.",
                            "budget, and one entry more per token",
                            "two passes over the keys",
                            "Park et al., arXiv 2504.15364; NVIDIA/kvpress",
                            List.of(BUDGET, FIRST_TOKENS, KEPT_WINDOW)),
                    settings ->
                            judgedBy(new KeyDifferenceScorer(window(settings), FirstTokens.of(settings)), settings)),
            new Method(
                    new Description(
                            "lagkv",
                            "Keeps the entries that stand out against the text that follows them; looks at no query.",
                            "budget, and one entry more per token",
                            "two passes over keys and values",
                            "Liang et al., arXiv 2504.04704; NVIDIA/kvpress",
                            List.of(
                                    BUDGET,
                                    SINKS,
                                    Parameter.whole("lag", "128", 2, MOST_TOKENS, "entries of a partition"),
                                    Parameter.word(
                                            "cross",
                                            "false",
                                            FLAG,
                                            "partitions compete by score; otherwise each keeps its share"))),
                    TextMethods::lagkv),
            new Method(
                    new Description(
                            "cur",
                            "Keeps the entries with the longest keys and values of their neighbourhood; looks at no"
                                    + " query.",
                            "budget, and one entry more per token",
                            "one pass over keys and values",
                            "Sengupta et al., arXiv 2509.15038; NVIDIA/kvpress",
                            List.of(
                                    BUDGET,
                                    SINKS,
                                    KEPT_WINDOW,
                                    Parameter.whole(
                                            "local", "16", 1, MOST_TOKENS, "entries that a length is compared with"),
                                    Parameter.word(
                                            "leverage",
                                            "product",
                                            List.of("product", "key", "value", "average"),
                                            "what counts: key times value, one of them, or their average"))),
                    TextMethods::cur),
            new Method(
                    new Description(
                            "noncausal",
                            "Keeps what the tokens of a chunk look at when they may look ahead.",
                            "budget, and one entry more per token",
                            "attention inside chunks",
                            "Chari and Van Durme, arXiv 2507.08143; NVIDIA/kvpress",
                            List.of(
                                    BUDGET,
                                    KEPT_WINDOW,
                                    Parameter.whole("chunk", "256", 1, 4096, "tokens of a chunk"),
                                    Parameter.word(
                                            "padding",
                                            "none",
                                            List.of("none", "official"),
                                            "a short last chunk as it is, or filled up with zeros as in kvpress"))),
                    TextMethods::noncausal));

    private TextMethods() {}

    private static int window(Settings settings) {
        return settings.has("sinks") ? settings.windowBeside("sinks") : settings.whole("window");
    }

    private static KvPolicy lagkv(Settings settings) {
        int budget = settings.budgetOver("sinks", 1);
        LagScorer scorer = new LagScorer(settings.whole("sinks"), settings.whole("lag"), settings.flag("cross"));
        return new KvPolicy(settings.spec(), scorer, new UniformBudget(budget, 0), Schedule.AFTER_PROMPT);
    }

    private static KvPolicy cur(Settings settings) {
        settings.budgetOver("sinks", 0);
        CurScorer.Leverage leverage =
                CurScorer.Leverage.valueOf(settings.word("leverage").toUpperCase(Locale.ROOT));
        return judgedBy(
                new CurScorer(
                        settings.windowBeside("sinks"), settings.whole("sinks"), settings.whole("local"), leverage),
                settings);
    }

    private static KvPolicy noncausal(Settings settings) {
        ChunkAttention chunks = new ChunkAttention(
                settings.whole("chunk"), settings.word("padding").equals("official"));
        return judgedBy(new NonCausalScorer(settings.whole("window"), chunks), settings);
    }

    private static KvPolicy judgedBy(TokenScorer scorer, Settings settings) {
        UniformBudget budget = new UniformBudget(settings.budgetOver("window", 0), scorer.window());
        return new KvPolicy(settings.spec(), scorer, budget, Schedule.AFTER_PROMPT);
    }
}
