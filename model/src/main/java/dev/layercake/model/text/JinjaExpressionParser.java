package dev.layercake.model.text;

import dev.layercake.model.text.JinjaExpression.Arguments;
import dev.layercake.model.text.JinjaToken.Kind;
import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses expressions by recursive descent; the precedences are those of Jinja, where filters bind tighter than signs. */
final class JinjaExpressionParser {
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> SUMS = Set.of("+", "-");
    private static final Set<String> PRODUCTS = Set.of("*", "/", "//", "%");

    /** The longest integer literal; Python itself refuses longer ones. */
    private static final int MAX_DIGITS = 4_300;

    private final JinjaCursor cursor;
    private final Deque<Set<String>> macros = new ArrayDeque<>();
    private final List<JinjaException> unknown = new ArrayList<>();

    JinjaExpressionParser(JinjaCursor cursor) {
        this.cursor = cursor;
    }

    /** Begins to collect the names that a macro's body mentions. */
    void enterMacro() {
        macros.push(new HashSet<>());
    }

    /** The names mentioned since the matching {@link #enterMacro}. */
    Set<String> leaveMacro() {
        return macros.pop();
    }

    /** How many unknown filters and tests have been met. */
    int unknownCount() {
        return unknown.size();
    }

    /**
     * Forgets the unknown filters and tests met since there were {@code count}: they stand where a condition may never
     * lead, so they are reported only when they run.
     */
    void forgetUnknown(int count) {
        unknown.subList(count, unknown.size()).clear();
    }

    /** Reports a filter or test that is not known and stands where it would run. */
    void requireAllKnown() {
        if (!unknown.isEmpty()) {
            throw unknown.getFirst();
        }
    }

    JinjaExpression expression() {
        cursor.enter();
        int unknownBefore = unknown.size();
        JinjaExpression value = disjunction();
        while (cursor.atName("if")) {
            int line = cursor.next().line();
            JinjaExpression condition = disjunction();
            JinjaExpression otherwise = cursor.skipName("else") ? expression() : null;
            value = new JinjaExpression.Conditional(line, condition, value, otherwise);
            forgetUnknown(unknownBefore);
        }
        cursor.leave();
        return value;
    }

    /** An expression without inline if, as the iterable of a for block is. */
    JinjaExpression disjunction() {
        JinjaExpression left = conjunction();
        while (cursor.atName("or")) {
            int line = cursor.next().line();
            left = new JinjaExpression.Logical(line, false, left, conjunction());
        }
        return left;
    }

    private JinjaExpression conjunction() {
        JinjaExpression left = negation();
        while (cursor.atName("and")) {
            int line = cursor.next().line();
            left = new JinjaExpression.Logical(line, true, left, negation());
        }
        return left;
    }

    private JinjaExpression negation() {
        if (!cursor.atName("not")) {
            return comparison();
        }
        cursor.enter();
        int line = cursor.next().line();
        JinjaExpression operand = negation();
        cursor.leave();
        return new JinjaExpression.Not(line, operand);
    }

    private JinjaExpression comparison() {
        int line = cursor.line();
        JinjaExpression first = sum();
        List<String> operators = new ArrayList<>();
        List<JinjaExpression> operands = new ArrayList<>();
        while (true) {
            if (cursor.current().is(Kind.OPERATOR)
                    && COMPARISONS.contains(cursor.current().text())) {
                operators.add(cursor.next().text());
            } else if (cursor.skipName("in")) {
                operators.add("in");
            } else if (cursor.atName("not") && cursor.following().isName("in")) {
                cursor.next();
                cursor.next();
                operators.add("not in");
            } else {
                break;
            }
            operands.add(sum());
        }
        return operators.isEmpty() ? first : new JinjaExpression.Comparison(line, first, operators, operands);
    }

    private boolean atAny(Set<String> operators) {
        return cursor.current().is(Kind.OPERATOR)
                && operators.contains(cursor.current().text());
    }

    private JinjaExpression sum() {
        JinjaExpression left = concatenation();
        while (atAny(SUMS)) {
            JinjaToken operator = cursor.next();
            left = new JinjaExpression.Arithmetic(operator.line(), operator.text(), left, concatenation());
        }
        return left;
    }

    private JinjaExpression concatenation() {
        int line = cursor.line();
        JinjaExpression first = product();
        if (!cursor.atOperator("~")) {
            return first;
        }
        List<JinjaExpression> parts = new ArrayList<>(List.of(first));
        while (cursor.skipOperator("~")) {
            parts.add(product());
        }
        return new JinjaExpression.Concatenation(line, parts);
    }

    private JinjaExpression product() {
        JinjaExpression left = power();
        while (atAny(PRODUCTS)) {
            JinjaToken operator = cursor.next();
            left = new JinjaExpression.Arithmetic(operator.line(), operator.text(), left, power());
        }
        return left;
    }

    private JinjaExpression power() {
        JinjaExpression left = unary(true);
        while (cursor.atOperator("**")) {
            int line = cursor.next().line();
            left = new JinjaExpression.Arithmetic(line, "**", left, unary(true));
        }
        return left;
    }

    private JinjaExpression unary(boolean withFilters) {
        JinjaExpression operand;
        if (atAny(SUMS)) {
            cursor.enter();
            JinjaToken sign = cursor.next();
            operand = new JinjaExpression.Sign(sign.line(), sign.text().equals("-"), unary(false));
            cursor.leave();
        } else {
            operand = primary();
        }
        operand = postfix(operand);
        return withFilters ? filtersAndTests(operand) : operand;
    }

    private JinjaExpression primary() {
        JinjaToken token = cursor.current();
        int line = token.line();
        switch (token.kind()) {
            case NAME -> {
                cursor.next();
                return switch (token.text()) {
                    case "true", "True" -> new JinjaExpression.Literal(line, true);
                    case "false", "False" -> new JinjaExpression.Literal(line, false);
                    case "none", "None" -> new JinjaExpression.Literal(line, JinjaValue.NONE);
                    default -> {
                        macros.forEach(names -> names.add(token.text()));
                        yield new JinjaExpression.Name(line, token.text());
                    }
                };
            }
            case STRING -> {
                StringBuilder text = new StringBuilder();
                while (cursor.current().is(Kind.STRING)) {
                    text.append(cursor.next().text());
                }
                return new JinjaExpression.Literal(line, text.toString());
            }
            case INTEGER -> {
                cursor.next();
                return new JinjaExpression.Literal(line, integer(token));
            }
            case FLOAT -> {
                cursor.next();
                return new JinjaExpression.Literal(
                        line, Double.valueOf(token.text().replace("_", "")));
            }
            case OPERATOR -> {
                if (cursor.skipOperator("(")) {
                    JinjaExpression value = cursor.atOperator(")")
                            ? new JinjaExpression.TupleLiteral(line, List.of())
                            : expressionOrTuple();
                    cursor.expectOperator(")");
                    return value;
                }
                if (cursor.skipOperator("[")) {
                    return new JinjaExpression.ListLiteral(line, listed("]"));
                }
                if (cursor.skipOperator("{")) {
                    return dict(line);
                }
            }
            default -> {}
        }
        throw cursor.unexpected("an expression");
    }

    private static Object integer(JinjaToken token) {
        String digits = token.text().replace("_", "");
        int radix = switch (digits.length() > 1 ? Character.toLowerCase(digits.charAt(1)) : '0') {
            case 'x' -> 16;
            case 'o' -> 8;
            case 'b' -> 2;
            default -> 10;
        };
        try {
            if (digits.length() > MAX_DIGITS) {
                throw JinjaException.of("an integer has more than " + MAX_DIGITS + " digits", token.line());
            }
            return JinjaArithmetic.shrink(new BigInteger(radix == 10 ? digits : digits.substring(2), radix));
        } catch (NumberFormatException e) {
            throw JinjaException.of("malformed number '" + token.text() + "'", token.line());
        }
    }

    /** One expression, or a tuple of several that commas separate. */
    JinjaExpression expressionOrTuple() {
        int line = cursor.line();
        JinjaExpression first = expression();
        if (!cursor.atOperator(",")) {
            return first;
        }
        List<JinjaExpression> items = new ArrayList<>(List.of(first));
        while (cursor.skipOperator(",") && !atTupleEnd()) {
            items.add(expression());
        }
        return new JinjaExpression.TupleLiteral(line, items);
    }

    private boolean atTupleEnd() {
        JinjaToken token = cursor.current();
        return token.is(Kind.OUTPUT_END) || token.is(Kind.TAG_END) || token.isOperator(")");
    }

    /** Expressions up to a closing bracket, which is consumed. */
    private List<JinjaExpression> listed(String close) {
        List<JinjaExpression> items = new ArrayList<>();
        while (!cursor.skipOperator(close)) {
            if (!items.isEmpty()) {
                cursor.expectOperator(",");
                if (cursor.skipOperator(close)) {
                    break;
                }
            }
            items.add(expression());
        }
        return items;
    }

    private JinjaExpression dict(int line) {
        List<JinjaExpression> keys = new ArrayList<>();
        List<JinjaExpression> values = new ArrayList<>();
        while (!cursor.skipOperator("}")) {
            if (!keys.isEmpty()) {
                cursor.expectOperator(",");
                if (cursor.skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            cursor.expectOperator(":");
            values.add(expression());
        }
        return new JinjaExpression.DictLiteral(line, keys, values);
    }

    private JinjaExpression postfix(JinjaExpression start) {
        JinjaExpression value = start;
        while (true) {
            int line = cursor.line();
            if (cursor.skipOperator(".")) {
                JinjaToken token = cursor.next();
                if (token.is(Kind.NAME)) {
                    value = new JinjaExpression.Attribute(line, value, token.text());
                } else if (token.is(Kind.INTEGER)) {
                    value = new JinjaExpression.Item(line, value, new JinjaExpression.Literal(line, integer(token)));
                } else {
                    throw JinjaException.of("expected a name after '.', found " + token.shown(), token.line());
                }
            } else if (cursor.skipOperator("[")) {
                value = subscript(line, value);
            } else if (cursor.atOperator("(")) {
                value = new JinjaExpression.Call(line, value, arguments());
            } else {
                return value;
            }
        }
    }

    private JinjaExpression subscript(int line, JinjaExpression target) {
        JinjaExpression start = cursor.atOperator(":") ? null : expression();
        if (cursor.skipOperator(":")) {
            JinjaExpression stop = cursor.atOperator(":") || cursor.atOperator("]") ? null : expression();
            JinjaExpression step = cursor.skipOperator(":") && !cursor.atOperator("]") ? expression() : null;
            cursor.expectOperator("]");
            return new JinjaExpression.Slice(line, target, start, stop, step);
        }
        if (start != null && cursor.skipOperator(",")) {
            List<JinjaExpression> items = new ArrayList<>(List.of(start));
            items.addAll(listed("]"));
            return new JinjaExpression.Item(line, target, new JinjaExpression.TupleLiteral(line, items));
        }
        cursor.expectOperator("]");
        if (start == null) {
            throw cursor.unexpected("a subscript");
        }
        return new JinjaExpression.Item(line, target, start);
    }

    private JinjaExpression filtersAndTests(JinjaExpression start) {
        JinjaExpression value = start;
        while (true) {
            int line = cursor.line();
            if (cursor.skipOperator("|")) {
                value = filter(line, value);
            } else if (cursor.skipName("is")) {
                value = test(line, value);
            } else if (cursor.atOperator("(")) {
                value = new JinjaExpression.Call(line, value, arguments());
            } else {
                return value;
            }
        }
    }

    /** The filters after a filter block's or set block's head, each with its bar but the first one where it has none. */
    List<JinjaExpression.Filter> filterChain(boolean firstHasBar) {
        List<JinjaExpression.Filter> filters = new ArrayList<>();
        int line = cursor.line();
        if (!firstHasBar) {
            filters.add(filter(line, null));
        }
        while (cursor.skipOperator("|")) {
            filters.add(filter(line, null));
        }
        return filters;
    }

    private JinjaExpression.Filter filter(int line, @Nullable JinjaExpression target) {
        String name = dottedName();
        if (!JinjaFilters.exists(name)) {
            unknown.add(JinjaFilters.unknown(name).at(line));
        }
        return new JinjaExpression.Filter(line, target, name, cursor.atOperator("(") ? arguments() : Arguments.NONE);
    }

    private String dottedName() {
        StringBuilder name = new StringBuilder(cursor.name());
        while (cursor.skipOperator(".")) {
            name.append('.').append(cursor.name());
        }
        return name.toString();
    }

    private JinjaExpression test(int line, JinjaExpression target) {
        boolean negated = cursor.skipName("not");
        String name = dottedName();
        if (!JinjaTests.exists(name)) {
            unknown.add(JinjaTests.unknown(name).at(line));
        }
        Arguments arguments = Arguments.NONE;
        if (cursor.atOperator("(")) {
            arguments = arguments();
        } else if (cursor.atName("is")) {
            throw JinjaException.of("tests with 'is' cannot be chained", line);
        } else if (atTestOperand()) {
            arguments = new Arguments(List.of(postfix(primary())), List.of(), List.of(), null, null);
        }
        JinjaExpression test = new JinjaExpression.Test(line, target, name, arguments);
        return negated ? new JinjaExpression.Not(line, test) : test;
    }

    private boolean atTestOperand() {
        JinjaToken token = cursor.current();
        return switch (token.kind()) {
            case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.isOperator("[") || token.isOperator("{");
            default -> false;
        };
    }

    Arguments arguments() {
        int line = cursor.line();
        cursor.expectOperator("(");
        List<JinjaExpression> positional = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<JinjaExpression> named = new ArrayList<>();
        JinjaExpression morePositional = null;
        JinjaExpression moreNamed = null;
        boolean first = true;
        while (!cursor.skipOperator(")")) {
            if (!first) {
                cursor.expectOperator(",");
                if (cursor.skipOperator(")")) {
                    break;
                }
            }
            first = false;
            boolean misplaced = moreNamed != null;
            if (cursor.skipOperator("*")) {
                misplaced |= morePositional != null;
                morePositional = expression();
            } else if (cursor.skipOperator("**")) {
                moreNamed = expression();
            } else if (cursor.current().is(Kind.NAME) && cursor.following().isOperator("=")) {
                names.add(cursor.next().text());
                cursor.next();
                named.add(expression());
            } else {
                misplaced |= morePositional != null || !names.isEmpty();
                positional.add(expression());
            }
            if (misplaced) {
                throw JinjaException.of("an argument stands after one that must come last", line);
            }
        }
        return new Arguments(positional, names, named, moreNamed, morePositional);
    }
}
