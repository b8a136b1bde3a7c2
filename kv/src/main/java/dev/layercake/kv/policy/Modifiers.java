package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.FLAG;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Modifier;
import java.util.List;

/** What changes one part of a policy, whatever its other parts are. */
final class Modifiers {
    private static final Modifier ADA = new Modifier(
            new Description(
                    "ada",
                    "Lets the heads of a layer compete for its budget.",
                    "as before, but heads of different lengths",
                    "sorting the scores of a layer",
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
            Modifiers::ada);

    private static final Modifier LOWBIT = new Modifier(
            new Description(
                    "lowbit",
                    "Keeps what would be dropped in a few bits, as mikv does.",
                    "everything: as before in full, the rest in few bits",
                    "rounding what is not kept, and reading it with each token",
                    "Yang et al., arXiv 2402.18096",
                    List.of(PrecisionMethods.BITS, PrecisionMethods.HIGH, PrecisionMethods.BALANCE)),
            Modifiers::lowbit);

    static final List<Modifier> ALL = List.of(ADA, LOWBIT, LearnedMethods.BAKLAVA);

    private Modifiers() {}

    /** Heads of one layer that hold the same tokens have nothing to compete for. */
    private static KvPolicy ada(KvPolicy policy, Settings settings) {
        BudgetAllocator layers = policy.allocator();
        if (!policy.evicts() || layers.budget(1) == Integer.MAX_VALUE) {
            throw settings.refused(
                    "there is no budget to divide in " + policy.name() + "; put it after another policy.");
        }
        if (policy.scorer().sharedByHeads() || policy.scorer() instanceof RecencyScorer) {
            throw settings.refused(policy.name() + " keeps the same tokens in all heads of a layer, so there is nothing"
                    + " to divide; put it after another policy.");
        }
        if (layers instanceof AdaptiveHeads) {
            throw settings.refused("it is given twice; give it once.");
        }
        if (layers.ragged()) {
            throw settings.refused(
                    "the heads' budgets are divided already in " + policy.name() + "; divide them once.");
        }
        AdaptiveHeads heads = new AdaptiveHeads(
                layers,
                settings.real("alpha"),
                settings.flag("normalize"),
                settings.word("rounding").equals("exact"));
        return policy.withAllocator(heads).withSpec(policy.spec() + "+" + settings.spec());
    }

    private static KvPolicy lowbit(KvPolicy policy, Settings settings) {
        if (!policy.evicts()) {
            throw settings.refused(policy.name() + " drops nothing; put it after a policy with a budget.");
        }
        if (policy.retention() instanceof Retention.LowBit) {
            throw settings.refused(policy.name() + " has a low tier already; leave it out.");
        }
        if (policy.gating() != null) {
            throw settings.refused(
                    "what gates reject is hidden while the prompt is read, so nothing of it is to be kept;"
                            + " put it after a policy with a budget.");
        }
        return policy.withRetention(PrecisionMethods.retention(settings))
                .withSpec(policy.spec() + "+" + settings.spec());
    }
}
