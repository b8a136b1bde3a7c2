package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The attention that tokens to come will probably pay: Expected Attention (Devoto et al., arXiv 2510.00636;
 * ExpectedAttentionPress of kvpress 8bb29b9). Queries are taken for normally distributed, with the mean mu and the covariance S
 * of the prompt's queries before the rotary embedding, turned by the mean R of the rotations of the next {@code future}
 * positions. With f the factor on q.k an entry's logit is f (R mu).k + f^2/2 k'(R S R')k; its score is the softmax of that over
 * all entries but the sinks, the mean over the group, plus epsilon, times the length of its value.
 *
 * <p>Deviation: sinks are never dropped, where kvpress gives them the maximum plus one.
 *
 * @param window last tokens, kept unjudged
 * @param sinks first tokens, always kept; their queries do not count
 * @param future positions that are looked ahead
 * @param epsilon added before the value's length counts
 * @param covariance whether S plays a part
 * @param valueNorm whether the value's length plays a part
 */
record ExpectedAttentionScorer(int window, int sinks, int future, double epsilon, boolean covariance, boolean valueNorm)
        implements TokenScorer {
    @Override
    public int plainQueriesFrom() {
        return sinks;
    }

    @Override
    public boolean usesRotary() {
        return true;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        int entries = head.entries();
        double[] logits = new double[entries];
        double[] expected = new double[head.count()];
        Rotary.Turn rotation = head.rotary().mean(head.nextRotation(), future);
        for (int member = 0; member < head.group(); member++) {
            logits(head, member, rotation, logits);
            softmax(logits);
            for (int i = 0; i < expected.length; i++) {
                expected[i] += logits[i] / head.group();
            }
        }
        float[] value = new float[head.headDim()];
        for (int i = 0; i < expected.length; i++) {
            double score = expected[i];
            if (valueNorm) {
                head.value(i, value);
                score = (score + epsilon) * Math.sqrt(KeyNormScorer.dot(value, value));
            }
            scores[i] = head.position(i) < sinks ? Float.POSITIVE_INFINITY : (float) score;
        }
    }

    /** Each entry's logit; that of a sink is minus infinity. */
    private void logits(PromptHead head, int member, Rotary.Turn rotation, double[] logits) {
        int headDim = head.headDim();
        double[] mean = head.queries().mean(head.queryHead(member));
        rotation.apply(mean, 0, 1);
        double[] spread = covariance ? head.queries().covariance(head.queryHead(member)) : new double[0];
        for (int i = 0; i < headDim && covariance; i++) {
            rotation.apply(spread, i, headDim);
        }
        for (int i = 0; i < headDim && covariance; i++) {
            rotation.apply(spread, i * headDim, 1);
        }
        double scale = head.scale();
        float[] key = new float[headDim];
        for (int entry = 0; entry < logits.length; entry++) {
            if (head.position(entry) < sinks) {
                logits[entry] = Double.NEGATIVE_INFINITY;
                continue;
            }
            head.key(entry, key);
            double logit = 0;
            for (int i = 0; i < headDim; i++) {
                logit += mean[i] * key[i] * scale;
            }
            logits[entry] = logit + (covariance ? form(spread, key) * scale * scale / 2 : 0);
        }
    }

    /** k'Sk. */
    private static double form(double[] matrix, float[] key) {
        double sum = 0;
        for (int i = 0; i < key.length; i++) {
            double row = 0;
            for (int j = 0; j < key.length; j++) {
                row += matrix[i * key.length + j] * key[j];
            }
            sum += row * key[i];
        }
        return sum;
    }

    private static void softmax(double[] logits) {
        double largest = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            largest = Math.max(largest, logit);
        }
        if (largest == Double.NEGATIVE_INFINITY) {
            Arrays.fill(logits, 0);
            return;
        }
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            logits[i] = Math.exp(logits[i] - largest);
            sum += logits[i];
        }
        for (int i = 0; i < logits.length; i++) {
            logits[i] /= sum;
        }
    }
}
