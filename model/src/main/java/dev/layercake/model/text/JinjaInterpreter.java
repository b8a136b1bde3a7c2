package dev.layercake.model.text;

import dev.layercake.model.text.JinjaStatement.Signature;
import dev.layercake.model.text.JinjaStatement.Target;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Renders statements. */
final class JinjaInterpreter {
    /** How a statement ends: with the next one, or by leaving or going on with the loop around it. */
    private enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    private final JinjaBudget budget;
    private final JinjaOperations operations;
    private final JinjaEvaluator evaluator;

    JinjaInterpreter(JinjaBudget budget, JinjaEvaluator evaluator) {
        this.budget = budget;
        this.operations = evaluator.operations();
        this.evaluator = evaluator;
    }

    String render(List<JinjaStatement> statements, JinjaScope scope) {
        JinjaOutput output = new JinjaOutput(budget);
        run(statements, scope, output);
        return output.text();
    }

    private Flow run(List<JinjaStatement> statements, JinjaScope scope, JinjaOutput output) {
        for (JinjaStatement statement : statements) {
            budget.step();
            budget.enter();
            try {
                Flow flow = run(statement, scope, output);
                if (flow != Flow.NEXT) {
                    budget.leave();
                    return flow;
                }
            } catch (JinjaException e) {
                throw e.at(statement.line());
            }
            budget.leave();
        }
        return Flow.NEXT;
    }

    private Flow run(JinjaStatement statement, JinjaScope scope, JinjaOutput output) {
        switch (statement) {
            case JinjaStatement.Text text -> output.append(text.text());
            case JinjaStatement.Output shown ->
                output.append(operations.text(evaluator.evaluate(shown.expression(), scope)));
            case JinjaStatement.If conditional -> {
                return conditional(conditional, scope, output);
            }
            case JinjaStatement.For loop -> {
                return loop(loop, evaluator.evaluate(loop.iterable(), scope), 0, scope, output);
            }
            case JinjaStatement.Assignment assignment ->
                assign(assignment.target(), evaluator.evaluate(assignment.value(), scope), scope);
            case JinjaStatement.BlockAssignment block -> {
                JinjaOutput text = new JinjaOutput(budget);
                Flow flow = run(block.body(), new JinjaScope(scope), text);
                if (flow != Flow.NEXT) {
                    return flow;
                }
                assign(block.target(), filtered(text, block.filters(), scope), scope);
            }
            case JinjaStatement.Macro macro ->
                scope.set(macro.signature().name(), function(macro.signature(), macro.body(), scope));
            case JinjaStatement.CallBlock block ->
                output.append(operations.text(evaluator.call(
                        block.call(), Map.of("caller", function(block.signature(), block.body(), scope)), scope)));
            case JinjaStatement.FilterBlock block -> {
                JinjaOutput text = new JinjaOutput(budget);
                Flow flow = run(block.body(), new JinjaScope(scope), text);
                if (flow != Flow.NEXT) {
                    return flow;
                }
                output.append(operations.text(filtered(text, block.filters(), scope)));
            }
            case JinjaStatement.With with -> {
                JinjaScope inner = new JinjaScope(scope);
                for (int i = 0; i < with.targets().size(); i++) {
                    assign(
                            with.targets().get(i),
                            evaluator.evaluate(with.values().get(i), scope),
                            inner);
                }
                return run(with.body(), inner, output);
            }
            case JinjaStatement.Scoped scoped -> {
                return run(scoped.body(), new JinjaScope(scope), output);
            }
            case JinjaStatement.Break leave -> {
                return Flow.BREAK;
            }
            case JinjaStatement.Continue next -> {
                return Flow.CONTINUE;
            }
        }
        return Flow.NEXT;
    }

    private Flow conditional(JinjaStatement.If conditional, JinjaScope scope, JinjaOutput output) {
        for (JinjaStatement.Branch branch : conditional.branches()) {
            if (JinjaOperations.truth(evaluator.evaluate(branch.condition(), scope))) {
                return run(branch.body(), scope, output);
            }
        }
        return run(conditional.otherwise(), scope, output);
    }

    private Object filtered(JinjaOutput text, List<JinjaExpression.Filter> filters, JinjaScope scope) {
        Object value = text.text();
        for (JinjaExpression.Filter filter : filters) {
            value = evaluator.filter(filter, value, scope);
        }
        return value;
    }

    private Flow loop(JinjaStatement.For block, Object iterable, int depth, JinjaScope scope, JinjaOutput output) {
        Iterator<Object> source = operations.iterate(iterable);
        JinjaExpression condition = block.condition();
        if (condition != null) {
            source = new JinjaSelection(source, element -> {
                JinjaScope inner = new JinjaScope(scope);
                assign(block.target(), element, inner);
                return JinjaOperations.truth(evaluator.evaluate(condition, inner));
            });
        }
        JinjaLoop loop = new JinjaLoop(
                operations,
                source,
                depth,
                block.recursive() ? arguments -> recursion(block, arguments, depth, scope) : null);
        boolean empty = true;
        while (loop.hasNext()) {
            empty = false;
            JinjaScope inner = new JinjaScope(scope);
            inner.set("loop", new JinjaValue.Loop(loop));
            assign(block.target(), loop.next(), inner);
            if (run(block.body(), inner, output) == Flow.BREAK) {
                break;
            }
        }
        return empty ? run(block.otherwise(), new JinjaScope(scope), output) : Flow.NEXT;
    }

    private Object recursion(JinjaStatement.For block, JinjaArguments arguments, int depth, JinjaScope scope) {
        Object iterable = arguments.bind("loop", 1, "iterable").required(0);
        JinjaOutput output = new JinjaOutput(budget);
        loop(block, iterable, depth + 1, scope, output);
        return output.text();
    }

    private void assign(Target target, Object value, JinjaScope scope) {
        switch (target) {
            case JinjaStatement.NameTarget name -> scope.set(name.name(), value);
            case JinjaStatement.AttributeTarget attribute -> {
                if (!(scope.find(attribute.name()) instanceof JinjaValue.Namespace namespace)) {
                    throw JinjaException.of("cannot assign attribute on non-namespace object");
                }
                namespace.attributes().put(attribute.attribute(), value);
            }
            case JinjaStatement.TupleTarget tuple -> {
                List<Object> items = operations.list(value);
                if (items.size() != tuple.targets().size()) {
                    throw JinjaException.of((items.size() > tuple.targets().size() ? "too many" : "not enough")
                            + " values to unpack (expected " + tuple.targets().size() + ", got " + items.size() + ")");
                }
                for (int i = 0; i < items.size(); i++) {
                    assign(tuple.targets().get(i), items.get(i), scope);
                }
            }
        }
    }

    private JinjaValue.Function function(Signature signature, List<JinjaStatement> body, JinjaScope definition) {
        return new JinjaValue.Function(signature.name(), arguments -> {
            JinjaScope scope = new JinjaScope(definition);
            bind(signature, arguments, scope);
            budget.enter();
            String text = render(body, scope);
            budget.leave();
            return text;
        });
    }

    private void bind(Signature signature, JinjaArguments arguments, JinjaScope scope) {
        List<Object> positional = arguments.positional();
        List<String> parameters = signature.parameters();
        Map<String, Object> named = new LinkedHashMap<>(arguments.named());
        Object caller = named.remove("caller");
        if (caller != null || signature.takesCaller()) {
            if (caller != null && !signature.takesCaller()) {
                throw JinjaException.of("macro '" + signature.name() + "' takes no keyword argument 'caller'");
            }
            scope.set("caller", caller == null ? new Undefined("No caller defined") : caller);
        }
        int firstDefault = parameters.size() - signature.defaults().size();
        for (int i = 0; i < parameters.size(); i++) {
            String parameter = parameters.get(i);
            Object value = i < positional.size() ? positional.get(i) : named.remove(parameter);
            if (value == null) {
                value = i < firstDefault
                        ? new Undefined("parameter '" + parameter + "' was not provided")
                        : evaluator.evaluate(signature.defaults().get(i - firstDefault), scope);
            }
            scope.set(parameter, value);
        }
        List<Object> more = positional.size() > parameters.size()
                ? new ArrayList<>(positional.subList(parameters.size(), positional.size()))
                : List.of();
        if (signature.takesMorePositional()) {
            scope.set("varargs", JinjaValue.Tuple.of(more));
        } else if (!more.isEmpty()) {
            throw JinjaException.of(
                    "macro '" + signature.name() + "' takes not more than " + parameters.size() + " argument(s)");
        }
        if (signature.takesMoreNamed()) {
            scope.set("kwargs", new LinkedHashMap<Object, Object>(named));
        } else if (!named.isEmpty()) {
            throw JinjaException.of("macro '" + signature.name() + "' takes no keyword argument '"
                    + named.keySet().iterator().next() + "'");
        }
    }
}
