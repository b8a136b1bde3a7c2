package dev.layercake.kv.policy;

import static dev.layercake.kv.policy.CommonParameters.FLAG;
import static dev.layercake.kv.policy.CommonParameters.MOST_TOKENS;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Modifier;
import java.util.List;
import java.util.Locale;

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
                                    List.of("exact", "official", "floor"),
                                    "in proportion, the layer's budget exactly; as published (a few entries off); or"
                                            + " the sure share first and the rest to the best, as kvpress"),
                            Parameter.whole("skip", "0", 0, 1_000_000, "first layers whose heads do not compete"))),
            Modifiers::ada);

    private static final Modifier SHARED = new Modifier(
            new Description(
                    "shared",
                    "Lets the heads of a layer decide together: all keep the same tokens, the best by the mean of their scores.",
                    "as before",
                    "none",
                    "as TOVA shares its choice, Oren et al., arXiv 2401.06104",
                    List.of()),
            Modifiers::shared);

    private static final Modifier CRITICAL = new Modifier(
            new Description(
                    "critical",
                    "Lets the score choose a first part, and for the rest also what a value does to the output.",
                    "as before",
                    "all values through the output projection once",
                    "Feng et al., arXiv 2502.03805; NVIDIA/kvpress",
                    List.of(
                            Parameter.real("first", "0.5", 0, 1, "share that the score alone decides"),
                            Parameter.real("epsilon", "0.0001", 0, 1, "added to scores"))),
            Modifiers::critical);

    private static final Modifier CHUNKS = new Modifier(
            new Description(
                    "chunks",
                    "Keeps or drops whole passages, the same in all heads of a layer.",
                    "as before, less what the next passage would exceed",
                    "none",
                    "Liu et al., arXiv 2502.00299; NVIDIA/kvpress",
                    List.of(Parameter.whole("length", "20", 1, MOST_TOKENS, "entries of a passage"))),
            Modifiers::chunks);

    private static final Modifier CHUNKWISE = new Modifier(
            new Description(
                    "chunkwise",
                    "Judges and cuts each chunk of the text for itself, so that every region is represented.",
                    "as before",
                    "the scores a second time, chunk by chunk",
                    "NVIDIA/kvpress",
                    List.of(Parameter.whole("length", "1024", 1, MOST_TOKENS, "entries of a chunk"))),
            (policy, settings) -> judgingAnew(policy, settings, new ChunkwiseSelection(settings.whole("length"))));

    private static final Modifier BLOCKWISE = new Modifier(
            new Description(
                    "blockwise",
                    "Judges what is kept so far and the next block of the text, block after block.",
                    "as before",
                    "the scores of budget + block entries for each block",
                    "Park et al., arXiv 2504.15364; NVIDIA/kvpress",
                    List.of(Parameter.whole("length", "128", 1, MOST_TOKENS, "entries of a block"))),
            (policy, settings) -> judgingAnew(policy, settings, new BlockwiseSelection(settings.whole("length"))));

    private static final Modifier EVERY = new Modifier(
            new Description(
                    "every",
                    "Evicts while decoding, but only when so many entries too many have come.",
                    "budget, or a share of the text while decoding, and up to steps - 1 more",
                    "none; judges once in so many tokens",
                    "NVIDIA/kvpress (DecodingPress, CompressionRatioDecodingPress)",
                    List.of(
                            Parameter.whole(
                                    "steps",
                                    "64",
                                    1,
                                    CommonParameters.MOST_TOKENS,
                                    "entries beyond the budget that begin a cut"),
                            Parameter.real(
                                    "ratio",
                                    "",
                                    0,
                                    1,
                                    "share of the text that decoding keeps, growing with it; if not given, the budget"))),
            Modifiers::every);

    private static final Modifier REROTATE = new Modifier(
            new Description(
                    "rerotate",
                    "Gives what a prompt leaves consecutive rotary positions, from which new tokens go on.",
                    "as before",
                    "kept keys rotated once per prompt",
                    "NVIDIA/kvpress",
                    List.of()),
            Modifiers::rerotate);

    private static final Modifier LOWBIT = new Modifier(
            new Description(
                    "lowbit",
                    "Keeps what would be dropped in a few bits, as mikv does, and if wanted exact in a slow tier, as specache does.",
                    "everything: as before in full, the rest in few bits",
                    "rounding what is not kept, and reading it with each token; with fetch a second row in each decode step",
                    "Yang et al., arXiv 2402.18096; Jie et al., arXiv 2503.16163",
                    List.of(
                            PrecisionMethods.BITS,
                            PrecisionMethods.HIGH,
                            PrecisionMethods.BALANCE,
                            Parameter.whole(
                                    "fetch",
                                    "0",
                                    0,
                                    MOST_TOKENS,
                                    "exact pairs fetched per head and token; 0 needs no slow tier"),
                            PrecisionMethods.SLOW)),
            Modifiers::lowbit);

    static final List<Modifier> ALL = List.of(
            ADA, SHARED, CRITICAL, CHUNKS, CHUNKWISE, BLOCKWISE, EVERY, REROTATE, LOWBIT, LearnedMethods.BAKLAVA);

    private Modifiers() {}

    /** Heads of one layer that hold the same tokens have nothing to compete for. */
    private static KvPolicy ada(KvPolicy policy, Settings settings) {
        BudgetAllocator layers = policy.allocator();
        if (!policy.evicts() || layers.budget(1) == Integer.MAX_VALUE) {
            throw settings.refused(
                    "there is no budget to divide in " + policy.name() + "; put it after another policy.");
        }
        if (policy.sharedByHeads() || !policy.scorer().judgesEntries()) {
            throw settings.refused(policy.name() + " keeps the same tokens in all heads of a layer, so there is nothing"
                    + " to divide; put it after another policy.");
        }
        refuseReplay(policy, settings);
        if (layers instanceof AdaptiveHeads) {
            throw settings.refused("it is given twice; give it once.");
        }
        if (layers.ragged()) {
            throw settings.refused(
                    "the heads' budgets are divided already in " + policy.name() + "; divide them once.");
        }
        if (policy.selection() instanceof ChunkwiseSelection || policy.selection() instanceof BlockwiseSelection) {
            throw settings.refused("heads compete by scores of the whole text, but " + policy.name()
                    + " judges parts of it; leave one of them out.");
        }
        if (settings.flag("normalize") && policy.scorer().scoresBelowZero()) {
            throw settings.refused("normalize=true weighs scores by their sum, but those of " + policy.name()
                    + " lie below zero; leave it out.");
        }
        AdaptiveHeads heads = new AdaptiveHeads(
                layers,
                settings.real("alpha"),
                settings.flag("normalize"),
                AdaptiveHeads.Rounding.valueOf(settings.word("rounding").toUpperCase(Locale.ROOT)),
                settings.whole("skip"));
        if (heads.skip() == 0) {
            settings.remove("skip");
        }
        return policy.withAllocator(heads).withSpec(policy.spec() + "+" + settings.spec());
    }

    private static KvPolicy shared(KvPolicy policy, Settings settings) {
        if (!policy.evicts() || policy.allocator().budget(1) == Integer.MAX_VALUE) {
            throw settings.refused(
                    "nothing is chosen in " + policy.name() + ", which keeps all; put it after another policy.");
        }
        if (policy.sharedByHeads() || !policy.scorer().judgesEntries()) {
            throw settings.refused(
                    policy.name() + " keeps the same tokens in all heads of a layer already; leave it out.");
        }
        if (!(policy.selection() instanceof BestScores)) {
            throw settings.refused(policy.name()
                    + " has a way of choosing already; give one of shared, critical, chunks, chunkwise and blockwise.");
        }
        if (policy.allocator().ragged()) {
            throw settings.refused("heads that keep the same tokens cannot have budgets of their own, but "
                    + policy.name() + " divides the budget among them; leave one of them out.");
        }
        refuseReplay(policy, settings);
        return selecting(policy, settings, new SharedScores());
    }

    private static KvPolicy critical(KvPolicy policy, Settings settings) {
        requireOneSelection(policy, settings);
        if (policy.scorer().sharedByHeads()) {
            throw settings.refused(
                    policy.name() + " keeps the same tokens in all heads of a layer, but what a value does"
                            + " to the output differs from head to head; put it after another policy.");
        }
        if (policy.scorer().scoresBelowZero()) {
            throw settings.refused("it multiplies scores with what values do to the output, but those of "
                    + policy.name() + " lie below zero, where more becomes less; put it after another policy.");
        }
        return selecting(policy, settings, new CriticalSelection(settings.real("first"), settings.real("epsilon")));
    }

    private static KvPolicy chunks(KvPolicy policy, Settings settings) {
        if (policy.evicts()
                && policy.scorer().judgesEntries()
                && policy.schedule().eachStep()) {
            throw settings.refused(policy.name() + " goes on dropping single entries while decoding, which leaves"
                    + " passages in pieces; put it after a policy that judges after the prompt only.");
        }
        requireOneSelection(policy, settings);
        if (policy.allocator().ragged()) {
            throw settings.refused("passages are the same in all heads of a layer, so there is nothing to divide; leave"
                    + " out what divides the budget among heads.");
        }
        int budget = policy.allocator().budget();
        if (settings.whole("length") > budget) {
            throw settings.refused("no passage of length=" + settings.whole("length") + " fits in budget=" + budget
                    + "; make it " + budget + " at most.");
        }
        return selecting(policy, settings, new PassageSelection(settings.whole("length")));
    }

    private static KvPolicy judgingAnew(KvPolicy policy, Settings settings, Selection selection) {
        requireOneSelection(policy, settings);
        if (policy.scorer() instanceof GrowingHitterScorer) {
            throw settings.refused("what is recent in " + policy.name()
                    + " is a share of the whole text, not of its parts;" + " put it after another policy.");
        }
        if (policy.scorer().sharedByHeads()) {
            throw settings.refused(
                    policy.name() + " keeps the same tokens in all heads of a layer, but parts of a text are"
                            + " judged head by head; put it after another policy.");
        }
        if (policy.allocator().ragged()) {
            throw settings.refused("parts of a text are judged anew, but +ada divides the budget by scores of the whole"
                    + " text; leave one of them out.");
        }
        return selecting(policy, settings, selection);
    }

    /** Refuses a policy whose one cut leaves nothing to change in a layer or head by itself. */
    private static void refuseReplay(KvPolicy policy, Settings settings) {
        if (policy.replays()) {
            throw settings.refused(
                    policy.name() + " cuts all heads of all layers at once, the best of them all by what the"
                            + " model looked at when it repeated the text; put it after a policy that judges layer by layer.");
        }
    }

    private static KvPolicy selecting(KvPolicy policy, Settings settings, Selection selection) {
        return policy.withSelection(selection).withSpec(policy.spec() + "+" + settings.spec());
    }

    private static KvPolicy rerotate(KvPolicy policy, Settings settings) {
        if (policy.retention() instanceof Retention.LowBit) {
            throw settings.refused("the few bits of an entry cannot be rotated, but " + policy.name()
                    + " keeps what it does not keep in full; leave one of them out.");
        }
        if (!policy.evicts() || policy.allocator().budget(1) == Integer.MAX_VALUE) {
            throw settings.refused("it closes the gaps that a budget leaves, and there is none in " + policy.name()
                    + "; put it after another policy.");
        }
        if (policy.positions() != PositionRule.ORIGINAL) {
            throw settings.refused(policy.name() + " has a rule for positions already; give one.");
        }
        return policy.withPositions(PositionRule.REROTATED).withSpec(policy.spec() + "+" + settings.spec());
    }

    private static void requireOneSelection(KvPolicy policy, Settings settings) {
        if (!policy.evicts() || policy.allocator().budget(1) == Integer.MAX_VALUE) {
            throw settings.refused(
                    "nothing is chosen in " + policy.name() + ", which keeps all; put it after another policy.");
        }
        if (!policy.scorer().judgesEntries()) {
            throw settings.refused(
                    policy.name() + " keeps by position, so there is nothing to judge; put it after another policy.");
        }
        if (!(policy.selection() instanceof BestScores)) {
            throw settings.refused(policy.name()
                    + " has a way of choosing already; give one of shared, critical, chunks, chunkwise and blockwise.");
        }
        refuseReplay(policy, settings);
        if (policy.schedule().prompt() == Schedule.Cut.CASCADE) {
            throw settings.refused(
                    policy.name() + " cuts a layer again and again, and what this would keep of less is not"
                            + " part of what it keeps of more; set cascading=false.");
        }
    }

    /** Judged by the newest token's attention, by keys and values, or however the method judges steps. */
    private static KvPolicy every(KvPolicy policy, Settings settings) {
        Schedule schedule = policy.schedule();
        if (policy.budget() == 0) {
            throw settings.refused(
                    "there is no budget to keep to in " + policy.name() + "; put it after another policy.");
        }
        TokenScorer scorer = policy.scorer();
        if (!schedule.eachStep() && !scorer.usesStepAttention() && !scorer.judgesVectors()) {
            throw settings.refused(policy.name() + " judges after the prompt only; put it after a policy that can judge"
                    + " while decoding, such as snapkv.");
        }
        if (policy.positions() == PositionRule.SLOT) {
            throw settings.refused(policy.name() + " numbers entries by slot, none of which may be beyond the budget;"
                    + " leave one of them out.");
        }
        if (policy.selection() instanceof PassageSelection) {
            throw settings.refused("it drops single entries, which leaves passages in pieces; leave one of them out.");
        }
        if (schedule.steps() > 1) {
            throw settings.refused("it is given twice; give it once.");
        }
        BudgetAllocator allocator = policy.allocator();
        if (settings.has("ratio")) {
            int least = scorer.sinks() + Math.max(1, scorer.window());
            allocator = new DecodingShare(allocator, settings.real("ratio"), least);
        }
        return policy.withAllocator(allocator)
                .withSchedule(new Schedule(schedule.prompt(), settings.whole("steps")))
                .withSpec(policy.spec() + "+" + settings.spec());
    }

    private static KvPolicy lowbit(KvPolicy policy, Settings settings) {
        if (!policy.evicts()) {
            throw settings.refused(policy.name() + " drops nothing; put it after a policy with a budget.");
        }
        if (policy.positions() != PositionRule.ORIGINAL) {
            throw settings.refused("the few bits of an entry cannot be rotated, but " + policy.name()
                    + " gives entries other positions; leave one of them out.");
        }
        if (policy.retention() instanceof Retention.LowBit) {
            throw settings.refused(policy.name() + " has a low tier already; leave it out.");
        }
        if (policy.replays()) {
            throw settings.refused(
                    policy.name() + " cuts all layers at once when the text has been repeated, and the low"
                            + " tier takes what one layer after the other leaves; put it after a policy that judges layer by layer.");
        }
        if (policy.gating() != null) {
            throw settings.refused(
                    "what gates reject is hidden while the prompt is read, so nothing of it is to be kept;"
                            + " put it after a policy with a budget.");
        }
        Retention retention = PrecisionMethods.retention(
                settings, settings.whole("fetch"), settings.word("slow").equals("file"));
        if (settings.whole("fetch") == 0) {
            settings.remove("slow");
        }
        return policy.withRetention(retention).withSpec(policy.spec() + "+" + settings.spec());
    }
}
