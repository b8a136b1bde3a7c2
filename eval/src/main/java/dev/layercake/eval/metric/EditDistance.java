package dev.layercake.eval.metric;

/** How many changes of one code point lead from one text to another. */
final class EditDistance {
    private EditDistance() {}

    /** Levenshtein's: insertions, deletions and substitutions cost 1 each. */
    static int levenshtein(String from, String to) {
        return distance(from, to, 1);
    }

    /** Insertions and deletions only, so that a substitution costs 2. */
    static int indel(String from, String to) {
        return distance(from, to, 2);
    }

    private static int distance(String from, String to, int substitution) {
        int[] source = from.codePoints().toArray();
        int[] target = to.codePoints().toArray();
        int[] row = new int[target.length + 1];
        for (int j = 0; j <= target.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= source.length; i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= target.length; j++) {
                int above = row[j];
                int changed = diagonal + (source[i - 1] == target[j - 1] ? 0 : substitution);
                row[j] = Math.min(changed, Math.min(above, row[j - 1]) + 1);
                diagonal = above;
            }
        }
        return row[target.length];
    }
}
