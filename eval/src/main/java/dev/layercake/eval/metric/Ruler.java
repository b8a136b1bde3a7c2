package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonNumbers;
import dev.layercake.eval.python.PythonText;
import java.util.List;

/** The scores of RULER (Hsieh et al., 2024; {@code scripts/eval/synthetic/constants.py} of NVIDIA/RULER). */
public final class Ruler {
    private Ruler() {}

    /** How several references of one question count. */
    public enum Match {
        /** The share of references that the answer contains: all tasks but the two of questions and answers. */
        ALL,
        /** Whether it contains any: qa_1 and qa_2. */
        PART
    }

    /** What becomes of control characters in an answer before it is scored. */
    public enum Cleaning {
        /** Newlines, officially. */
        NEWLINES,
        /** Nothing: kvpress deletes them. */
        DELETED
    }

    /** The answer as it is scored: without white space at its ends and without control characters. */
    public static String cleaned(String answer, Cleaning cleaning) {
        String mark = cleaning == Cleaning.NEWLINES ? "\n" : "";
        return PythonText.strip(PythonText.strip(answer).replaceAll("[\\x00-\\x1f]", mark));
    }

    /** The score of a cleaned answer, 0 to 1; 0 without references. */
    public static double score(Match match, String answer, List<String> references) {
        if (references.isEmpty()) {
            return 0;
        }
        String given = PythonText.lower(answer);
        long found = references.stream()
                .filter(reference -> given.contains(PythonText.lower(reference)))
                .count();
        return match == Match.ALL ? (double) found / references.size() : Math.min(found, 1);
    }

    /** The score of a task, 0 to 100 with two decimals. */
    public static double task(List<Double> scores) {
        double sum = 0;
        for (double score : scores) {
            sum += score;
        }
        return PythonNumbers.round(sum / scores.size() * 100, 2);
    }
}
