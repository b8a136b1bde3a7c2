package dev.layercake.kv.policy;

import java.util.List;

/** The known word that a misspelt one most likely stands for. */
final class Nearest {
    private Nearest() {}

    /** The candidate with the fewest edits; the first of equals. */
    static String of(String word, List<String> candidates) {
        String best = candidates.getFirst();
        int fewest = Integer.MAX_VALUE;
        for (String candidate : candidates) {
            int edits = edits(word, candidate);
            if (edits < fewest) {
                fewest = edits;
                best = candidate;
            }
        }
        return best;
    }

    /** Levenshtein's distance: insertions, deletions and replacements of characters. */
    static int edits(String from, String to) {
        int[] above = new int[to.length() + 1];
        for (int j = 0; j < above.length; j++) {
            above[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int[] row = new int[to.length() + 1];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replaced = above[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replaced, 1 + Math.min(above[j], row[j - 1]));
            }
            above = row;
        }
        return above[to.length()];
    }
}
