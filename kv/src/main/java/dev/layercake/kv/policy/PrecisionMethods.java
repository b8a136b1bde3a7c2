package dev.layercake.kv.policy;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import dev.layercake.kv.policy.Retention.High;
import dev.layercake.kv.policy.Retention.LowBit;
import java.util.List;

/** Methods that forget nothing but keep most entries in few bits, or without some of their channels. */
final class PrecisionMethods {
    static final Parameter BITS = Parameter.word(
            "bits", "2", List.of("0", "2", "3", "4"), "of an element of the entries that are not kept; 0 drops them");
    static final Parameter HIGH = Parameter.word(
            "high", "kv", List.of("kv", "int8"), "what the others are kept in: the cache's own type, or 8 bits");
    static final Parameter BALANCE = Parameter.word(
            "balance", "true", CommonParameters.FLAG, "even out the channels of keys before they are rounded");

    static final Parameter SLOW = Parameter.word(
            "slow", "file", List.of("file", "ram"), "where the exact pairs lie: a temporary file, or RAM");

    static final List<Method> ALL = List.of(
            new Method(
                    new Description(
                            "mikv",
                            "Keeps a share of the text as h2o would choose it, and everything else in a few bits.",
                            "everything: the ratio in full, the rest in few bits",
                            "all attention of the prompt a second time",
                            "Yang et al., arXiv 2402.18096",
                            List.of(
                                    Parameter.real(
                                            "ratio",
                                            "0.2",
                                            0,
                                            1,
                                            "share of the text that is kept in full, growing with it"),
                                    BITS,
                                    HIGH,
                                    BALANCE)),
                    PrecisionMethods::mikv),
            new Method(
                    new Description(
                            "specache",
                            "Holds all but the recent tokens in 1 or 2 bits, and fetches exact pairs that a guessed token looks at.",
                            "everything, most of it in few bits, and that exact in a file or in RAM",
                            "a second row in each decode step, and the fetched pairs",
                            "Jie et al., ICML 2025, arXiv 2503.16163",
                            List.of(
                                    Parameter.word(
                                            "bits", "2", List.of("1", "2"), "of an element of what is not exact"),
                                    Parameter.whole(
                                            "fetch",
                                            "64",
                                            0,
                                            CommonParameters.MOST_TOKENS,
                                            "exact pairs fetched per head and token; 0 is KIVI, without a slow tier"),
                                    Parameter.whole(
                                            "residual",
                                            "64",
                                            0,
                                            CommonParameters.MOST_TOKENS,
                                            "recent tokens that are exact"),
                                    Parameter.whole(
                                            "group",
                                            "32",
                                            1,
                                            64,
                                            "tokens (keys) and channels (values) that share a scale"),
                                    SLOW)),
                    PrecisionMethods::specache),
            new Method(
                    new Description(
                            "think",
                            "Drops the channels of keys that matter least, and no entry.",
                            "everything, without a share of the keys' channels",
                            "one pass over the keys of the first prompt",
                            "Xu et al., ICLR 2025, arXiv 2407.21018; NVIDIA/kvpress",
                            List.of(
                                    Parameter.real(
                                            "ratio", "0.5", 0, 0.99, "share of a key's channels that are dropped"),
                                    Parameter.whole("window", "32", 1, 4096, "last prompt tokens whose queries choose"),
                                    Parameter.whole(
                                            "residual",
                                            "32",
                                            0,
                                            CommonParameters.MOST_TOKENS,
                                            "recent tokens whose keys are whole"),
                                    Parameter.whole("group", "32", 1, 4096, "tokens that lose channels together"))),
                    PrecisionMethods::think));

    private PrecisionMethods() {}

    private static KvPolicy mikv(Settings settings) {
        RatioBudget budget = new RatioBudget(settings.real("ratio"));
        Retention retention = retention(settings, 0, false);
        return new KvPolicy(settings.spec(), new GrowingHitterScorer(budget), budget, Schedule.ALWAYS)
                .withRetention(retention);
    }

    private static KvPolicy specache(Settings settings) {
        return new KvPolicy(settings.spec(), new NoScorer(), new Unlimited(), Schedule.NEVER)
                .withRetention(new Retention.LowCopy(
                        settings.whole("bits"),
                        settings.whole("fetch"),
                        settings.whole("residual"),
                        settings.whole("group"),
                        settings.word("slow").equals("file")));
    }

    private static KvPolicy think(Settings settings) {
        return new KvPolicy(settings.spec(), new NoScorer(), new Unlimited(), Schedule.NEVER)
                .withRetention(new Retention.FewChannels(
                        settings.real("ratio"),
                        settings.whole("window"),
                        settings.whole("residual"),
                        settings.whole("group")));
    }

    /**
     * What {@link #BITS}, {@link #HIGH} and {@link #BALANCE} say.
     *
     * @param fetch exact pairs that are fetched for each token
     * @param inFile whether they lie in a file
     */
    static Retention retention(Settings settings, int fetch, boolean inFile) {
        int bits = settings.whole("bits");
        boolean eight = settings.word("high").equals("int8");
        if (fetch > 0 && (eight || bits == 0)) {
            throw settings.refused(
                    "what is fetched stands in for the same entry in 2 to 4 bits, in the cache's own type;"
                            + " leave out " + (eight ? "high=int8." : "bits=0."));
        }
        if (bits > 0) {
            return new LowBit(bits, settings.flag("balance"), eight ? High.EIGHT_BITS : High.CACHE, fetch, inFile);
        }
        if (eight) {
            throw settings.refused(
                    "high=int8 goes with bits of 2 to 4; to drop the others and keep entries in 8 bits, leave"
                            + " it out and set the type of keys and values to q8_0.");
        }
        return Retention.DROP;
    }
}
