package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.BUDGET;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;
import static dev.layercake.kv.policy.CommonParameters.SINKS;
import static dev.layercake.kv.policy.CommonParameters.WINDOW;

import dev.layercake.kv.policy.HeadDivision.Rule;
import dev.layercake.kv.policy.HeadProfile.Measure;
import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import dev.layercake.kv.policy.Policies.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** Methods that know something of the model beforehand: a file that was calibrated or trained for it. */
final class LearnedMethods {
    private static final Parameter PROFILE =
            Parameter.file("profile", "a file that layercake profile made for this model");
    private static final String MAKE_PROFILE = "Make one with layercake profile.";

    /** How a profile's numbers become budgets; what is not given is as the profile's search chose. */
    private static final List<Parameter> DIVISION = List.of(
            Parameter.word(
                    "rule",
                    "",
                    List.of("power", "twolevel"),
                    "how importance becomes a budget; this and the next four as the profile's search chose, or power"),
            Parameter.real("power", "", 0, 16, "of the importance; 0 for equal budgets; 1"),
            Parameter.real("least", "", 0, 1, "share of the average that every head has for sure; 0.25"),
            Parameter.real("share", "", 0, 1, "of the heads that count as important, for twolevel; 0.25"),
            Parameter.real("factor", "", 1, 1e4, "times the average for each of them, for twolevel; 1.5"));

    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "baklava",
                            "Gives each head a fixed budget by an importance that was measured beforehand.",
                            "budget on average, and one entry more per token unless tokens=streaming",
                            "the window's attention a second time; none if tokens=streaming",
                            "Gulhan et al., arXiv 2502.13176",
                            concat(
                                    List.of(
                                            PROFILE,
                                            BUDGET,
                                            Parameter.word(
                                                    "tokens",
                                                    "snapkv",
                                                    List.of("snapkv", "streaming"),
                                                    "which entries a head keeps: what the last tokens look at, or first"
                                                            + " and recent ones"),
                                            WINDOW,
                                            SINKS),
                                    DIVISION)),
                    LearnedMethods::baklava),
            new Method(
                    new Description(
                            "duo",
                            "Heads that look far back keep everything, the others first and recent tokens.",
                            "everything in some heads, sinks + recent in the others",
                            "none",
                            "Xiao et al., arXiv 2410.10819; NVIDIA/kvpress",
                            List.of(
                                    PROFILE,
                                    Parameter.real(
                                            "ratio",
                                            "0.5",
                                            0,
                                            1,
                                            "share of the heads that keep first and recent tokens"),
                                    Parameter.whole("sinks", "128", 0, 4096, "first tokens, always kept"),
                                    Parameter.whole("recent", "256", 1, MOST_TOKENS, "recent tokens, always kept"))),
                    LearnedMethods::duo),
            new Method(
                    new Description(
                            "gate",
                            "Trained gates reject entries before a layer's attention sees them.",
                            "what the gates let through, and one entry more per token; room for all is reserved",
                            "a small attention of its own in each layer",
                            "Zeng et al., arXiv 2410.12876",
                            List.of(
                                    Parameter.file("weights", "a safetensors file with gates for this model"),
                                    Parameter.real(
                                            "threshold",
                                            "",
                                            0,
                                            1,
                                            "a score must exceed it; the file says it, usually 0.5"),
                                    Parameter.whole("sinks", "0", 0, 4096, "first tokens that no gate rejects"),
                                    Parameter.whole(
                                            "recent", "0", 0, MOST_TOKENS, "last prompt tokens that no gate rejects"))),
                    LearnedMethods::gate));

    static final Modifier BAKLAVA = new Modifier(
            new Description(
                    "baklava",
                    "Divides the whole budget among all heads of all layers by an importance that was measured"
                            + " beforehand.",
                    "as before on average, but heads of different lengths",
                    "none",
                    "Gulhan et al., arXiv 2502.13176",
                    concat(List.of(PROFILE), DIVISION)),
            LearnedMethods::divided);

    private LearnedMethods() {}

    private static List<Parameter> concat(List<Parameter> first, List<Parameter> second) {
        List<Parameter> both = new ArrayList<>(first);
        both.addAll(second);
        return both;
    }

    private static HeadProfile profile(Settings settings, Measure measure) {
        Path file = settings.file("profile", MAKE_PROFILE);
        HeadProfile profile = HeadProfile.read(file);
        if (profile.measure() != measure) {
            throw settings.refused("the profile " + file + " holds the measure "
                    + profile.measure().label() + ", not " + measure.label() + "; make one with layercake profile"
                    + " --measure " + measure.label() + ".");
        }
        return profile;
    }

    private static KvPolicy baklava(Settings settings) {
        HeadProfile profile = profile(settings, Measure.VALUE);
        boolean streaming = settings.word("tokens").equals("streaming");
        int budget = streaming ? settings.budgetOver("sinks", 1) : settings.budgetOver("window", 0);
        int window = streaming ? 0 : settings.whole("window");
        int sure = streaming ? settings.whole("sinks") + 1 : 0;
        HeadDivision division = division(settings, profile, budget, settings.word("tokens"));
        TokenScorer scorer = streaming
                ? new RecencyScorer(settings.whole("sinks"))
                : new WindowScorer(window, 0, Pooling.AVG, 5, Reduction.MEAN, false);
        settings.remove(streaming ? "window" : "sinks");
        return new KvPolicy(
                settings.spec(),
                scorer,
                new ProfiledBudget(profile, budget, window, sure, division),
                streaming ? Schedule.ALWAYS : Schedule.AFTER_PROMPT);
    }

    /** Heads that must hold the same tokens cannot be given different budgets. */
    private static KvPolicy divided(KvPolicy policy, Settings settings) {
        HeadProfile profile = profile(settings, Measure.VALUE);
        if (policy.budget() == 0) {
            throw settings.refused(
                    "there is no budget to divide in " + policy.name() + "; put it after another policy.");
        }
        if (policy.scorer().sharedByHeads()) {
            throw settings.refused(policy.name() + " keeps the same tokens in all heads of a layer, so they cannot have"
                    + " different budgets; put it after another policy.");
        }
        if (policy.allocator().ragged()) {
            throw settings.refused(
                    "the heads' budgets are divided already in " + policy.name() + "; divide them once.");
        }
        if (policy.allocator() instanceof PyramidBudget) {
            throw settings.refused(
                    "it gives every layer its part, and so does " + policy.name() + "; put it after snapkv.");
        }
        if (policy.allocator() instanceof DecodingShare) {
            throw settings.refused("it divides a budget, but " + policy.name()
                    + " has made it a share of the text; put it before +every.");
        }
        if (policy.scorer() instanceof RecencyScorer) {
            throw settings.refused("first and recent tokens go by tokens=streaming; write baklava(tokens=streaming).");
        }
        int budget = policy.allocator().budget();
        int window = policy.scorer().window();
        HeadDivision division = division(settings, profile, budget, "snapkv");
        return policy.withAllocator(new ProfiledBudget(profile, budget, window, 0, division))
                .withSpec(policy.spec() + "+" + settings.spec());
    }

    /** What is given; else what the profile's search chose for the nearest budget; else the usual. */
    private static HeadDivision division(Settings settings, HeadProfile profile, int budget, String tokens) {
        boolean given = DIVISION.stream().map(Parameter::key).anyMatch(settings::has);
        HeadDivision chosen = given
                ? HeadDivision.USUAL
                : profile.setting(budget, tokens)
                        .map(HeadProfile.Setting::division)
                        .orElse(HeadDivision.USUAL);
        String usualRule = given && (settings.has("share") || settings.has("factor")) ? "twolevel" : "power";
        String rule = settings.has("rule")
                ? settings.word("rule")
                : given ? usualRule : chosen.rule().name().toLowerCase(Locale.ROOT);
        settings.put("rule", rule);
        if (rule.equals("power")) {
            refuse(settings, rule, "share", "factor");
            return HeadDivision.power(real(settings, "power", chosen.power()), real(settings, "least", chosen.least()));
        }
        refuse(settings, rule, "power", "least");
        boolean searched = chosen.rule() == Rule.TWOLEVEL;
        double share = real(settings, "share", searched ? chosen.share() : 0.25);
        double factor = real(settings, "factor", searched ? chosen.factor() : 1.5);
        if (share * factor >= 1) {
            throw settings.refused("share=" + Parameter.number(share) + " of the heads with factor="
                    + Parameter.number(factor)
                    + " times the average take all there is; make their product less than 1.");
        }
        return HeadDivision.twoLevel(share, factor);
    }

    private static double real(Settings settings, String key, double otherwise) {
        if (!settings.has(key)) {
            settings.put(key, Parameter.number(otherwise));
        }
        return settings.real(key);
    }

    private static void refuse(Settings settings, String rule, String... keys) {
        for (String key : keys) {
            if (settings.has(key)) {
                throw settings.refused(key + " means nothing with rule=" + rule + "; leave one of them out.");
            }
        }
    }

    private static KvPolicy duo(Settings settings) {
        HeadProfile profile = profile(settings, Measure.DUO);
        int sinks = settings.whole("sinks");
        return new KvPolicy(
                settings.spec(),
                new RecencyScorer(sinks),
                new StreamingHeads(profile, settings.real("ratio"), sinks + settings.whole("recent")),
                Schedule.ALWAYS);
    }

    private static KvPolicy gate(Settings settings) {
        Path weights = settings.file("weights", "Gates are trained by training/gates.py.");
        OptionalDouble threshold =
                settings.has("threshold") ? OptionalDouble.of(settings.real("threshold")) : OptionalDouble.empty();
        Gating gating = new Gating(weights, threshold, settings.whole("sinks"), settings.whole("recent"));
        return new KvPolicy(settings.spec(), new GateScorer(gating), new Unlimited(), Schedule.NEVER);
    }
}
