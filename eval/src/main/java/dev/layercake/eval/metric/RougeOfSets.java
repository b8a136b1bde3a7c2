package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonText;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * ROUGE-L (Lin, 2004) as the package {@code rouge} 1.0.1 computes it, which LongBench uses: on sentences that end at a full stop
 * and on sets of distinct words, so that a repeated word counts once.
 */
final class RougeOfSets {
    /**
     * So many words of two sentences together make the package's recursion overflow, which LongBench's scorer takes for a score of
     * 0; Python's limit of 1,000 calls less what its caller has used up.
     */
    private static final int OVERFLOW_STEPS = 985;

    private RougeOfSets() {}

    /**
     * The F measure of the summary level.
     *
     * @param overflows whether sentences too long for the package's recursion score 0, as in published tables
     */
    static double f(String prediction, String reference, boolean overflows) {
        List<List<String>> predicted = sentences(prediction);
        List<List<String>> expected = sentences(reference);
        if (predicted.isEmpty() || expected.isEmpty()) {
            return 0;
        }
        Set<String> union = new HashSet<>();
        for (List<String> reference1 : expected) {
            for (List<String> candidate : predicted) {
                if (!addCommon(reference1, candidate, union, overflows)) {
                    return 0;
                }
            }
        }
        double recall = (double) union.size() / distinct(expected);
        double precision = (double) union.size() / distinct(predicted);
        return 2.0 * ((precision * recall) / (precision + recall + 1e-8));
    }

    /** Pieces between full stops; one of blanks only holds one empty word. */
    private static List<List<String>> sentences(String text) {
        return Arrays.stream(text.split("\\.", -1))
                .filter(piece -> !piece.isEmpty())
                .map(piece -> List.of(PythonText.collapsed(piece).split(" ", -1)))
                .toList();
    }

    private static int distinct(List<List<String>> sentences) {
        Set<String> words = new HashSet<>();
        sentences.forEach(words::addAll);
        return words.size();
    }

    /**
     * Adds the words of one longest common subsequence.
     *
     * @return false if the recursion would have overflown
     */
    private static boolean addCommon(
            List<String> reference, List<String> candidate, Set<String> union, boolean overflows) {
        CommonSubsequence common = CommonSubsequence.of(reference, candidate);
        int i = reference.size();
        int j = candidate.size();
        int steps = 0;
        while (i > 0 && j > 0) {
            if (reference.get(i - 1).equals(candidate.get(j - 1))) {
                union.add(reference.get(i - 1));
                i--;
                j--;
            } else if (common.length(i - 1, j) > common.length(i, j - 1)) {
                i--;
            } else {
                j--;
            }
            steps++;
            if (overflows && steps > OVERFLOW_STEPS) {
                return false;
            }
        }
        return true;
    }
}
