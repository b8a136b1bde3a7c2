package dev.layercake.model.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The syntax tree of a template outside of expressions; every node knows the line it begins at. */
sealed interface JinjaStatement {
    int line();

    record Text(int line, String text) implements JinjaStatement {}

    record Output(int line, JinjaExpression expression) implements JinjaStatement {}

    record If(int line, List<Branch> branches, List<JinjaStatement> otherwise) implements JinjaStatement {}

    /** The {@code if} or one {@code elif} of an if block. */
    record Branch(JinjaExpression condition, List<JinjaStatement> body) {}

    record For(
            int line,
            Target target,
            JinjaExpression iterable,
            @Nullable JinjaExpression condition,
            boolean recursive,
            List<JinjaStatement> body,
            List<JinjaStatement> otherwise)
            implements JinjaStatement {}

    record Assignment(int line, Target target, JinjaExpression value) implements JinjaStatement {}

    /** {@code {% set target %}body{% endset %}}; the filters are applied to the rendered body. */
    record BlockAssignment(int line, Target target, List<JinjaExpression.Filter> filters, List<JinjaStatement> body)
            implements JinjaStatement {}

    record Macro(int line, Signature signature, List<JinjaStatement> body) implements JinjaStatement {}

    /** {@code {% call(...) macro(...) %}body{% endcall %}}. */
    record CallBlock(int line, Signature signature, JinjaExpression.Call call, List<JinjaStatement> body)
            implements JinjaStatement {}

    record FilterBlock(int line, List<JinjaExpression.Filter> filters, List<JinjaStatement> body)
            implements JinjaStatement {}

    record With(int line, List<Target> targets, List<JinjaExpression> values, List<JinjaStatement> body)
            implements JinjaStatement {}

    /** A body with a scope of its own and no other effect, as a generation block is when text is rendered. */
    record Scoped(int line, List<JinjaStatement> body) implements JinjaStatement {}

    record Break(int line) implements JinjaStatement {}

    record Continue(int line) implements JinjaStatement {}

    /** What a value can be assigned to. */
    sealed interface Target {}

    record NameTarget(String name) implements Target {}

    record AttributeTarget(String name, String attribute) implements Target {}

    record TupleTarget(List<Target> targets) implements Target {}

    /**
     * The parameters of a macro; defaults belong to the last ones. The flags say whether the body asks for
     * {@code varargs} and {@code kwargs}, without which extra arguments are refused.
     */
    record Signature(
            String name,
            List<String> parameters,
            List<JinjaExpression> defaults,
            boolean takesMorePositional,
            boolean takesMoreNamed,
            boolean takesCaller) {}
}
