package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonText;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The scores of NeedleBench (Li et al., 2024; {@code datasets/needlebench} and {@code needlebench_v2} of OpenCompass), 0 to 100. */
public final class NeedleBench {
    private static final String NO_ANSWER = "None";
    private static final Pattern UNWRAPPED = Pattern.compile("\\\\(?:text|boxed)\\{([^{}]*)}");

    private NeedleBench() {}

    /**
     * Single retrieval of the first version: 100 if the keyword occurs; otherwise up to 20 for how near the answer is to the needle,
     * by edit distance without white space.
     *
     * @param needle the sentence that was hidden
     * @param trimmed whether an answer that goes on is cut first to about the needle's length
     */
    public static double single(String answer, String needle, String keyword, boolean trimmed) {
        if (answer.contains(keyword)) {
            return 100;
        }
        String wanted = String.join("", PythonText.words(needle));
        String given = String.join("", PythonText.words(answer));
        if (trimmed) {
            given = trim(given, wanted);
        }
        int longest = Math.max(length(given), length(wanted));
        double far = longest == 0 ? 0 : (double) EditDistance.levenshtein(given, wanted) / longest;
        return 20 * (1 - far);
    }

    /** Single retrieval of the second version, and one needle of multi retrieval: 100 if the keyword occurs, otherwise 0. */
    public static double keyword(String answer, String keyword) {
        return answer.contains(keyword) ? 100 : 0;
    }

    /** Multi reasoning of the first version: the share of the answer's words that occur, in upper or lower case. */
    public static double reasoning(String answer, String reference) {
        List<String> words = PythonText.words(PythonText.lower(reference));
        String given = PythonText.lower(answer);
        double score = 0;
        for (String word : words) {
            score += given.contains(word) ? 1 : 0;
        }
        return words.isEmpty() ? 0 : 100 * score / words.size();
    }

    /** The second version's reasoning and ancestral trace: 100 if the answer in the last box is the reference, otherwise 0. */
    public static double boxed(String answer, String reference) {
        return boxedAnswer(answer).equals(reference) ? 100 : 0;
    }

    /** What the last {@code \boxed{...}} holds, without marks; "None" if there is none. */
    public static String boxedAnswer(String answer) {
        int at = answer.lastIndexOf("\\boxed{");
        String inner = at < 0 ? "" : braced(answer, at + "\\boxed{".length());
        while (true) {
            Matcher matcher = UNWRAPPED.matcher(inner);
            if (!matcher.find()) {
                break;
            }
            inner = matcher.replaceAll(match -> Matcher.quoteReplacement(match.group(1)));
        }
        if (inner.startsWith("{") && inner.endsWith("}")) {
            inner = inner.substring(1, inner.length() - 1);
        }
        String plain = inner.replaceAll("[\\\\\"']", "").replace('~', ' ');
        String collapsed = PythonText.collapsed(plain);
        return collapsed.isEmpty() ? NO_ANSWER : collapsed;
    }

    /** What stands up to the brace that closes; empty if none does. */
    private static String braced(String text, int begin) {
        int open = 1;
        for (int at = begin; at < text.length(); at++) {
            open += text.charAt(at) == '{' ? 1 : text.charAt(at) == '}' ? -1 : 0;
            if (open == 0) {
                return text.substring(begin, at);
            }
        }
        return "";
    }

    /** An answer that goes on is cut at 1.2 lengths of the needle, and at the needle's last character behind 0.8 lengths. */
    private static String trim(String answer, String needle) {
        int[] given = answer.codePoints().toArray();
        int[] wanted = needle.codePoints().toArray();
        if (wanted.length == 0) {
            return answer;
        }
        int end = Math.min(given.length, (int) (1.2 * wanted.length));
        for (int at = (int) (0.8 * wanted.length); at < end; at++) {
            if (given[at] == wanted[wanted.length - 1]) {
                return new String(given, 0, at + 1);
            }
        }
        return new String(given, 0, end);
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }
}
