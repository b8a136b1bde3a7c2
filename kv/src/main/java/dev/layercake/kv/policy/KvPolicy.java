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
 * @param selection which candidates stay, given their scores and their number
 * @param positions that the rotary embeddings of kept entries have
 */
public record KvPolicy(
        String spec,
        TokenScorer scorer,
        BudgetAllocator allocator,
        Retention retention,
        Schedule schedule,
        EntryOrder order,
        Selection selection,
        PositionRule positions) {

    public KvPolicy {
        if (schedule.prompt() == Schedule.Cut.CASCADE && !selection.nested()) {
            throw new IllegalArgumentException("a cascade of selections that are not nested");
        }
        if ((schedule.prompt() == Schedule.Cut.AFTER_REPLAY) != (scorer.replayTokens() > 0)) {
            throw new IllegalArgumentException("cut " + schedule.prompt() + ", judged by " + scorer);
        }
        if (scorer.window() > allocator.budget()) {
            throw new IllegalArgumentException(
                    "a window of " + scorer.window() + " in a budget of " + allocator.budget());
        }
    }

    /** The best by score stay, with the positions of their tokens. */
    public KvPolicy(
            String spec,
            TokenScorer scorer,
            BudgetAllocator allocator,
            Retention retention,
            Schedule schedule,
            EntryOrder order) {
        this(spec, scorer, allocator, retention, schedule, order, new BestScores(), PositionRule.ORIGINAL);
    }

    /** What is not kept is dropped, and decode steps see entries by position. */
    KvPolicy(String spec, TokenScorer scorer, BudgetAllocator allocator, Schedule schedule) {
        this(spec, scorer, allocator, Retention.DROP, schedule, EntryOrder.POSITION);
    }

    KvPolicy withSpec(String newSpec) {
        return new KvPolicy(newSpec, scorer, allocator, retention, schedule, order, selection, positions);
    }

    KvPolicy withAllocator(BudgetAllocator newAllocator) {
        return new KvPolicy(spec, scorer, newAllocator, retention, schedule, order, selection, positions);
    }

    KvPolicy withRetention(Retention newRetention) {
        return new KvPolicy(spec, scorer, allocator, newRetention, schedule, order, selection, positions);
    }

    KvPolicy withOrder(EntryOrder newOrder) {
        return new KvPolicy(spec, scorer, allocator, retention, schedule, newOrder, selection, positions);
    }

    KvPolicy withSchedule(Schedule newSchedule) {
        return new KvPolicy(spec, scorer, allocator, retention, newSchedule, order, selection, positions);
    }

    KvPolicy withSelection(Selection newSelection) {
        return new KvPolicy(spec, scorer, allocator, retention, schedule, order, newSelection, positions);
    }

    KvPolicy withPositions(PositionRule newPositions) {
        return new KvPolicy(spec, scorer, allocator, retention, schedule, order, selection, newPositions);
    }

    /** The spec without its settings: "cake", "snapkv+ada". */
    public String name() {
        return spec.replaceAll("\\(([^)\"]|\"[^\"]*\")*\\)", "");
    }

    /** How many of a prompt's last queries the policy must see; 0 for none. */
    public int queries() {
        return Math.max(judgingQueries(), retention instanceof Retention.FewChannels few ? few.window() : 0);
    }

    /** How many of them the scorer and the allocator judge by. */
    public int judgingQueries() {
        if (schedule.prompt() == Schedule.Cut.NEVER) {
            return 0;
        }
        return Math.max(scorer.queries(), allocator.usesWindowAttention() ? scorer.window() : 0);
    }

    /** Whether the policy must see all queries of a prompt. */
    public boolean usesAllQueries() {
        return schedule.prompt() != Schedule.Cut.NEVER && scorer.usesAllQueries();
    }

    /** From which position of the text on the policy must see queries before their rotary embedding; -1 for none. */
    public int plainQueriesFrom() {
        return schedule.prompt() == Schedule.Cut.NEVER ? -1 : scorer.plainQueriesFrom();
    }

    /** Whether all heads of a layer keep the same tokens of a prompt. */
    public boolean sharedByHeads() {
        return scorer.sharedByHeads() || selection.sharedByHeads();
    }

    /** Whether the policy asks for something that only the model knows: its rotary embedding or its output projection. */
    public boolean usesModel() {
        return scorer.usesRotary() || selection.usesOutput() || positions != PositionRule.ORIGINAL;
    }

    /** Whether a turn is read token by token, because it would exceed what slots can number. */
    public boolean readsAsStream(long tokens) {
        return positions == PositionRule.SLOT && tokens > allocator.budget();
    }

    /** Whether the model must repeat a text before it is cut. */
    public boolean replays() {
        return scorer.replayTokens() > 0;
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
