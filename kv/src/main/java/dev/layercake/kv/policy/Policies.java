package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.Schedule.Cut;
import java.util.List;
import java.util.function.Function;

/**
 * The known policies by name, and the one place where a spec string becomes a policy: in the library, on the command line,
 * in a request and in a report it is written the same way.
 */
public final class Policies {
    /** Beyond any context; keeps sums over layers and heads far from overflow. */
    private static final int MOST_TOKENS = 1 << 24;

    private static final Parameter BUDGET =
            Parameter.whole("budget", "1024", 1, MOST_TOKENS, "entries per head and layer, everything included");
    private static final Parameter WINDOW =
            Parameter.whole("window", "32", 1, 4096, "last prompt tokens, always kept; their queries judge the others");
    private static final List<String> FLAG = List.of("true", "false");

    private static final List<Named> ALL = List.of(
            new Named(
                    new Description("full", "Keeps everything.", List.of()),
                    settings -> new KvPolicy(
                            settings.spec(),
                            new NoScorer(),
                            new Unlimited(),
                            Retention.DROP,
                            Schedule.NEVER,
                            EntryOrder.POSITION)),
            new Named(
                    new Description(
                            "cake",
                            "Shares the budget among layers by preference and re-cuts them layer by layer (ICLR 2025).",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.real("gamma", "200", 0, 1e6, "weight of the variance in a token's score"),
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
                    Policies::cake),
            new Named(
                    new Description(
                            "snapkv",
                            "Keeps what the last tokens look at, the same number in each layer.",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.word("pool", "avg", List.of("avg", "max"), "how scores are smoothed"),
                                    Parameter.whole(
                                            "kernel", "", 1, 63, "width of the smoothing, odd; 5 for avg, 7 for max"))),
                    Policies::snapkv),
            new Named(
                    new Description(
                            "streaming",
                            "Keeps the first tokens and the most recent ones.",
                            List.of(BUDGET, Parameter.whole("sinks", "4", 0, 4096, "first tokens, always kept"))),
                    settings -> {
                        int budget = settings.budgetOver("sinks", 1);
                        return new KvPolicy(
                                settings.spec(),
                                new RecencyScorer(settings.whole("sinks")),
                                new UniformBudget(budget, 0),
                                Retention.DROP,
                                new Schedule(Cut.EACH_LAYER, true),
                                EntryOrder.POSITION);
                    }),
            new Named(
                    new Description(
                            "random",
                            "Keeps the last tokens and a random sample of the others: the baseline to beat.",
                            List.of(
                                    BUDGET,
                                    WINDOW,
                                    Parameter.whole("seed", "0", 0, Integer.MAX_VALUE, "same seed, same sample"))),
                    settings -> new KvPolicy(
                            settings.spec(),
                            new RandomScorer(settings.whole("window"), settings.wholeLong("seed")),
                            new UniformBudget(settings.budgetOver("window", 0), settings.whole("window")),
                            Retention.DROP,
                            new Schedule(Cut.EACH_LAYER, true),
                            EntryOrder.POSITION)));

    private Policies() {}

    /**
     * What a policy is called and what its spec may set.
     *
     * @param name as written in a spec
     * @param summary one line for a person
     * @param parameters in the order of the canonical spec
     */
    public record Description(String name, String summary, List<Parameter> parameters) {
        public Description {
            parameters = List.copyOf(parameters);
        }
    }

    private record Named(Description description, Function<Settings, KvPolicy> make) {}

    /** All policies, in the order in which a person should read of them. */
    public static List<Description> all() {
        return ALL.stream().map(Named::description).toList();
    }

    /** The policy that keeps everything. */
    public static KvPolicy full() {
        return parse("full");
    }

    /**
     * The policy that a spec describes: a name, or a name with settings in parentheses, such as {@code
     * cake(budget=1024,window=32)}. Settings that are not given have their defaults.
     *
     * @throws LayercakeException bad input: what is wrong, where, and what would be possible
     */
    public static KvPolicy parse(String text) {
        PolicySpec spec = PolicySpec.parse(text);
        for (Named named : ALL) {
            Description description = named.description();
            if (description.name().equals(spec.name())) {
                return named.make().apply(new Settings(spec.name(), description.parameters(), spec.settings()));
            }
        }
        List<String> names = all().stream().map(Description::name).toList();
        throw LayercakeException.badInput("There is no policy " + spec.name() + "; did you mean "
                + Nearest.of(spec.name(), names) + "? Known are " + String.join(", ", names) + ".");
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
        boolean waterfill = settings.word("allocation").equals("waterfill");
        return new KvPolicy(
                settings.spec(),
                new WindowScorer(window, (float) settings.real("gamma"), Pooling.AVG, 5),
                waterfill ? new WaterfillBudget(budget, window, claims) : new OfficialBudget(budget, window, claims),
                Retention.DROP,
                new Schedule(settings.flag("cascading") ? Cut.CASCADE : Cut.AT_END, true),
                settings.word("order").equals("official") ? EntryOrder.OFFICIAL : EntryOrder.POSITION);
    }

    /**
     * SnapKV (arXiv 2404.14469; FasterDecoding/SnapKV e216ddc). Deviations: per KV head instead of per query head; pooling
     * 5 wide by average, as CAKE and kvpress have it ({@code pool=max} gives the 7 wide maximum of SnapKV's experiments).
     */
    private static KvPolicy snapkv(Settings settings) {
        int window = settings.whole("window");
        int budget = settings.budgetOver("window", 0);
        boolean average = settings.word("pool").equals("avg");
        int kernel = settings.has("kernel") ? settings.whole("kernel") : average ? 5 : 7;
        if (kernel % 2 == 0) {
            throw LayercakeException.badInput(
                    "Policy snapkv: kernel=" + kernel + " is even; it must be odd, " + (kernel + 1) + " for example.");
        }
        settings.put("kernel", Integer.toString(kernel));
        return new KvPolicy(
                settings.spec(),
                new WindowScorer(window, 0, average ? Pooling.AVG : Pooling.MAX, kernel),
                new UniformBudget(budget, window),
                Retention.DROP,
                new Schedule(Cut.EACH_LAYER, false),
                EntryOrder.POSITION);
    }
}
