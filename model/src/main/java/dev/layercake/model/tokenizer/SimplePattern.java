package dev.layercake.model.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * A regular expression without loops over groups, which is what tokenizers cut words with: classes of characters that
 * repeat, groups of choices, and a look at the next character. It means what it means to other engines (greedy, the first
 * choice that fits), and runs in a few nanoseconds per character with a stack as deep as the expression is long.
 */
final class SimplePattern implements TextPattern {
    private final String expression;
    private final Node start;

    SimplePattern(String expression, Node start) {
        this.expression = expression;
        this.start = start;
    }

    /** A place in the expression. */
    sealed interface Node {}

    /** The expression fits. */
    record Fits() implements Node {}

    /**
     * Characters of a class, as many as there are from {@code least} to {@code most}.
     *
     * @param keepsAll whether fewer are not tried when what follows does not fit
     */
    record Repeat(CodePointSet set, int least, int most, boolean keepsAll, Node next) implements Node {}

    /** One of several ways, tried in order. */
    static final class Choice implements Node {
        private final Node[] options;
        /** What each option must begin with, null where it may begin with anything. */
        private final @Nullable CodePointSet[] firsts;

        Choice(Node[] options) {
            this.options = options;
            firsts = new @Nullable CodePointSet[options.length];
            for (int i = 0; i < options.length; i++) {
                firsts[i] = options[i] instanceof Repeat repeat && repeat.least() > 0 ? repeat.set() : null;
            }
        }
    }

    /** The next character is of a class, or there is none and {@code holdsAtEnd}. */
    record Ahead(CodePointSet set, boolean holdsAtEnd, Node next) implements Node {}

    @Override
    public void cut(String text, int from, int to, Workspace work, Parts parts) {
        Run run = new Run(text, to, new StepLimit(expression, from, work));
        int done = from;
        int at = from;
        while (at < to) {
            int end = run.match(start, at);
            if (end < 0) {
                at = run.nextStart(start, at);
                continue;
            }
            run.limit.matched(end);
            if (at > done) {
                parts.part(done, at, false);
            }
            parts.part(at, end, true);
            done = end;
            at = end == at ? at + width(text, at, to) : end;
        }
        if (done < to) {
            parts.part(done, to, false);
        }
    }

    private static int width(String text, int at, int to) {
        return Character.isHighSurrogate(text.charAt(at))
                        && at + 1 < to
                        && Character.isLowSurrogate(text.charAt(at + 1))
                ? 2
                : 1;
    }

    /** One text being matched. */
    private static final class Run {
        private final String text;
        private final int to;
        private final StepLimit limit;

        Run(String text, int to, StepLimit limit) {
            this.text = text;
            this.to = to;
            this.limit = limit;
        }

        /**
         * Where to try again when no match begins at {@code failed}. An expression that begins with a class without an upper bound
         * fails within the same run of characters too: what it could end in there, it has tried.
         */
        int nextStart(Node start, int failed) {
            int next = failed + width(text, failed, to);
            return start instanceof Repeat repeat
                            && repeat.least() <= 1
                            && repeat.most() == SimplePatternParser.MOST_REPEATS
                    ? Math.max(next, reach(repeat, failed))
                    : next;
        }

        /** Where a match that begins at {@code start} ends, or -1. */
        int match(Node from, int start) {
            Node node = from;
            int at = start;
            while (true) {
                switch (node) {
                    case Fits() -> {
                        return at;
                    }
                    case Ahead ahead -> {
                        boolean holds = at < to ? ahead.set().contains(text.codePointAt(at)) : ahead.holdsAtEnd();
                        if (!holds) {
                            return -1;
                        }
                        node = ahead.next();
                    }
                    case Choice choice -> {
                        return matchOne(choice, at);
                    }
                    case Repeat repeat -> {
                        int far = reach(repeat, at);
                        if (far < 0) {
                            return -1;
                        }
                        if (repeat.keepsAll() || repeat.least() == repeat.most()) {
                            at = far;
                            node = repeat.next();
                        } else {
                            return matchFewer(repeat, at, far);
                        }
                    }
                }
            }
        }

        private int matchOne(Choice choice, int at) {
            int next = at < to ? text.codePointAt(at) : -1;
            for (int i = 0; i < choice.options.length; i++) {
                CodePointSet first = choice.firsts[i];
                if (first == null || (next >= 0 && first.contains(next))) {
                    int end = match(choice.options[i], at);
                    if (end >= 0) {
                        return end;
                    }
                }
            }
            return -1;
        }

        /** How far a class repeats, or -1 if not often enough. */
        private int reach(Repeat repeat, int start) {
            CodePointSet set = repeat.set();
            int at = start;
            int count = 0;
            while (count < repeat.most() && at < to) {
                char c = text.charAt(at);
                if (Character.isHighSurrogate(c) && at + 1 < to) {
                    int codePoint = text.codePointAt(at);
                    if (!set.contains(codePoint)) {
                        break;
                    }
                    at += Character.charCount(codePoint);
                } else {
                    if (!set.contains(c)) {
                        break;
                    }
                    at++;
                }
                count++;
            }
            limit.reached(at);
            limit.spend(count + 1);
            return count < repeat.least() ? -1 : at;
        }

        private int matchFewer(Repeat repeat, int start, int far) {
            int at = far;
            int least = start;
            for (int i = 0; i < repeat.least(); i++) {
                least += width(text, least, to);
            }
            while (true) {
                int end = match(repeat.next(), at);
                if (end >= 0 || at <= least) {
                    return end;
                }
                at -= at - 2 >= start
                                && Character.isLowSurrogate(text.charAt(at - 1))
                                && Character.isHighSurrogate(text.charAt(at - 2))
                        ? 2
                        : 1;
                limit.spend(1);
            }
        }
    }
}
