package dev.layercake.model.text;

import dev.layercake.model.text.JinjaExpression.Arguments;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Computes the value of expressions. */
final class JinjaEvaluator {
    private final JinjaBudget budget;
    private final JinjaOperations operations;
    private final JinjaArithmetic arithmetic;
    private final JinjaAccess access;

    JinjaEvaluator(JinjaBudget budget) {
        this.budget = budget;
        this.operations = new JinjaOperations(budget);
        this.arithmetic = new JinjaArithmetic(operations);
        this.access = new JinjaAccess(operations);
    }

    JinjaOperations operations() {
        return operations;
    }

    JinjaArithmetic arithmetic() {
        return arithmetic;
    }

    JinjaAccess access() {
        return access;
    }

    Object evaluate(JinjaExpression expression, JinjaScope scope) {
        budget.step();
        budget.enter();
        try {
            Object value = compute(expression, scope);
            budget.leave();
            return value;
        } catch (JinjaException e) {
            throw e.at(expression.line());
        }
    }

    private Object compute(JinjaExpression expression, JinjaScope scope) {
        return switch (expression) {
            case JinjaExpression.Literal literal -> literal.value();
            case JinjaExpression.Name name -> {
                Object value = scope.find(name.name());
                yield value == null ? Undefined.name(name.name()) : value;
            }
            case JinjaExpression.ListLiteral list -> all(list.items(), scope);
            case JinjaExpression.TupleLiteral tuple -> JinjaValue.Tuple.of(all(tuple.items(), scope));
            case JinjaExpression.DictLiteral dict -> dict(dict, scope);
            case JinjaExpression.Attribute attribute ->
                access.attribute(evaluate(attribute.target(), scope), attribute.name());
            case JinjaExpression.Item item ->
                access.item(evaluate(item.target(), scope), evaluate(item.index(), scope));
            case JinjaExpression.Slice slice ->
                access.slice(
                        evaluate(slice.target(), scope),
                        bound(slice.start(), scope),
                        bound(slice.stop(), scope),
                        bound(slice.step(), scope));
            case JinjaExpression.Call call -> call(call, Map.of(), scope);
            case JinjaExpression.Filter filter -> {
                JinjaExpression target = filter.target();
                yield filter(filter, target == null ? "" : evaluate(target, scope), scope);
            }
            case JinjaExpression.Test test ->
                JinjaTests.test(
                        this,
                        test.name(),
                        evaluate(test.target(), scope),
                        arguments(test.arguments(), Map.of(), scope));
            case JinjaExpression.Not not -> !JinjaOperations.truth(evaluate(not.operand(), scope));
            case JinjaExpression.Sign sign -> JinjaArithmetic.signed(sign.negative(), evaluate(sign.operand(), scope));
            case JinjaExpression.Logical logical -> {
                Object left = evaluate(logical.left(), scope);
                yield JinjaOperations.truth(left) == logical.and() ? evaluate(logical.right(), scope) : left;
            }
            case JinjaExpression.Arithmetic sum -> chain(sum, scope);
            case JinjaExpression.Comparison comparison -> comparison(comparison, scope);
            case JinjaExpression.Concatenation concatenation -> concatenation(concatenation, scope);
            case JinjaExpression.Conditional conditional -> {
                if (JinjaOperations.truth(evaluate(conditional.condition(), scope))) {
                    yield evaluate(conditional.then(), scope);
                }
                JinjaExpression otherwise = conditional.otherwise();
                yield otherwise == null
                        ? new Undefined("the inline if-expression evaluated to false and no else section was defined")
                        : evaluate(otherwise, scope);
            }
        };
    }

    /** Computes a chain like a + b + c from its left end, without a level of depth for each of its links. */
    private Object chain(JinjaExpression.Arithmetic last, JinjaScope scope) {
        Deque<JinjaExpression.Arithmetic> links = new ArrayDeque<>();
        JinjaExpression first = last;
        while (first instanceof JinjaExpression.Arithmetic link) {
            budget.step();
            links.push(link);
            first = link.left();
        }
        Object value = evaluate(first, scope);
        for (JinjaExpression.Arithmetic link : links) {
            try {
                value = arithmetic.apply(link.operator(), value, evaluate(link.right(), scope));
            } catch (JinjaException e) {
                throw e.at(link.line());
            }
        }
        return value;
    }

    private List<Object> all(List<JinjaExpression> expressions, JinjaScope scope) {
        List<Object> values = new ArrayList<>(expressions.size());
        for (JinjaExpression expression : expressions) {
            values.add(evaluate(expression, scope));
        }
        return values;
    }

    private Map<Object, Object> dict(JinjaExpression.DictLiteral dict, JinjaScope scope) {
        Map<Object, Object> values = new LinkedHashMap<>();
        for (int i = 0; i < dict.keys().size(); i++) {
            Object key = evaluate(dict.keys().get(i), scope);
            operations.put(values, key, evaluate(dict.values().get(i), scope));
        }
        return values;
    }

    private @Nullable Object bound(@Nullable JinjaExpression expression, JinjaScope scope) {
        Object value = expression == null ? JinjaValue.NONE : evaluate(expression, scope);
        return value == JinjaValue.NONE ? null : value;
    }

    private Object comparison(JinjaExpression.Comparison comparison, JinjaScope scope) {
        Object left = evaluate(comparison.first(), scope);
        for (int i = 0; i < comparison.operators().size(); i++) {
            Object right = evaluate(comparison.operands().get(i), scope);
            if (!holds(comparison.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    /** Whether a comparison holds. */
    boolean holds(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> operations.equal(left, right);
            case "!=" -> !operations.equal(left, right);
            case "in" -> operations.contains(right, left);
            case "not in" -> !operations.contains(right, left);
            default -> ordered(operator, left, right);
        };
    }

    private boolean ordered(String operator, Object left, Object right) {
        if (isNan(left) || isNan(right)) {
            return false;
        }
        int order = operations.compare(left, right, operator);
        return switch (operator) {
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
    }

    private static boolean isNan(Object value) {
        return value instanceof Double number && Double.isNaN(number);
    }

    private String concatenation(JinjaExpression.Concatenation concatenation, JinjaScope scope) {
        StringBuilder text = new StringBuilder();
        for (JinjaExpression part : concatenation.parts()) {
            String more = operations.text(evaluate(part, scope));
            budget.chargeText((long) text.length() + more.length());
            text.append(more);
        }
        return text.toString();
    }

    Object filter(JinjaExpression.Filter filter, Object value, JinjaScope scope) {
        try {
            return JinjaFilters.apply(this, filter.name(), value, arguments(filter.arguments(), Map.of(), scope));
        } catch (JinjaException e) {
            throw e.at(filter.line());
        }
    }

    /** Calls what an expression names, with some named arguments more than it gives. */
    Object call(JinjaExpression.Call call, Map<String, Object> extra, JinjaScope scope) {
        Object callee = evaluate(call.callee(), scope);
        JinjaArguments arguments = arguments(call.arguments(), extra, scope);
        return switch (callee) {
            case JinjaValue.Function function -> function.body().call(arguments);
            case JinjaValue.Loop loop -> loop.state().recurse(arguments);
            case Undefined undefined -> throw undefined.failure();
            default -> throw JinjaException.of("'" + JinjaOperations.typeName(callee) + "' object is not callable");
        };
    }

    private JinjaArguments arguments(Arguments arguments, Map<String, Object> extra, JinjaScope scope) {
        if (arguments.equals(Arguments.NONE) && extra.isEmpty()) {
            return JinjaArguments.NONE;
        }
        List<Object> positional = all(arguments.positional(), scope);
        JinjaExpression morePositional = arguments.morePositional();
        if (morePositional != null) {
            positional.addAll(operations.list(evaluate(morePositional, scope)));
        }
        Map<String, Object> named = new LinkedHashMap<>();
        for (int i = 0; i < arguments.names().size(); i++) {
            named.put(arguments.names().get(i), evaluate(arguments.named().get(i), scope));
        }
        named.putAll(extra);
        JinjaExpression moreNamed = arguments.moreNamed();
        if (moreNamed != null) {
            if (!(evaluate(moreNamed, scope) instanceof Map<?, ?> map)) {
                throw JinjaException.of("the argument after ** must be a mapping");
            }
            JinjaOperations.objects(map).forEach((name, value) -> {
                if (!(name instanceof String text)) {
                    throw JinjaException.of("keywords must be strings");
                }
                if (named.put(text, value) != null) {
                    throw JinjaException.of("got multiple values for keyword argument '" + text + "'");
                }
            });
        }
        return new JinjaArguments(positional, named);
    }
}
