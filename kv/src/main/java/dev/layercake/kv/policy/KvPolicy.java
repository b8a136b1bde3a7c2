package dev.layercake.kv.policy;

/**
 * What stays in the cache: one value on each axis, and the spec string that says the same.
 *
 * @param spec canonical; {@link Policies#parse} makes an equal policy of it
 * @param scorer which entries matter
 * @param allocator how many each layer and head may keep
 * @param retention what happens to the rest
 * @param schedule when
 * @param order in which decode steps see the entries
 */
public record KvPolicy(
        String spec,
        TokenScorer scorer,
        BudgetAllocator allocator,
        Retention retention,
        Schedule schedule,
        EntryOrder order) {

    public KvPolicy {
        if (scorer.window() > allocator.budget()) {
            throw new IllegalArgumentException(
                    "a window of " + scorer.window() + " in a budget of " + allocator.budget());
        }
    }

    /** The name before the parenthesis. */
    public String name() {
        int parenthesis = spec.indexOf('(');
        return parenthesis < 0 ? spec : spec.substring(0, parenthesis);
    }

    /** Whether a prompt's end must bring its window queries along. */
    public boolean usesWindowAttention() {
        return schedule.prompt() != Schedule.Cut.NEVER
                && (scorer.usesWindowAttention() || allocator.usesWindowAttention());
    }

    /** Whether a cut can ever happen. */
    public boolean evicts() {
        return schedule.prompt() != Schedule.Cut.NEVER || schedule.eachStep();
    }

    @Override
    public String toString() {
        return spec;
    }
}
