package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Any regular expression, by Java's engine. It reads the text through a counter, so that one which backtracks without end
 * is stopped and one that takes long can be cancelled.
 */
final class BacktrackingPattern implements TextPattern {
    private final String expression;
    private final Pattern pattern;

    BacktrackingPattern(String expression) {
        this.expression = expression;
        try {
            pattern = Pattern.compile(
                    ExpressionTranslation.toJava(expression),
                    Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE | Pattern.MULTILINE | Pattern.UNIX_LINES);
        } catch (PatternSyntaxException | StackOverflowError e) {
            throw LayercakeException.badModel(
                    "The tokenizer's regular expression cannot be used: "
                            + (e instanceof PatternSyntaxException syntax
                                    ? syntax.getDescription() + " near character " + syntax.getIndex()
                                    : "it is nested too deeply")
                            + "; check tokenizer.json.",
                    e);
        }
    }

    @Override
    public void cut(String text, int from, int to, Workspace work, Parts parts) {
        StepLimit limit = new StepLimit(expression, from, work);
        Matcher matcher = pattern.matcher(new CountedText(text, from, to, limit));
        int done = from;
        while (find(matcher)) {
            int start = from + matcher.start();
            int end = from + matcher.end();
            if (start > done) {
                parts.part(done, start, false);
            }
            parts.part(start, end, true);
            limit.matched(end);
            done = end;
        }
        if (done < to) {
            parts.part(done, to, false);
        }
    }

    /** The text with a replacement, taken as it is, in place of every match. */
    String replace(String text, String replacement, Workspace work) {
        StringBuilder out = new StringBuilder(text.length());
        cut(text, 0, text.length(), work, (start, end, match) -> {
            if (match) {
                out.append(replacement);
            } else {
                out.append(text, start, end);
            }
        });
        return out.toString();
    }

    private boolean find(Matcher matcher) {
        try {
            return matcher.find();
        } catch (StackOverflowError e) {
            throw TextPattern.tooManySteps(expression);
        }
    }

    /** A part of a text that counts how often it is read. */
    private static final class CountedText implements CharSequence {
        private final String text;
        private final int from;
        private final int to;
        private final StepLimit limit;

        CountedText(String text, int from, int to, StepLimit limit) {
            this.text = text;
            this.from = from;
            this.to = to;
            this.limit = limit;
        }

        @Override
        public int length() {
            return to - from;
        }

        @Override
        public char charAt(int index) {
            limit.reached(from + index + 1);
            limit.spend(1);
            return text.charAt(from + index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(from + start, from + end);
        }

        @Override
        public String toString() {
            return text.substring(from, to);
        }
    }
}
