package dev.layercake.kv.policy;

/**
 * Entries that span the rows of the key and value matrices, by their share of the squared length in their neighbourhood:
 * CurDKV (Sengupta et al., arXiv 2509.15038; CURPress of kvpress 8bb29b9). In windows of {@code local} entries each entry has
 * its key's share of the squared lengths and its value's; the score is made of the two. Looks at no query.
 *
 * <p>Deviations: sinks are never dropped, where kvpress gives them 1; the variant with random
 * projections is left out.
 *
 * @param window last tokens, kept unjudged
 * @param sinks first tokens, always kept
 * @param local entries that a length is compared with
 * @param leverage what the two shares become
 */
record CurScorer(int window, int sinks, int local, Leverage leverage) implements TokenScorer {
    /** What becomes of an entry's two shares. */
    enum Leverage {
        PRODUCT,
        KEY,
        VALUE,
        AVERAGE
    }

    @Override
    public boolean judgesVectors() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int entries = head.entries();
        double[] keys = new double[entries];
        double[] values = new double[entries];
        float[] vector = new float[head.headDim()];
        for (int i = 0; i < entries; i++) {
            head.key(i, vector);
            keys[i] = KeyNormScorer.dot(vector, vector);
            head.value(i, vector);
            values[i] = KeyNormScorer.dot(vector, vector);
        }
        shares(keys);
        shares(values);
        double total = 0;
        for (int i = 0; i < entries; i++) {
            keys[i] = switch (leverage) {
                case PRODUCT -> keys[i] * values[i];
                case KEY -> keys[i];
                case VALUE -> values[i];
                case AVERAGE -> (keys[i] + values[i]) / 2;
            };
            total += keys[i];
        }
        for (int i = 0; i < head.count(); i++) {
            double score = total > 0 ? keys[i] / total : 0;
            scores[i] = head.position(i) < sinks ? Float.POSITIVE_INFINITY : (float) score;
        }
    }

    private void shares(double[] squares) {
        for (int first = 0; first < squares.length; first += local) {
            int end = Math.min(squares.length, first + local);
            double sum = 0;
            for (int i = first; i < end; i++) {
                sum += squares[i];
            }
            for (int i = first; i < end; i++) {
                squares[i] = sum > 0 ? squares[i] / sum : 0;
            }
        }
    }
}
