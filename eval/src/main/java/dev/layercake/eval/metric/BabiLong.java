package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonText;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Whether an answer to BABILong is right (Kuratov et al., 2024; {@code babilong/metrics.py} of booydar/babilong). */
public final class BabiLong {
    private BabiLong() {}

    /**
     * Of the task's labels those count that the answer's first sentence contains and the question does not; the target must be the
     * only one. Labels are looked for as parts of words: "no" is found in "know", and "none" contains "one".
     *
     * @param labels all possible answers of the task
     * @param target a label, or for lists several with commas between them
     */
    public static boolean correct(String answer, String question, String target, List<String> labels) {
        String given = begin(begin(begin(PythonText.lower(answer), "."), "<context>"), "<example>");
        String asked = PythonText.lower(question);
        String wanted = PythonText.lower(target);
        Set<String> named = labels.stream()
                .map(PythonText::lower)
                .filter(label -> given.contains(label) && !asked.contains(label))
                .collect(Collectors.toCollection(TreeSet::new));
        if (wanted.contains(",") && wanted.length() > 3) {
            Set<String> parts = new HashSet<>(Arrays.asList(wanted.split(",", -1)));
            return named.equals(parts);
        }
        return named.equals(Set.of(wanted));
    }

    private static String begin(String text, String mark) {
        int at = text.indexOf(mark);
        return at < 0 ? text : text.substring(0, at);
    }
}
