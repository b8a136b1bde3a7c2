package dev.layercake.kv.policy;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import dev.layercake.kv.policy.Policies.Modifier;
import dev.layercake.kv.policy.Schedule.Cut;
import java.util.List;
import java.util.Locale;

/** The methods of the literature, each a composition of scorer, allocator, retention and schedule with the paper's defaults. */
final class Methods {
    /** Beyond any context; keeps sums over layers and heads far from overflow. */
    private static final int MOST_TOKENS = 1 << 24;

    private static final Parameter BUDGET =
            Parameter.whole("budget", "1024", 1, MOST_TOKENS, "entries per head and layer, everything included");
    private static final Parameter WINDOW =
            Parameter.whole("window", "32", 1, 4096, "last prompt tokens, always kept; their queries judge the others");
    private static final Parameter KEPT_WINDOW =
            Parameter.whole("window", "0", 0, 4096, "last prompt tokens, always kept");
    private static final Parameter SINKS = Parameter.whole("sinks", "4", 0, 4096, "first tokens, always kept");
    private static final Parameter POOL =
            Parameter.word("pool", "avg", List.of("avg", "max"), "how scores are smoothed");
    private static final Parameter KERNEL =
            Parameter.whole("kernel", "", 1, 63, "width of the smoothing, odd; 5 for avg, 7 for max");
    private static final List<String> FLAG = List.of("true", "false");
    private static final Parameter REDUCE =
            Parameter.word("reduce", "mean", List.of("mean", "max"), "how the query heads of a group decide together");
    private static final Parameter REDUCE_FIRST =
            Parameter.word("reducefirst", "false", FLAG, "reduce the group before smoothing, as Ada-KV's code does");

    static final List<Method> ALL = List.of(
            new Method(new Description("full", "Keeps everything.", "", List.of()), Methods::full),
            new Method(
                    new Description(
                            "cake",
                            "Shares the budget among layers by preference and re-cuts them layer by layer.",
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
                    Methods::cake),
            new Method(
                    new Description(
                            "snapkv",
                            "Keeps what the last tokens look at, the same number in each layer.",
                            "Li et al., arXiv 2404.14469; FasterDecoding/SnapKV",
                            List.of(BUDGET, WINDOW, POOL, KERNEL, REDUCE, REDUCE_FIRST)),
                    Methods::snapkv),
            new Method(
                    new Description(
                            "pyramidkv",
                            "Keeps what the last tokens look at, more in the first layers than in the last.",
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
                                            List.of("exact", "official", "adakv"),
                                            "whole budget and no more; as published, or as Ada-KV's code has it, both a"
                                                    + " few percent more"))),
                    Methods::pyramidkv),
            new Method(
                    new Description(
                            "sagekv",
                            "Keeps first and recent tokens and what the last token looks at, chosen once.",
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
                    Methods::sagekv),
            new Method(
                    new Description(
                            "h2o",
                            "Keeps what has got the most attention from all tokens so far, and the recent ones.",
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
                    Methods::h2o),
            new Method(
                    new Description(
                            "tova",
                            "Keeps what the newest token looks at, the same tokens in all heads of a layer.",
                            "Oren et al., arXiv 2401.06104; schwartz-lab-NLP/TOVA",
                            List.of(BUDGET, KEPT_WINDOW)),
                    Methods::tova),
            new Method(
                    new Description(
                            "knorm",
                            "Keeps the entries with the shortest keys; looks at no query.",
                            "Devoto et al., arXiv 2406.11430; NVIDIA/kvpress",
                            List.of(BUDGET, KEPT_WINDOW)),
                    settings -> judgedOnce(settings, new KeyNormScorer(settings.whole("window")))),
            new Method(
                    new Description(
                            "keydiff",
                            "Keeps the entries whose keys differ most from the mean key; looks at no query.",
                            "Park et al., arXiv 2504.15364; NVIDIA/kvpress",
                            List.of(BUDGET, KEPT_WINDOW)),
                    settings -> judgedOnce(settings, new KeyDifferenceScorer(settings.whole("window")))),
            new Method(
                    new Description(
                            "streaming",
                            "Keeps the first tokens and the most recent ones.",
                            "Xiao et al., ICLR 2024, arXiv 2309.17453; mit-han-lab/streaming-llm",
                            List.of(BUDGET, SINKS)),
                    Methods::streaming),
            new Method(
                    new Description(
                            "random",
                            "Keeps the last tokens and a random sample of the others: the baseline to beat.",
                            "",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.whole("seed", "0", 0, Integer.MAX_VALUE, "same seed, same sample"))),
                    Methods::random));

    static final Modifier ADA = new Modifier(
            new Description(
                    "ada",
                    "Lets the heads of a layer compete for its budget.",
                    "Feng et al., NeurIPS 2025, arXiv 2407.11550; FFY0/AdaKV",
                    List.of(
                            Parameter.real("alpha", "0.2", 0, 1, "share of a head's budget that it has for sure"),
                            Parameter.word(
                                    "normalize",
                                    "false",
                                    FLAG,
                                    "weigh a head by how much of its attention the budget would catch"),
                            Parameter.word(
                                    "rounding",
                                    "exact",
                                    List.of("exact", "official"),
                                    "the layer's budget exactly, or as published (a few entries off)"))),
            Methods::ada);

    private Methods() {}

    private static KvPolicy full(Settings settings) {
        return new KvPolicy(
                settings.spec(), new NoScorer(), new Unlimited(), Retention.DROP, Schedule.NEVER, EntryOrder.POSITION);
    }

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
        return new KvPolicy(
                settings.spec(),
                scorer,
                waterfill ? new WaterfillBudget(budget, window, claims) : new OfficialBudget(budget, window, claims),
                Retention.DROP,
                new Schedule(settings.flag("cascading") ? Cut.CASCADE : Cut.AT_END, true),
                settings.word("order").equals("official") ? EntryOrder.OFFICIAL : EntryOrder.POSITION);
    }

    /**
     * SnapKV. Deviations: per KV head instead of per query head; pooling 5 wide by average, as CAKE and kvpress have it
     * ({@code pool=max} gives the 7 wide maximum of SnapKV's experiments).
     */
    private static KvPolicy snapkv(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        return judgedOnce(settings, windowScorer(settings), new UniformBudget(budget, window));
    }

    private static KvPolicy pyramidkv(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        PyramidBudget.Rounding rounding =
                PyramidBudget.Rounding.valueOf(settings.word("rounding").toUpperCase(Locale.ROOT));
        WindowScorer scorer = windowScorer(settings);
        return judgedOnce(settings, scorer, new PyramidBudget(budget, window, settings.whole("beta"), rounding));
    }

    private static WindowScorer windowScorer(Settings settings) {
        return windowScorer(settings, 0, reduction(settings), settings.flag("reducefirst"));
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

    private static Reduction reduction(Settings settings) {
        return settings.word("reduce").equals("mean") ? Reduction.MEAN : Reduction.MAX;
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
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, true),
                EntryOrder.POSITION);
    }

    private static KvPolicy h2o(Settings settings) {
        int budget = settings.whole("budget");
        if (!settings.has("recent")) {
            settings.put("recent", Integer.toString(Math.max(1, budget / 2)));
        }
        settings.budgetOver("recent", 0);
        int recent = settings.whole("recent");
        boolean counting = settings.flag("counting");
        return new KvPolicy(
                settings.spec(),
                new HeavyHitterScorer(recent, reduction(settings), counting),
                new UniformBudget(budget, recent),
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, counting),
                EntryOrder.POSITION);
    }

    private static KvPolicy tova(Settings settings) {
        return new KvPolicy(
                settings.spec(),
                new TovaScorer(settings.whole("window")),
                new UniformBudget(settings.budgetOver("window", 0), settings.whole("window")),
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, true),
                EntryOrder.POSITION);
    }

    private static KvPolicy streaming(Settings settings) {
        int budget = settings.budgetOver("sinks", 1);
        return new KvPolicy(
                settings.spec(),
                new RecencyScorer(settings.whole("sinks")),
                new UniformBudget(budget, 0),
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, true),
                EntryOrder.POSITION);
    }

    private static KvPolicy random(Settings settings) {
        return new KvPolicy(
                settings.spec(),
                new RandomScorer(settings.whole("window"), settings.wholeLong("seed")),
                new UniformBudget(settings.budgetOver("window", 0), settings.whole("window")),
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, true),
                EntryOrder.POSITION);
    }

    private static KvPolicy judgedOnce(Settings settings, TokenScorer scorer) {
        return judgedOnce(settings, scorer, new UniformBudget(settings.budgetOver("window", 0), scorer.window()));
    }

    /** A policy that cuts each layer after the prompt and lets it grow while decoding. */
    private static KvPolicy judgedOnce(Settings settings, TokenScorer scorer, BudgetAllocator allocator) {
        return new KvPolicy(
                settings.spec(),
                scorer,
                allocator,
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, false),
                EntryOrder.POSITION);
    }

    /** Heads of one layer that hold the same tokens have nothing to compete for. */
    private static KvPolicy ada(KvPolicy policy, Settings settings) {
        BudgetAllocator layers = policy.allocator();
        if (!policy.evicts()) {
            throw settings.refused(
                    "there is no budget to divide in " + policy.name() + "; put it after another policy.");
        }
        if (policy.scorer().sharedByHeads() || policy.scorer() instanceof RecencyScorer) {
            throw settings.refused(policy.name() + " keeps the same tokens in all heads of a layer, so there is nothing"
                    + " to divide; put it after another policy.");
        }
        if (layers.ragged()) {
            throw settings.refused("it is given twice; give it once.");
        }
        return new KvPolicy(
                policy.spec() + "+" + settings.spec(),
                policy.scorer(),
                new AdaptiveHeads(
                        layers,
                        settings.real("alpha"),
                        settings.flag("normalize"),
                        settings.word("rounding").equals("exact")),
                policy.retention(),
                policy.schedule(),
                policy.order());
    }
}
