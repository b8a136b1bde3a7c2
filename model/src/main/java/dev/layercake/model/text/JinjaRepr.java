package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Tuple;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Writes a value as Python's repr does, within the budget. */
final class JinjaRepr {
    private static final int MAX_DEPTH = 500;

    private final JinjaBudget budget;
    private final StringBuilder output = new StringBuilder();
    private int depth;

    JinjaRepr(JinjaBudget budget) {
        this.budget = budget;
    }

    String repr(Object value) {
        write(value);
        return budget.text(output.toString());
    }

    private void write(Object value) {
        budget.step();
        if (++depth > MAX_DEPTH) {
            throw JinjaException.of("a value nests too deeply to be printed");
        }
        switch (value) {
            case String text -> output.append(JinjaText.repr(text));
            case JinjaValue.Markup markup ->
                output.append("Markup(").append(JinjaText.repr(markup.text())).append(')');
            case Boolean flag -> output.append(flag ? "True" : "False");
            case Double number -> output.append(JinjaText.repr(number));
            case Number number -> output.append(number);
            case List<?> list -> items("[", JinjaOperations.objects(list), "]");
            case Map<?, ?> map -> entries(JinjaOperations.objects(map));
            case JinjaValue.None none -> output.append("None");
            case JinjaValue.Undefined undefined -> output.append("Undefined");
            case Tuple tuple -> tuple(tuple);
            case JinjaValue.Namespace namespace -> {
                output.append("<Namespace ");
                entries(JinjaOperations.objects((Map<?, ?>) namespace.attributes()));
                output.append('>');
            }
            case JinjaValue.View view -> {
                output.append(view.type()).append('(');
                items("[", view.items(), "])");
            }
            case JinjaValue.Range range -> {
                output.append("range(").append(range.start()).append(", ").append(range.stop());
                output.append(range.step() == 1 ? ")" : ", " + range.step() + ")");
            }
            case JinjaValue.Loop loop ->
                output.append("<LoopContext ")
                        .append(loop.state().index())
                        .append('/')
                        .append(loop.state().length())
                        .append('>');
            case JinjaValue.Function function ->
                output.append("<function ").append(function.name()).append('>');
            default ->
                output.append("<").append(JinjaOperations.typeName(value)).append(" object>");
        }
        if (output.length() > JinjaBudget.MAX_TEXT) {
            budget.chargeText(output.length());
        }
        depth--;
    }

    private void tuple(Tuple tuple) {
        items("(", tuple.items(), tuple.items().size() == 1 ? ",)" : ")");
    }

    private void items(String open, List<Object> items, String close) {
        output.append(open);
        Iterator<Object> iterator = items.iterator();
        while (iterator.hasNext()) {
            write(iterator.next());
            if (iterator.hasNext()) {
                output.append(", ");
            }
        }
        output.append(close);
    }

    private void entries(Map<Object, Object> map) {
        output.append('{');
        boolean first = true;
        for (Map.Entry<Object, Object> entry : map.entrySet()) {
            if (!first) {
                output.append(", ");
            }
            first = false;
            write(entry.getKey());
            output.append(": ");
            write(entry.getValue());
        }
        output.append('}');
    }
}
