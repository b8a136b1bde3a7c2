package dev.layercake.eval.metric;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** F1 of two bags of words: harmonic mean of precision and recall of what they share. */
final class TokenF1 {
    private TokenF1() {}

    /** 0 if nothing is shared. */
    static double of(List<String> prediction, List<String> reference) {
        int shared = shared(prediction, reference);
        if (shared == 0) {
            return 0;
        }
        double precision = 1.0 * shared / prediction.size();
        double recall = 1.0 * shared / reference.size();
        return (2 * precision * recall) / (precision + recall);
    }

    /** How many words two bags share, repetitions counted. */
    static <T> int shared(Collection<T> first, Collection<T> second) {
        Map<T, Integer> left = new HashMap<>();
        second.forEach(word -> left.merge(word, 1, Integer::sum));
        int shared = 0;
        for (T word : first) {
            if (left.getOrDefault(word, 0) > 0) {
                left.merge(word, -1, Integer::sum);
                shared++;
            }
        }
        return shared;
    }
}
