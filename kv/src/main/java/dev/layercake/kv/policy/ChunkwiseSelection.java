package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * Each chunk of the text for itself: ChunkPress of kvpress 8bb29b9. The candidates are cut into chunks of {@code length},
 * the last of which may be shorter; each is judged as if there were no other, and keeps its share of the count, so that
 * every region of a text is represented. Sinks stay in any case, and what is left is divided.
 *
 * <p>Deviations: what rounding down leaves over goes to the chunks with the largest remainders, so that the whole budget is
 * used; attention is that of the whole prompt's queries, not of the chunk's own.
 *
 * @param length candidates of a chunk
 */
record ChunkwiseSelection(int length) implements Selection {
    @Override
    public boolean nested() {
        return false;
    }

    @Override
    public int[] choose(TokenScorer scorer, PromptHead head, float[] scores, int count) {
        int candidates = scores.length;
        int[] sinks = sinks(scores);
        if (candidates <= count || Arrays.stream(sinks).sum() >= count) {
            return BestScores.best(scores, candidates, count);
        }
        int[] counts = counts(sinks, candidates, count);
        int[] chosen = new int[count];
        int kept = 0;
        for (int chunk = 0; chunk < counts.length; chunk++) {
            int first = chunk * length;
            int[] own = new int[Math.min(length, candidates - first)];
            Arrays.setAll(own, i -> first + i);
            float[] ownScores = new float[own.length];
            scorer.scorePrompt(head.part(own), ownScores);
            for (int i : BestScores.best(ownScores, own.length, counts[chunk])) {
                chosen[kept++] = first + i;
            }
        }
        return Arrays.copyOf(chosen, kept);
    }

    /** How many entries of each chunk must stay. */
    private int[] sinks(float[] scores) {
        int[] sinks = new int[(scores.length + length - 1) / length];
        for (int i = 0; i < scores.length; i++) {
            sinks[i / length] += scores[i] == Float.POSITIVE_INFINITY ? 1 : 0;
        }
        return sinks;
    }

    /**
     * What each chunk keeps: its sinks, and its share of the rest of the count, rounded by largest remainders, the earlier
     * chunk first at equal ones.
     */
    private int[] counts(int[] sinks, int candidates, int count) {
        int[] counts = new int[sinks.length];
        float[] remainders = new float[counts.length];
        int sure = Arrays.stream(sinks).sum();
        int others = candidates - sure;
        int given = sure;
        for (int chunk = 0; chunk < counts.length; chunk++) {
            long share = (Math.min(length, candidates - chunk * length) - sinks[chunk]) * (long) (count - sure);
            counts[chunk] = sinks[chunk] + (int) (share / others);
            remainders[chunk] = share % others;
            given += counts[chunk] - sinks[chunk];
        }
        for (int chunk : BestScores.best(remainders, counts.length, count - given)) {
            counts[chunk]++;
        }
        return counts;
    }
}
