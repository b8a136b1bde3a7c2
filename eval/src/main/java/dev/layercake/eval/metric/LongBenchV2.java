package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonText;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which letter an answer to LongBench v2 chooses (Bai et al., 2024; {@code pred.py} of THUDM/LongBench). */
public final class LongBenchV2 {
    private static final Pattern BRACKETED = Pattern.compile("The correct answer is \\(([A-D])\\)");
    private static final Pattern BARE = Pattern.compile("The correct answer is ([A-D])");

    private LongBenchV2() {}

    /** The letter after the sentence that the prompt asks for, in brackets or not; nothing if the sentence is not there. */
    public static Optional<String> choice(String response) {
        String text = PythonText.strip(response.replace("*", ""));
        for (Pattern pattern : new Pattern[] {BRACKETED, BARE}) {
            Matcher matcher = pattern.matcher(text);
            if (matcher.find()) {
                return Optional.of(matcher.group(1));
            }
        }
        return Optional.empty();
    }

    /** kvpress' rule, which is another: whether the sentence with the right letter occurs anywhere. */
    public static boolean occurs(String response, String letter) {
        String text = response.replace("*", "");
        return text.contains("The correct answer is (" + letter + ")")
                || text.contains("The correct answer is " + letter);
    }
}
