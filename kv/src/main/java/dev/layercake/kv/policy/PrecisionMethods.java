package dev.layercake.kv.policy;

import dev.layercake.kv.policy.Policies.Description;
import dev.layercake.kv.policy.Policies.Method;
import dev.layercake.kv.policy.Retention.High;
import dev.layercake.kv.policy.Retention.LowBit;
import java.util.List;

/** Methods that forget nothing but keep most entries in few bits. */
final class PrecisionMethods {
    static final Parameter BITS = Parameter.word(
            "bits", "2", List.of("0", "2", "3", "4"), "of an element of the entries that are not kept; 0 drops them");
    static final Parameter HIGH = Parameter.word(
            "high", "kv", List.of("kv", "int8"), "what the others are kept in: the cache's own type, or 8 bits");
    static final Parameter BALANCE = Parameter.word(
            "balance", "true", CommonParameters.FLAG, "even out the channels of keys before they are rounded");

    static final List<Method> ALL = List.of(new Method(
            new Description(
                    "mikv",
                    "Keeps a share of the text as h2o would choose it, and everything else in a few bits.",
                    "everything: the ratio in full, the rest in few bits",
                    "all attention of the prompt a second time",
                    "Yang et al., arXiv 2402.18096",
                    List.of(
                            Parameter.real(
                                    "ratio", "0.2", 0, 1, "share of the text that is kept in full, growing with it"),
                            BITS,
                            HIGH,
                            BALANCE)),
            PrecisionMethods::mikv));

    private PrecisionMethods() {}

    private static KvPolicy mikv(Settings settings) {
        RatioBudget budget = new RatioBudget(settings.real("ratio"));
        Retention retention = retention(settings);
        return new KvPolicy(settings.spec(), new GrowingHitterScorer(budget), budget, Schedule.ALWAYS)
                .withRetention(retention);
    }

    /** What {@link #BITS}, {@link #HIGH} and {@link #BALANCE} say. */
    static Retention retention(Settings settings) {
        int bits = settings.whole("bits");
        boolean eight = settings.word("high").equals("int8");
        if (bits > 0) {
            return new LowBit(bits, settings.flag("balance"), eight ? High.EIGHT_BITS : High.CACHE);
        }
        if (eight) {
            throw settings.refused(
                    "high=int8 goes with bits of 2 to 4; to drop the others and keep entries in 8 bits, leave"
                            + " it out and set the type of keys and values to q8_0.");
        }
        return Retention.DROP;
    }
}
