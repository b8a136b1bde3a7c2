package dev.layercake.kv.policy;

import java.util.Locale;

/**
 * What the last token of the prompt looks at between the sinks and the recent tokens, chosen once: SAGE-KV (arXiv
 * 2503.08879; no official code). While decoding the choice is frozen: sinks and chosen entries stay, and the recent part
 * slides, because the newest candidate, the one that has just left it, is always the worst.
 *
 * <p>Deviations: the query is that of the last prompt token instead of the first generated one; layers are cut as they
 * end instead of after the prompt, which chooses the same entries.
 *
 * @param sinks first tokens that always stay
 * @param window recent tokens, kept unjudged
 * @param group how the query heads of a group decide together
 */
record SageScorer(int sinks, int window, Group group) implements TokenScorer {
    /** How the query heads of a group decide together. */
    enum Group {
        /** By the mean of their probabilities among the candidates. */
        PROBABILITY,
        /** By the sum of their logits, as a port in a serving engine does. */
        LOGIT;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Override
    public int queries() {
        return 1;
    }

    @Override
    public boolean scoresBelowZero() {
        return group == Group.LOGIT;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int count = head.count();
        double[] sums = new double[count];
        for (int member = 0; member < head.group(); member++) {
            float[] attention = head.mean(member);
            double total = 0;
            for (int i = 0; i < count; i++) {
                total += head.position(i) < sinks ? 0 : attention[i];
            }
            for (int i = 0; i < count; i++) {
                // A row's logits are the logarithms of its probabilities but for a constant, which ranks nothing.
                sums[i] += group == Group.LOGIT ? Math.log(attention[i]) : total > 0 ? attention[i] / total : 0;
            }
        }
        for (int i = 0; i < count; i++) {
            scores[i] = head.position(i) < sinks ? Float.POSITIVE_INFINITY : (float) sums[i];
        }
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        for (int i = 0; i < count; i++) {
            // The bits of a position, read as a float, are in the order of positions, however far they go.
            scores[i] = positions[i] < sinks ? Float.POSITIVE_INFINITY : -Float.intBitsToFloat(positions[i]);
        }
    }
}
