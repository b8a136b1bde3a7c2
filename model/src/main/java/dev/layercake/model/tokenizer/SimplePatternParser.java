package dev.layercake.model.tokenizer;

import dev.layercake.model.tokenizer.SimplePattern.Ahead;
import dev.layercake.model.tokenizer.SimplePattern.Choice;
import dev.layercake.model.tokenizer.SimplePattern.Fits;
import dev.layercake.model.tokenizer.SimplePattern.Node;
import dev.layercake.model.tokenizer.SimplePattern.Repeat;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Reads a regular expression into a {@link SimplePattern}, as far as it is one. */
final class SimplePatternParser {
    private static final int MOST_NODES = 300;
    private static final int DEEPEST = 16;
    static final int MOST_REPEATS = 1 << 30;

    private final String expression;
    private final ClassParser classes;
    private int at;
    private int nodes;
    private boolean anyCase;

    /** Something that only a larger engine knows. */
    static final class NotSimple extends Exception {
        private static final long serialVersionUID = 1L;

        NotSimple() {
            super("not a simple expression", null, false, false);
        }
    }

    private SimplePatternParser(String expression) {
        this.expression = expression;
        this.classes = new ClassParser(expression);
    }

    /** The pattern, or null if the expression has more than a simple one may have. */
    static @Nullable SimplePattern parse(String expression) {
        try {
            SimplePatternParser parser = new SimplePatternParser(expression);
            UnaryOperator<Node> whole = parser.choices(0);
            if (parser.at < expression.length()) {
                return null;
            }
            return new SimplePattern(expression, whole.apply(new Fits()));
        } catch (NotSimple e) {
            return null;
        }
    }

    // Each part is read into a function from what follows it to the node that begins it.
    private UnaryOperator<Node> choices(int depth) throws NotSimple {
        if (depth > DEEPEST) {
            throw new NotSimple();
        }
        List<UnaryOperator<Node>> options = new ArrayList<>();
        options.add(sequence(depth));
        while (at < expression.length() && expression.charAt(at) == '|') {
            at++;
            options.add(sequence(depth));
        }
        if (options.size() == 1) {
            return options.getFirst();
        }
        return next ->
                new Choice(options.stream().map(option -> option.apply(next)).toArray(Node[]::new));
    }

    private UnaryOperator<Node> sequence(int depth) throws NotSimple {
        List<UnaryOperator<Node>> items = new ArrayList<>();
        while (at < expression.length() && expression.charAt(at) != '|' && expression.charAt(at) != ')') {
            if (++nodes > MOST_NODES) {
                throw new NotSimple();
            }
            items.add(item(depth));
        }
        return next -> {
            Node node = next;
            for (UnaryOperator<Node> item : items.reversed()) {
                node = item.apply(node);
            }
            return node;
        };
    }

    private UnaryOperator<Node> item(int depth) throws NotSimple {
        char c = expression.charAt(at);
        if (c == '(') {
            return group(depth);
        }
        if (c == '$') {
            at++;
            refuseQuantifier();
            CodePointSet lineBreak = new CodePointSet(codePoint -> codePoint == '\n');
            return next -> new Ahead(lineBreak, true, next);
        }
        CodePointSet set = set();
        int least = 1;
        int most = 1;
        boolean keepsAll = false;
        if (at < expression.length()) {
            switch (expression.charAt(at)) {
                case '*' -> {
                    least = 0;
                    most = MOST_REPEATS;
                    at++;
                }
                case '+' -> {
                    most = MOST_REPEATS;
                    at++;
                }
                case '?' -> {
                    least = 0;
                    at++;
                }
                case '{' -> {
                    int[] bounds = bounds();
                    least = bounds[0];
                    most = bounds[1];
                    refuseQuantifier();
                }
                default -> {
                    int lone = 1;
                    return next -> new Repeat(set, lone, lone, false, next);
                }
            }
            if (at < expression.length() && expression.charAt(at) == '+') {
                keepsAll = true;
                at++;
            }
            refuseQuantifier();
        }
        int fewest = least;
        int highest = most;
        boolean possessive = keepsAll;
        return next -> new Repeat(set, fewest, highest, possessive || next instanceof Fits, next);
    }

    private UnaryOperator<Node> group(int depth) throws NotSimple {
        boolean outer = anyCase;
        if (expression.startsWith("(?=", at) || expression.startsWith("(?!", at)) {
            return ahead();
        }
        if (expression.startsWith("(?i:", at)) {
            at += 4;
            anyCase = true;
        } else if (expression.startsWith("(?:", at)) {
            at += 3;
        } else if (expression.startsWith("(?", at)) {
            throw new NotSimple();
        } else {
            at++;
        }
        UnaryOperator<Node> inside = choices(depth + 1);
        if (at >= expression.length()) {
            throw new NotSimple();
        }
        at++;
        anyCase = outer;
        boolean optional = at < expression.length() && expression.charAt(at) == '?';
        if (optional) {
            at++;
        }
        refuseQuantifier();
        return optional ? next -> new Choice(new Node[] {inside.apply(next), next}) : inside;
    }

    private UnaryOperator<Node> ahead() throws NotSimple {
        boolean negative = expression.charAt(at + 2) == '!';
        at += 3;
        CodePointSet set = set();
        if (at >= expression.length() || expression.charAt(at) != ')') {
            throw new NotSimple();
        }
        at++;
        refuseQuantifier();
        CodePointSet wanted = negative ? new CodePointSet(codePoint -> !set.contains(codePoint)) : set;
        return next -> new Ahead(wanted, negative, next);
    }

    private CodePointSet set() throws NotSimple {
        if (at >= expression.length() || (anyCase && expression.charAt(at) == '[')) {
            throw new NotSimple();
        }
        CodePointSet set = classes.read(at, anyCase);
        at = classes.end();
        return set;
    }

    private int[] bounds() throws NotSimple {
        int close = expression.indexOf('}', at);
        if (close < 0) {
            throw new NotSimple();
        }
        String[] parts = expression.substring(at + 1, close).split(",", -1);
        at = close + 1;
        int least = number(parts[0]);
        int most = parts.length == 1 ? least : parts[1].isEmpty() ? MOST_REPEATS : number(parts[1]);
        if (parts.length > 2 || most < least) {
            throw new NotSimple();
        }
        return new int[] {least, most};
    }

    private static int number(String digits) throws NotSimple {
        if (digits.isEmpty() || digits.length() > 6) {
            throw new NotSimple();
        }
        for (int i = 0; i < digits.length(); i++) {
            if (digits.charAt(i) < '0' || digits.charAt(i) > '9') {
                throw new NotSimple();
            }
        }
        return Integer.parseInt(digits);
    }

    /** A lazy quantifier, or one behind another. */
    private void refuseQuantifier() throws NotSimple {
        if (at < expression.length() && "*+?{".indexOf(expression.charAt(at)) >= 0) {
            throw new NotSimple();
        }
    }
}
