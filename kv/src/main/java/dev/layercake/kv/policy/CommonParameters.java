package dev.layercake.kv.policy;

import java.util.List;

/** Parameters that mean the same in several methods. */
final class CommonParameters {
    /** Beyond any context; keeps sums over layers and heads far from overflow. */
    static final int MOST_TOKENS = 1 << 24;

    static final Parameter BUDGET =
            Parameter.whole("budget", "1024", 1, MOST_TOKENS, "entries per head and layer, everything included");
    static final Parameter WINDOW =
            Parameter.whole("window", "32", 1, 4096, "last prompt tokens, always kept; their queries judge the others");
    static final Parameter KEPT_WINDOW = Parameter.whole("window", "0", 0, 4096, "last prompt tokens, always kept");
    static final Parameter SINKS = Parameter.whole("sinks", "4", 0, 4096, "first tokens, always kept");
    static final Parameter POOL = Parameter.word("pool", "avg", List.of("avg", "max"), "how scores are smoothed");
    static final Parameter KERNEL =
            Parameter.whole("kernel", "", 1, 63, "width of the smoothing, odd; 5 for avg, 7 for max");
    static final List<String> FLAG = List.of("true", "false");
    static final Parameter REDUCE =
            Parameter.word("reduce", "mean", List.of("mean", "max"), "how the query heads of a group decide together");
    static final Parameter REDUCE_FIRST =
            Parameter.word("reducefirst", "false", FLAG, "reduce the group before smoothing, as Ada-KV's code does");

    private CommonParameters() {}
}
