package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.FLAG;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;
import static dev.layercake.kv.policy.CommonParameters.REDUCE;
import static dev.layercake.kv.policy.CommonParameters.SINKS;
import static dev.layercake.kv.policy.CommonParameters.WINDOW;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import java.util.List;

/** What every paper compares with, and the sums of attention that began it. */
final class BaselineMethods {
    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "h2o",
                            "Keeps what has got the most attention from all tokens so far, and the recent ones.",
                            "budget; one entry more per token if counting=false",
                            "all attention of the prompt a second time",
                            "Zhang et al., NeurIPS 2023, arXiv 2306.14048; FMInference/H2O",
                            List.of(
                                    BUDGET,
                                    Parameter.whole(
                                            "recent",
                                            "",
                                            1,
                                            MOST_TOKENS,
                                            "recent tokens, always kept; half the budget"),
                                    REDUCE,
                                    Parameter.word(
                                            "counting",
                                            "true",
                                            FLAG,
                                            "count on and evict while decoding; false is the one-shot form"))),
                    BaselineMethods::h2o),
            new Method(
                    new Description(
                            "streaming",
                            "Keeps the first tokens and the most recent ones.",
                            "budget",
                            "none",
                            "Xiao et al., ICLR 2024, arXiv 2309.17453; mit-han-lab/streaming-llm",
                            List.of(
                                    BUDGET,
                                    SINKS,
                                    Parameter.word(
                                            "positions",
                                            "",
                                            List.of("original", "slot"),
                                            "those of the text, if not given; or places among what is kept, for streams"
                                                    + " without end"))),
                    BaselineMethods::streaming),
            new Method(
                    new Description(
                            "random",
                            "Keeps the last tokens and a random sample of the others: the baseline to beat.",
                            "budget",
                            "none",
                            "",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.whole("seed", "0", 0, Integer.MAX_VALUE, "same seed, same sample"),
                                    Parameter.whole(
                                            "sinks", "", 0, 4096, "first tokens, always kept; none if not given"))),
                    BaselineMethods::random));

    private BaselineMethods() {}

    private static KvPolicy h2o(Settings settings) {
        int budget = settings.whole("budget");
        if (!settings.has("recent")) {
            settings.put("recent", Integer.toString(Math.max(1, budget / 2)));
        }
        settings.budgetOver("recent", 0);
        int recent = settings.whole("recent");
        boolean counting = settings.flag("counting");
        Reduction reduction = Reduction.of(settings);
        if (counting && reduction == Reduction.MAX) {
            throw settings.refused("reduce=max means nothing while attention is counted, which adds up the group; set"
                    + " counting=false or leave it out.");
        }
        return new KvPolicy(
                settings.spec(),
                new HeavyHitterScorer(recent, reduction, counting),
                new UniformBudget(budget, recent),
                counting ? Schedule.ALWAYS : Schedule.AFTER_PROMPT);
    }

    private static KvPolicy streaming(Settings settings) {
        int budget = settings.budgetOver("sinks", 1);
        boolean slots = settings.has("positions") && settings.word("positions").equals("slot");
        if (!slots) {
            settings.remove("positions");
        }
        KvPolicy policy = new KvPolicy(
                settings.spec(),
                new RecencyScorer(settings.whole("sinks")),
                // Numbered by slot, no layer may have more entries than the budget says positions.
                new UniformBudget(budget, 0, !slots),
                Schedule.ALWAYS);
        return slots ? policy.withPositions(PositionRule.SLOT) : policy;
    }

    private static KvPolicy random(Settings settings) {
        int sinks = settings.has("sinks") ? settings.whole("sinks") : 0;
        int window = sinks > 0 ? settings.windowBeside("sinks") : settings.whole("window");
        return new KvPolicy(
                settings.spec(),
                new RandomScorer(window, settings.wholeLong("seed"), sinks),
                new UniformBudget(settings.budgetOver("window", 0), window),
                Schedule.ALWAYS);
    }
}
