package dev.layercake.eval.metric;

import java.util.List;

/** Lengths of longest common subsequences of two lists of words, for all their beginnings. */
final class CommonSubsequence {
    private final int[][] lengths;

    private CommonSubsequence(int[][] lengths) {
        this.lengths = lengths;
    }

    static CommonSubsequence of(List<String> first, List<String> second) {
        int[][] lengths = new int[first.size() + 1][second.size() + 1];
        for (int i = 1; i <= first.size(); i++) {
            for (int j = 1; j <= second.size(); j++) {
                lengths[i][j] = first.get(i - 1).equals(second.get(j - 1))
                        ? lengths[i - 1][j - 1] + 1
                        : Math.max(lengths[i - 1][j], lengths[i][j - 1]);
            }
        }
        return new CommonSubsequence(lengths);
    }

    /** For the first {@code i} words of one and the first {@code j} of the other. */
    int length(int i, int j) {
        return lengths[i][j];
    }
}
