package dev.layercake.model.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The syntax tree of an expression; every node knows the line it begins at. */
sealed interface JinjaExpression {
    int line();

    record Literal(int line, Object value) implements JinjaExpression {}

    record Name(int line, String name) implements JinjaExpression {}

    record ListLiteral(int line, List<JinjaExpression> items) implements JinjaExpression {}

    record TupleLiteral(int line, List<JinjaExpression> items) implements JinjaExpression {}

    record DictLiteral(int line, List<JinjaExpression> keys, List<JinjaExpression> values) implements JinjaExpression {}

    /** {@code target.name}. */
    record Attribute(int line, JinjaExpression target, String name) implements JinjaExpression {}

    /** {@code target[index]}. */
    record Item(int line, JinjaExpression target, JinjaExpression index) implements JinjaExpression {}

    /** {@code target[start:stop:step]}. */
    record Slice(
            int line,
            JinjaExpression target,
            @Nullable JinjaExpression start,
            @Nullable JinjaExpression stop,
            @Nullable JinjaExpression step)
            implements JinjaExpression {}

    record Call(int line, JinjaExpression callee, Arguments arguments) implements JinjaExpression {}

    /** {@code target | name(arguments)}; a filter block has no target of its own. */
    record Filter(int line, @Nullable JinjaExpression target, String name, Arguments arguments)
            implements JinjaExpression {}

    record Test(int line, JinjaExpression target, String name, Arguments arguments) implements JinjaExpression {}

    record Not(int line, JinjaExpression operand) implements JinjaExpression {}

    /** Unary minus or plus. */
    record Sign(int line, boolean negative, JinjaExpression operand) implements JinjaExpression {}

    record Logical(int line, boolean and, JinjaExpression left, JinjaExpression right) implements JinjaExpression {}

    /** One of {@code + - * / // % **}. */
    record Arithmetic(int line, String operator, JinjaExpression left, JinjaExpression right)
            implements JinjaExpression {}

    /** A chain {@code first op1 operand1 op2 operand2 ...}; all its links must hold. */
    record Comparison(int line, JinjaExpression first, List<String> operators, List<JinjaExpression> operands)
            implements JinjaExpression {}

    record Concatenation(int line, List<JinjaExpression> parts) implements JinjaExpression {}

    record Conditional(
            int line,
            JinjaExpression condition,
            JinjaExpression then,
            @Nullable JinjaExpression otherwise) implements JinjaExpression {}

    /** The arguments of a call, a filter or a test. */
    record Arguments(
            List<JinjaExpression> positional,
            List<String> names,
            List<JinjaExpression> named,
            @Nullable JinjaExpression moreNamed,
            @Nullable JinjaExpression morePositional) {
        static final Arguments NONE = new Arguments(List.of(), List.of(), List.of(), null, null);
    }
}
