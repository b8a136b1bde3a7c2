package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.FLAG;
import static dev.layercake.kv.policy.CommonParameters.KEPT_WINDOW;
import static dev.layercake.kv.policy.CommonParameters.KERNEL;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;
import static dev.layercake.kv.policy.CommonParameters.POOL;
import static dev.layercake.kv.policy.CommonParameters.REDUCE;
import static dev.layercake.kv.policy.CommonParameters.REDUCE_FIRST;
import static dev.layercake.kv.policy.CommonParameters.SINKS;
import static dev.layercake.kv.policy.CommonParameters.WINDOW;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import dev.layercake.kv.policy.Schedule.Cut;
import java.util.List;
import java.util.Locale;

/** Methods that keep what the last tokens of a prompt look at. */
final class WindowMethods {
    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "cake",
                            "Shares the budget among layers by preference and re-cuts them layer by layer.",
                            "layers x budget",
                            "the window's attention a second time",
                            "Qin et al., ICLR 2025, arXiv 2503.12491; antgroup/cakekv",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.real("gamma", "200", 0, 1e6, "weight of the variance in a token's score"),
                                    POOL,
                                    KERNEL,
                                    Parameter.word(
                                            "allocation",
                                            "waterfill",
                                            List.of("waterfill", "official"),
                                            "integer budgets: exact, or those of the published code"),
                                    Parameter.word(
                                            "order",
                                            "position",
                                            List.of("position", "official"),
                                            "order along which decode steps smooth attention"),
                                    Parameter.word(
                                            "cascading",
                                            "true",
                                            FLAG,
                                            "cut while the prompt passes the layers, or after"),
                                    Parameter.real("tau1", "", 0.01, 100, "tempers the dispersion; 1 if not given"),
                                    Parameter.real("tau2", "", 0.01, 100, "tempers the shift; 1 if not given"),
                                    Parameter.word(
                                            "preset", "", TauPresets.labels(), "tau1 and tau2 as tuned for a model"))),
                    WindowMethods::cake),
            new Method(
                    new Description(
                            "snapkv",
                            "Keeps what the last tokens look at, the same number in each layer.",
                            "budget, and one entry more per token",
                            "the window's attention a second time",
                            "Li et al., arXiv 2404.14469; FasterDecoding/SnapKV",
                            List.of(BUDGET, WINDOW, POOL, KERNEL, REDUCE, REDUCE_FIRST)),
                    WindowMethods::snapkv),
            new Method(
                    new Description(
                            "pyramidkv",
                            "Keeps what the last tokens look at, more in the first layers than in the last.",
                            "budget, and one entry more per token",
                            "the window's attention a second time",
                            "Cai et al., arXiv 2406.02069; Zefan-Cai/KVCache-Factory",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    POOL,
                                    KERNEL,
                                    REDUCE,
                                    REDUCE_FIRST,
                                    Parameter.whole(
                                            "beta",
                                            "20",
                                            1,
                                            1000,
                                            "how many times below the average the last layer is"),
                                    Parameter.word(
                                            "rounding",
                                            "exact",
                                            List.of("exact", "official", "adakv", "kvpress"),
                                            "whole budget and no more; as published, as Ada-KV's code or as kvpress has"
                                                    + " it, all three a little off"))),
                    WindowMethods::pyramidkv),
            new Method(
                    new Description(
                            "sagekv",
                            "Keeps first and recent tokens and what the last token looks at, chosen once.",
                            "budget",
                            "the last query's attention a second time",
                            "Wang et al., arXiv 2503.08879",
                            List.of(
                                    BUDGET,
                                    SINKS,
                                    Parameter.whole(
                                            "recent",
                                            "",
                                            1,
                                            MOST_TOKENS,
                                            "recent tokens, which slide while decoding; half of what the sinks leave"),
                                    Parameter.word(
                                            "group",
                                            "probability",
                                            List.of("probability", "logit"),
                                            "what the query heads of a group add up"))),
                    WindowMethods::sagekv),
            new Method(
                    new Description(
                            "dropkv",
                            "Keeps the entries without which the last tokens' attention would give something else.",
                            "budget, and one entry more per token",
                            "the window's attention a second time, and a pass over the values per query",
                            "NVIDIA/kvpress, pull request 285",
                            List.of(BUDGET, WINDOW)),
                    settings -> new KvPolicy(
                            settings.spec(),
                            new DropLossScorer(settings.whole("window")),
                            new UniformBudget(settings.budgetOver("window", 0), settings.whole("window")),
                            Schedule.AFTER_PROMPT)),
            new Method(
                    new Description(
                            "tova",
                            "Keeps what the newest token looks at, the same tokens in all heads of a layer.",
                            "budget",
                            "the last query's attention a second time",
                            "Oren et al., arXiv 2401.06104; schwartz-lab-NLP/TOVA",
                            List.of(BUDGET, KEPT_WINDOW)),
                    WindowMethods::tova));

    private WindowMethods() {}

    /** CAKE (Qin et al., ICLR 2025, arXiv 2503.12491; antgroup/cakekv c4675ce). */
    private static KvPolicy cake(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        Preference initial =
                settings.has("preset") ? TauPresets.of(settings.word("preset")).at(budget) : new Preference(1, 1);
        Preference claims = new Preference(
                settings.has("tau1") ? settings.real("tau1") : initial.tau1(),
                settings.has("tau2") ? settings.real("tau2") : initial.tau2());
        settings.remove("preset");
        settings.put("tau1", Parameter.number(claims.tau1()));
        settings.put("tau2", Parameter.number(claims.tau2()));
        WindowScorer scorer = windowScorer(settings, (float) settings.real("gamma"), Reduction.MEAN, false);
        boolean waterfill = settings.word("allocation").equals("waterfill");
        KvPolicy policy = new KvPolicy(
                settings.spec(),
                scorer,
                waterfill ? new WaterfillBudget(budget, window, claims) : new OfficialBudget(budget, window, claims),
                new Schedule(settings.flag("cascading") ? Cut.CASCADE : Cut.AT_END, 1));
        return settings.word("order").equals("official") ? policy.withOrder(EntryOrder.OFFICIAL) : policy;
    }

    /**
     * SnapKV. Deviations: per KV head instead of per query head; pooling 5 wide by average, as CAKE and kvpress have it
     * ({@code pool=max} gives the 7 wide maximum of SnapKV's experiments).
     */
    private static KvPolicy snapkv(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        WindowScorer scorer = windowScorer(settings);
        return new KvPolicy(settings.spec(), scorer, new UniformBudget(budget, window), Schedule.AFTER_PROMPT);
    }

    private static KvPolicy pyramidkv(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        PyramidBudget.Rounding rounding =
                PyramidBudget.Rounding.valueOf(settings.word("rounding").toUpperCase(Locale.ROOT));
        WindowScorer scorer = windowScorer(settings);
        return new KvPolicy(
                settings.spec(),
                scorer,
                new PyramidBudget(budget, window, settings.whole("beta"), rounding),
                Schedule.AFTER_PROMPT);
    }

    private static WindowScorer windowScorer(Settings settings) {
        return windowScorer(settings, 0, Reduction.of(settings), settings.flag("reducefirst"));
    }

    private static WindowScorer windowScorer(Settings settings, float gamma, Reduction reduction, boolean reduceFirst) {
        boolean average = settings.word("pool").equals("avg");
        int kernel = settings.has("kernel") ? settings.whole("kernel") : average ? 5 : 7;
        if (kernel % 2 == 0) {
            throw settings.refused("kernel=" + kernel + " is even; it must be odd, " + (kernel + 1) + " for example.");
        }
        settings.put("kernel", Integer.toString(kernel));
        return new WindowScorer(
                settings.whole("window"), gamma, average ? Pooling.AVG : Pooling.MAX, kernel, reduction, reduceFirst);
    }

    private static KvPolicy sagekv(Settings settings) {
        int sinks = settings.whole("sinks");
        int budget = settings.budgetOver("sinks", 1);
        int recent = settings.has("recent") ? settings.whole("recent") : Math.max(1, (budget - sinks) / 2);
        if (sinks + recent > budget) {
            throw settings.refused("budget=" + budget + " does not hold sinks=" + sinks + " and recent=" + recent
                    + "; make it at least " + (sinks + recent) + ".");
        }
        settings.put("recent", Integer.toString(recent));
        SageScorer.Group group =
                settings.word("group").equals("logit") ? SageScorer.Group.LOGIT : SageScorer.Group.PROBABILITY;
        return new KvPolicy(
                settings.spec(),
                new SageScorer(sinks, recent, group),
                new UniformBudget(budget, recent),
                Schedule.ALWAYS);
    }

    private static KvPolicy tova(Settings settings) {
        return new KvPolicy(
                settings.spec(),
                new TovaScorer(settings.whole("window")),
                new UniformBudget(settings.budgetOver("window", 0), settings.whole("window")),
                Schedule.ALWAYS);
    }
}
