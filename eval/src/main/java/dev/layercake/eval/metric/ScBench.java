package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonNumbers;
import dev.layercake.eval.python.PythonText;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The scores of SCBench (Li et al., 2024; {@code scbench/compute_scores.py} of microsoft/MInference), 0 to 1 an answer. */
public final class ScBench {
    private static final Pattern NUMBER = Pattern.compile("\\p{Nd}+\\.\\p{Nd}+|\\p{Nd}+");
    private static final Pattern DIGITS = Pattern.compile("[0-9]+");
    private static final String LETTERS = "ABCD";
    private static final List<String> ANSWER_CUES = List.of("answer is:", "answer:", "answer is", "option is");
    private static final double SIMILAR_CODE = 0.8;

    private ScBench() {}

    /** Key-value and prefix-suffix retrieval: whether the value occurs. */
    public static double contains(String answer, String value) {
        return answer.contains(value) ? 1 : 0;
    }

    /** English questions and many-shot learning: whether any reference occurs, in upper or lower case. */
    public static double containsAny(String answer, List<String> references) {
        String given = PythonText.upper(answer);
        return references.stream().anyMatch(reference -> given.contains(PythonText.upper(reference))) ? 1 : 0;
    }

    /** Hidden numbers: whether the first run of digits is the number, digit by digit. */
    public static double firstDigits(String answer, String number) {
        Matcher matcher = DIGITS.matcher(answer);
        return matcher.find() && matcher.group().equals(number) ? 1 : 0;
    }

    /**
     * Finding a number: whether the first one in the answer is it, without its sign.
     *
     * @param whole whether the number is a whole one; then decimals of the answer are cut off
     */
    public static double firstNumber(String answer, double number, boolean whole) {
        Matcher matcher = NUMBER.matcher(answer);
        if (!matcher.find()) {
            return 0;
        }
        double given = Double.parseDouble(ascii(matcher.group()));
        return (whole ? Math.floor(given) : given) == number ? 1 : 0;
    }

    private static String ascii(String number) {
        StringBuilder digits = new StringBuilder();
        number.codePoints().forEach(point -> {
            if (point == '.') {
                digits.append('.');
            } else {
                digits.append(Character.digit(point, 10));
            }
        });
        return digits.toString();
    }

    /** Variable tracking: the share of names that occur, in upper or lower case, rounded to two decimals. */
    public static double share(String answer, List<String> names) {
        return PythonNumbers.round(Ruler.score(Ruler.Match.ALL, answer, names), 2);
    }

    /**
     * Multiple choice: the letter that the answer begins with, or the one behind a cue, or the first that stands alone.
     *
     * @param accepted the right option's text and its letter
     */
    public static double choice(String answer, List<String> accepted) {
        String given = PythonText.strip(answer);
        if (given.isEmpty()) {
            return 0;
        }
        if (LETTERS.indexOf(given.charAt(0)) >= 0) {
            return accepted.contains(given.substring(0, 1)) ? 1 : 0;
        }
        if (accepted.contains(given)) {
            return 1;
        }
        String plain = given.replaceAll("[\n\"'.,?!{}]", " ").replaceAll(" {2,}", " ");
        for (String cue : ANSWER_CUES) {
            int at = plain.indexOf(cue);
            if (at >= 0) {
                int behind = at + cue.length() + 1;
                return behind <= plain.length() && accepted.stream().anyMatch(plain.substring(behind)::startsWith)
                        ? 1
                        : 0;
            }
        }
        Optional<String> alone =
                PythonText.words(plain).stream().filter(LETTERS::contains).findFirst();
        return alone.isPresent() && accepted.contains(alone.get()) ? 1 : 0;
    }

    /** Chinese questions: F1 of characters, without punctuation and white space; the best over the references. */
    public static double characterF1(String answer, List<String> references) {
        List<String> given = characters(answer);
        return references.stream()
                .mapToDouble(reference -> TokenF1.of(given, characters(reference)))
                .max()
                .orElse(0);
    }

    private static List<String> characters(String text) {
        return LongBench.plainChinese(text)
                .codePoints()
                .mapToObj(Character::toString)
                .toList();
    }

    /** Summaries: ROUGE-Lsum. */
    public static double summary(String answer, String reference) {
        return RougeOfSummaries.f(answer, reference);
    }

    /** How alike two functions are: BLEU of their words between white space. */
    public static double codeSimilarity(String candidate, String reference) {
        return Bleu.sentence(candidate, reference);
    }

    /**
     * Finding a function: whether the answer is most like the one asked for, of all that are asked for in that repository, and at
     * least 0.8 like it.
     *
     * @param functions code by name, in the order of the questions
     */
    public static double function(String answer, String wanted, SequencedMap<String, String> functions) {
        String best = mostAlike(answer, functions);
        return best.equals(wanted) && codeSimilarity(answer, functions.getOrDefault(best, "")) >= SIMILAR_CODE ? 1 : 0;
    }

    /** The name of the function that an answer is most like; of several the first. */
    public static String mostAlike(String answer, SequencedMap<String, String> functions) {
        String best = "";
        double most = -1;
        for (Map.Entry<String, String> function : functions.entrySet()) {
            double alike = codeSimilarity(answer, function.getValue());
            if (alike > most) {
                most = alike;
                best = function.getKey();
            }
        }
        return best;
    }
}
