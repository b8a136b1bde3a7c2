package dev.layercake.model.text;

import dev.layercake.model.text.JinjaStatement.Signature;
import dev.layercake.model.text.JinjaStatement.Target;
import dev.layercake.model.text.JinjaToken.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Parses a template's tags and the text between them. */
final class JinjaParser {
    private final JinjaCursor cursor;
    private final JinjaExpressionParser expressions;
    private int loops;

    private JinjaParser(JinjaCursor cursor) {
        this.cursor = cursor;
        this.expressions = new JinjaExpressionParser(cursor);
    }

    static List<JinjaStatement> parse(String source) {
        JinjaParser parser = new JinjaParser(new JinjaCursor(JinjaLexer.tokens(source)));
        List<JinjaStatement> statements = parser.body(0, "");
        parser.expressions.requireAllKnown();
        return statements;
    }

    /** Statements up to a tag whose name is one of {@code ends}; the tag's beginning and name are consumed. */
    private List<JinjaStatement> body(int openedAt, String opened, String... ends) {
        cursor.enter();
        List<JinjaStatement> statements = new ArrayList<>();
        while (true) {
            JinjaToken token = cursor.next();
            switch (token.kind()) {
                case TEXT -> statements.add(new JinjaStatement.Text(token.line(), token.text()));
                case OUTPUT_BEGIN -> {
                    statements.add(new JinjaStatement.Output(token.line(), expressions.expressionOrTuple()));
                    cursor.expect(Kind.OUTPUT_END, "'}}'");
                }
                case TAG_BEGIN -> {
                    if (cursor.current().is(Kind.NAME)
                            && List.of(ends).contains(cursor.current().text())) {
                        cursor.leave();
                        return statements;
                    }
                    statements.add(tag());
                }
                default -> {
                    if (ends.length > 0) {
                        throw JinjaException.of("the block '" + opened + "' that begins here has no end", openedAt);
                    }
                    cursor.leave();
                    return statements;
                }
            }
        }
    }

    private void endTag() {
        cursor.expect(Kind.TAG_END, "'%}'");
    }

    /** The body of a block that ends with {@code end}, whose tag is consumed. */
    private List<JinjaStatement> blockBody(int line, String name) {
        endTag();
        List<JinjaStatement> statements = body(line, name, "end" + name);
        cursor.next();
        endTag();
        return statements;
    }

    private JinjaStatement tag() {
        JinjaToken token = cursor.expect(Kind.NAME, "the name of a tag");
        int line = token.line();
        return switch (token.text()) {
            case "if" -> conditional(line);
            case "for" -> loop(line);
            case "set" -> assignment(line);
            case "macro" -> macro(line);
            case "call" -> call(line);
            case "filter" ->
                new JinjaStatement.FilterBlock(line, expressions.filterChain(false), blockBody(line, "filter"));
            case "with" -> with(line);
            case "generation" -> new JinjaStatement.Scoped(line, functionBody(line, "generation"));
            case "autoescape" -> autoescape(line);
            case "print" -> {
                JinjaExpression value = expressions.expressionOrTuple();
                endTag();
                yield new JinjaStatement.Output(line, value);
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw JinjaException.of("'" + token.text() + "' outside of a for block", line);
                }
                endTag();
                yield token.text().equals("break") ? new JinjaStatement.Break(line) : new JinjaStatement.Continue(line);
            }
            default -> {
                if (token.text().startsWith("end") || token.text().startsWith("el")) {
                    throw JinjaException.of("the tag '" + token.text() + "' closes or continues nothing", line);
                }
                throw JinjaException.of("the tag '" + token.text() + "' is not supported", line);
            }
        };
    }

    /** A body that becomes a function of its own, out of which no loop can be left. */
    private List<JinjaStatement> functionBody(int line, String name) {
        int outerLoops = loops;
        loops = 0;
        List<JinjaStatement> statements = blockBody(line, name);
        loops = outerLoops;
        return statements;
    }

    private JinjaStatement conditional(int line) {
        List<JinjaStatement.Branch> branches = new ArrayList<>();
        List<JinjaStatement> otherwise = List.of();
        int unknownBefore = expressions.unknownCount();
        JinjaToken next;
        do {
            JinjaExpression condition = expressions.expressionOrTuple();
            endTag();
            branches.add(new JinjaStatement.Branch(condition, body(line, "if", "elif", "else", "endif")));
            next = cursor.next();
        } while (next.isName("elif"));
        if (next.isName("else")) {
            endTag();
            otherwise = body(line, "if", "endif");
            cursor.next();
        }
        endTag();
        expressions.forgetUnknown(unknownBefore);
        return new JinjaStatement.If(line, branches, otherwise);
    }

    private JinjaStatement loop(int line) {
        Target target = target(false);
        cursor.expectName("in");
        JinjaExpression iterable = iterable();
        JinjaExpression condition = cursor.skipName("if") ? expressions.expression() : null;
        boolean recursive = cursor.skipName("recursive");
        endTag();
        loops++;
        List<JinjaStatement> statements = body(line, "for", "else", "endfor");
        loops--;
        List<JinjaStatement> otherwise = List.of();
        if (cursor.next().isName("else")) {
            endTag();
            otherwise = body(line, "for", "endfor");
            cursor.next();
        }
        endTag();
        return new JinjaStatement.For(line, target, iterable, condition, recursive, statements, otherwise);
    }

    /** What a loop runs over: an inline if would be taken for the loop's own condition. */
    private JinjaExpression iterable() {
        int line = cursor.line();
        JinjaExpression first = expressions.disjunction();
        if (!cursor.atOperator(",")) {
            return first;
        }
        List<JinjaExpression> items = new ArrayList<>(List.of(first));
        while (cursor.skipOperator(",") && !cursor.current().is(Kind.TAG_END) && !cursor.atName("recursive")) {
            items.add(expressions.disjunction());
        }
        return new JinjaExpression.TupleLiteral(line, items);
    }

    private JinjaStatement assignment(int line) {
        Target target = target(true);
        if (cursor.skipOperator("=")) {
            JinjaExpression value = expressions.expressionOrTuple();
            endTag();
            return new JinjaStatement.Assignment(line, target, value);
        }
        List<JinjaExpression.Filter> filters = expressions.filterChain(true);
        return new JinjaStatement.BlockAssignment(line, target, filters, blockBody(line, "set"));
    }

    private Target target(boolean attributes) {
        cursor.enter();
        Target first = singleTarget(attributes);
        if (cursor.atOperator(",")) {
            List<Target> targets = new ArrayList<>(List.of(first));
            while (cursor.skipOperator(",") && !cursor.atName("in") && !atTargetEnd()) {
                targets.add(singleTarget(attributes));
            }
            first = new JinjaStatement.TupleTarget(targets);
        }
        cursor.leave();
        return first;
    }

    private boolean atTargetEnd() {
        return cursor.atOperator("=")
                || cursor.atOperator(")")
                || cursor.current().is(Kind.TAG_END);
    }

    private Target singleTarget(boolean attributes) {
        if (cursor.skipOperator("(")) {
            Target inner = target(attributes);
            cursor.expectOperator(")");
            return inner;
        }
        JinjaToken token = cursor.expect(Kind.NAME, "a name to assign to");
        if (Set.of("true", "false", "none", "True", "False", "None").contains(token.text())) {
            throw JinjaException.of("'" + token.text() + "' cannot be assigned to", token.line());
        }
        if (attributes && cursor.skipOperator(".")) {
            return new JinjaStatement.AttributeTarget(token.text(), cursor.name());
        }
        return new JinjaStatement.NameTarget(token.text());
    }

    private JinjaStatement macro(int line) {
        String name = cursor.name();
        expressions.enterMacro();
        Parameters parameters = parameters();
        List<JinjaStatement> statements = functionBody(line, "macro");
        return new JinjaStatement.Macro(line, signature(name, parameters), statements);
    }

    private JinjaStatement call(int line) {
        expressions.enterMacro();
        Parameters parameters = cursor.atOperator("(") ? parameters() : new Parameters(List.of(), List.of());
        JinjaExpression called = expressions.expression();
        if (!(called instanceof JinjaExpression.Call call)) {
            throw JinjaException.of("a call block needs a call", line);
        }
        List<JinjaStatement> statements = functionBody(line, "call");
        return new JinjaStatement.CallBlock(line, signature("caller", parameters), call, statements);
    }

    private record Parameters(List<String> names, List<JinjaExpression> defaults) {}

    private Parameters parameters() {
        List<String> names = new ArrayList<>();
        List<JinjaExpression> defaults = new ArrayList<>();
        cursor.expectOperator("(");
        while (!cursor.skipOperator(")")) {
            if (!names.isEmpty()) {
                cursor.expectOperator(",");
                if (cursor.skipOperator(")")) {
                    break;
                }
            }
            names.add(cursor.name());
            if (cursor.skipOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw JinjaException.of("a parameter without default follows one with a default", cursor.line());
            }
        }
        return new Parameters(names, defaults);
    }

    private Signature signature(String name, Parameters parameters) {
        Set<String> mentioned = expressions.leaveMacro();
        return new Signature(
                name,
                parameters.names(),
                parameters.defaults(),
                mentioned.contains("varargs"),
                mentioned.contains("kwargs"),
                mentioned.contains("caller"));
    }

    private JinjaStatement with(int line) {
        List<Target> targets = new ArrayList<>();
        List<JinjaExpression> values = new ArrayList<>();
        while (!cursor.current().is(Kind.TAG_END)) {
            if (!targets.isEmpty()) {
                cursor.expectOperator(",");
            }
            targets.add(singleTarget(false));
            cursor.expectOperator("=");
            values.add(expressions.expression());
        }
        return new JinjaStatement.With(line, targets, values, blockBody(line, "with"));
    }

    private JinjaStatement autoescape(int line) {
        JinjaExpression value = expressions.expression();
        if (!(value instanceof JinjaExpression.Literal literal) || !Boolean.FALSE.equals(literal.value())) {
            throw JinjaException.of("the tag 'autoescape' is supported only with 'false'", line);
        }
        return new JinjaStatement.Scoped(line, blockBody(line, "autoescape"));
    }
}
