package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;

/** What cuts a text: a regular expression or a literal. Immutable. */
interface TextPattern {
    /** Takes the parts of a text in order; none is empty but a match may be. */
    @FunctionalInterface
    interface Parts {
        void part(int start, int end, boolean match);
    }

    /** Cuts {@code text} from {@code from} to {@code to}, which is a text of its own, into matches and what is between. */
    void cut(String text, int from, int to, Workspace work, Parts parts);

    static LayercakeException tooManySteps(String expression) {
        return LayercakeException.badModel("The tokenizer's expression " + Quote.of(expression)
                + " backtracks without end on this text; the tokenizer file is not usable for it.");
    }

    /** An expression of tokenizer.json. */
    static TextPattern of(String expression) {
        TextPattern simple = SimplePatternParser.parse(expression);
        return simple != null ? simple : new BacktrackingPattern(expression);
    }

    /** Every character of a set, each by itself. */
    static TextPattern each(CodePointSet set) {
        return (text, from, to, work, parts) -> {
            int done = from;
            int at = from;
            while (at < to) {
                int codePoint = text.codePointAt(at);
                int end = at + Character.charCount(codePoint);
                if (set.contains(codePoint)) {
                    if (at > done) {
                        parts.part(done, at, false);
                    }
                    parts.part(at, end, true);
                    done = end;
                }
                at = end;
            }
            if (done < to) {
                parts.part(done, to, false);
            }
        };
    }

    /** A literal, found from left to right. */
    static TextPattern literal(String literal) {
        return (text, from, to, work, parts) -> {
            int done = from;
            int at = literal.isEmpty() ? -1 : text.indexOf(literal, from);
            while (at >= 0 && at + literal.length() <= to) {
                if (at > done) {
                    parts.part(done, at, false);
                }
                done = at + literal.length();
                parts.part(at, done, true);
                at = text.indexOf(literal, done);
            }
            if (done < to) {
                parts.part(done, to, false);
            }
        };
    }
}
