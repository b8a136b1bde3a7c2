package dev.layercake.model.text;

import java.time.Clock;
import java.util.List;
import java.util.Map;

/**
 * A parsed template: lexer, parser, syntax tree and interpreter of the part of Jinja 3.1 that one template file can use,
 * set up as transformers does for chat templates (sandboxed, without auto-escaping, with break and continue). Templates
 * that need other files (include, import, extends, block) are refused by name.
 */
final class JinjaTemplate {
    private final List<JinjaStatement> statements;

    private JinjaTemplate(List<JinjaStatement> statements) {
        this.statements = statements;
    }

    static JinjaTemplate parse(String source) {
        try {
            return new JinjaTemplate(JinjaParser.parse(source));
        } catch (JinjaException e) {
            throw e.toLayercakeException();
        }
    }

    String render(Map<String, ?> context, Clock clock) {
        JinjaBudget budget = new JinjaBudget();
        JinjaEvaluator evaluator = new JinjaEvaluator(budget);
        JinjaScope variables = new JinjaScope(JinjaGlobals.scope(evaluator.operations(), clock));
        context.forEach((name, value) -> variables.set(name, JinjaInput.value(name, value)));
        try {
            return new JinjaInterpreter(budget, evaluator).render(statements, new JinjaScope(variables));
        } catch (JinjaException e) {
            throw e.toLayercakeException();
        } catch (StackOverflowError e) {
            // The depth limit is meant to come first, but how deep a stack reaches is up to the caller's thread.
            throw JinjaException.of("the template nests or calls itself too deeply")
                    .toLayercakeException();
        }
    }
}
