package dev.layercake.kv.policy;

import org.jspecify.annotations.Nullable;

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

    /** What is not kept is dropped, and decode steps see entries by position. */
    KvPolicy(String spec, TokenScorer scorer, BudgetAllocator allocator, Schedule schedule) {
        this(spec, scorer, allocator, Retention.DROP, schedule, EntryOrder.POSITION);
    }

    KvPolicy withSpec(String newSpec) {
        return new KvPolicy(newSpec, scorer, allocator, retention, schedule, order);
    }

    KvPolicy withAllocator(BudgetAllocator newAllocator) {
        return new KvPolicy(spec, scorer, newAllocator, retention, schedule, order);
    }

    KvPolicy withRetention(Retention newRetention) {
        return new KvPolicy(spec, scorer, allocator, newRetention, schedule, order);
    }

    KvPolicy withOrder(EntryOrder newOrder) {
        return new KvPolicy(spec, scorer, allocator, retention, schedule, newOrder);
    }

    /** The spec without its settings: "cake", "snapkv+ada". */
    public String name() {
        return spec.replaceAll("\\(([^)\"]|\"[^\"]*\")*\\)", "");
    }

    /** How many of a prompt's last queries the policy must see; 0 for none. */
    public int queries() {
        if (schedule.prompt() == Schedule.Cut.NEVER) {
            return 0;
        }
        return Math.max(scorer.queries(), allocator.usesWindowAttention() ? scorer.window() : 0);
    }

    /** Whether the policy must see all queries of a prompt. */
    public boolean usesAllQueries() {
        return schedule.prompt() != Schedule.Cut.NEVER && scorer.usesAllQueries();
    }

    /** Gates that reject entries of a prompt before a layer's attention; null for none. */
    public @Nullable Gating gating() {
        return scorer.gating();
    }

    /** Whether anything can ever be dropped. */
    public boolean evicts() {
        return schedule.prompt() != Schedule.Cut.NEVER || schedule.eachStep() || gating() != null;
    }

    /** Entries per head and layer that it keeps on average; 0 if that has no limit. */
    public int budget() {
        return limit(allocator.budget());
    }

    /** The same for a text of so many tokens: a budget may be a share of them. */
    public int budget(int tokens) {
        return limit(allocator.budget(tokens));
    }

    private int limit(int budget) {
        return evicts() && budget < Integer.MAX_VALUE ? budget : 0;
    }

    @Override
    public String toString() {
        return spec;
    }
}
