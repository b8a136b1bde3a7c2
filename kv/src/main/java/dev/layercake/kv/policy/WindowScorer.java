package dev.layercake.kv.policy;

/**
 * What the last tokens of the prompt look at: mean + gamma x variance of the attention that an entry gets from the window's
 * queries, pooled along the text, reduced over the query heads of the group. With gamma 200, average pooling of width 5 and
 * the mean over the group this is CAKE's indicator (arXiv 2503.12491, section 4.3; antgroup/cakekv c4675ce); with gamma 0 it
 * is SnapKV's (arXiv 2404.14469; FasterDecoding/SnapKV e216ddc), and Ada-KV's (arXiv 2407.11550; FFY0/AdaKV efe4e2e) if the
 * group is reduced before pooling.
 *
 * <p>In a decode step the new token's attention takes the place of the mean, as in CAKE's published code; there is no
 * variance then, and nothing is accumulated over steps.
 *
 * <p>Deviations: statistics are float32 and sums double, where the published codes use the model's 16 bits; SnapKV selects
 * per query head, here and in later code per KV head.
 *
 * @param window last tokens, kept unjudged
 * @param gamma weight of the variance
 * @param pooling along the cache
 * @param kernel width of the pooling, odd
 * @param reduction over the group
 * @param reduceFirst whether the group is reduced before pooling; makes no difference to means of means
 */
record WindowScorer(int window, float gamma, Pooling pooling, int kernel, Reduction reduction, boolean reduceFirst)
        implements TokenScorer {

    @Override
    public int queries() {
        return window;
    }

    @Override
    public boolean usesStepAttention() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int count = head.count();
        int group = head.group();
        double[] row = new double[count];
        double[] reduced = new double[count];
        for (int member = 0; member < group; member++) {
            float[] mean = head.mean(member);
            float[] variance = head.variance(member);
            for (int i = 0; i < count; i++) {
                row[i] = mean[i] + (double) gamma * variance[i];
            }
            reduce(row, count, group, member, reduced);
        }
        finish(reduced, count, scores);
    }

    @Override
    public void scoreStep(int layer, int kvHead, int[] positions, int count, float[][] attention, float[] scores) {
        if (pooling == Pooling.AVG && reduction == Reduction.MEAN) {
            averageStep(count, attention, scores);
            return;
        }
        double[] row = new double[count];
        double[] reduced = new double[count];
        for (int member = 0; member < attention.length; member++) {
            for (int i = 0; i < count; i++) {
                row[i] = attention[member][i];
            }
            reduce(row, count, attention.length, member, reduced);
        }
        finish(reduced, count, scores);
    }

    private void reduce(double[] row, int count, int group, int member, double[] reduced) {
        double[] smooth = reduceFirst ? row : pooling.pooled(row, count, kernel);
        reduction.add(smooth, count, group, member == 0, reduced);
    }

    private void finish(double[] reduced, int count, float[] scores) {
        double[] result = reduceFirst ? pooling.pooled(reduced, count, kernel) : reduced;
        for (int i = 0; i < count; i++) {
            scores[i] = (float) result[i];
        }
    }

    /** Averages over the group and along the cache are one sum; this runs for every token and allocates nothing. */
    private void averageStep(int count, float[][] attention, float[] scores) {
        int reach = kernel / 2;
        double divisor = (double) kernel * attention.length;
        for (int i = 0; i < count; i++) {
            int last = Math.min(count - 1, i + reach);
            double sum = 0;
            for (float[] probabilities : attention) {
                for (int j = Math.max(0, i - reach); j <= last; j++) {
                    sum += probabilities[j];
                }
            }
            scores[i] = (float) (sum / divisor);
        }
    }
}
