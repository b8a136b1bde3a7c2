package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonText;
import java.util.ArrayList;
import java.util.List;

/**
 * BLEU of a single sentence (Papineni et al., 2002) with up to four words in a row and the smoothing for short sentences of Chen
 * and Cherry (2014, method 4), as NLTK 3.8 computes it.
 */
final class Bleu {
    private static final int LONGEST = 4;
    private static final double SMOOTHING_SCALE = 5;

    private Bleu() {}

    /** Between 0 and 1; 0 where no word is shared. */
    static double sentence(String candidate, String reference) {
        List<String> given = PythonText.words(candidate);
        List<String> wanted = PythonText.words(reference);
        if (TokenF1.shared(given, wanted) == 0) {
            return 0;
        }
        double logSum = 0;
        int smoothed = 1;
        for (int n = 1; n <= LONGEST; n++) {
            List<List<String>> grams = grams(given, n);
            double all = Math.max(1, grams.size());
            double shared = TokenF1.shared(grams, grams(wanted, n));
            if (shared == 0 && given.size() > 1) {
                // 1 / 2^k, the k-th time that nothing is shared, and less for longer candidates.
                shared = 1 / (Math.pow(2, smoothed) * SMOOTHING_SCALE / Math.log(given.size()));
                smoothed++;
            }
            if (shared > 0) {
                logSum += 1.0 / LONGEST * Math.log(shared / all);
            }
        }
        double brevity = given.size() > wanted.size() ? 1 : Math.exp(1 - (double) wanted.size() / given.size());
        return brevity * Math.exp(logSum);
    }

    private static List<List<String>> grams(List<String> words, int n) {
        List<List<String>> grams = new ArrayList<>();
        for (int i = 0; i + n <= words.size(); i++) {
            grams.add(words.subList(i, i + n));
        }
        return grams;
    }
}
