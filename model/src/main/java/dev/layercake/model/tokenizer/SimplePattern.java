package dev.layercake.model.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * A regular expression without loops over groups, which is what tokenizers cut words with: classes of characters that
 * repeat, groups of choices, and a look at the next character. It means what it means to other engines (greedy, the first
 * choice that fits), and runs in a few nanoseconds per character with a stack as deep as the expression is long.
 */
final class SimplePattern implements TextPattern {
    private static final int STEPS_BETWEEN_LOOKS = 1 << 20;

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
        Run run = new Run(expression, text, to, work);
        run.stepsLeft = TextPattern.stepsFor(to - from);
        int done = from;
        int at = from;
        while (at < to) {
            int end = run.match(start, at);
            if (end < 0) {
                at += width(text, at, to);
                continue;
            }
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
        private final String expression;
        private final String text;
        private final int to;
        private final Workspace work;
        private long stepsLeft;
        private long nextLook;

        Run(String expression, String text, int to, Workspace work) {
            this.expression = expression;
            this.text = text;
            this.to = to;
            this.work = work;
            nextLook = Long.MAX_VALUE;
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
            spend(count);
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
                spend(1);
            }
        }

        private void spend(int steps) {
            stepsLeft -= steps;
            if (stepsLeft < nextLook) {
                if (stepsLeft < 0) {
                    throw TextPattern.tooManySteps(expression);
                }
                nextLook = stepsLeft - STEPS_BETWEEN_LOOKS;
                work.watch.look(work.tokens.size());
            }
        }
    }
}
