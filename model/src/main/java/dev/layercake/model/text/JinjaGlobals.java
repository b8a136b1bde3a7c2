package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaValue.Function;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every chat template can call. */
final class JinjaGlobals {
    private final JinjaOperations operations;
    private final Clock clock;

    private JinjaGlobals(JinjaOperations operations, Clock clock) {
        this.operations = operations;
        this.clock = clock;
    }

    static JinjaScope scope(JinjaOperations operations, Clock clock) {
        JinjaGlobals globals = new JinjaGlobals(operations, clock);
        JinjaScope scope = new JinjaScope(null);
        define(scope, "range", globals::range);
        define(scope, "dict", arguments -> globals.dict("dict", arguments));
        define(scope, "namespace", globals::namespace);
        define(scope, "cycler", globals::cycler);
        define(scope, "joiner", globals::joiner);
        define(scope, "raise_exception", globals::raise);
        define(scope, "strftime_now", globals::now);
        return scope;
    }

    private static void define(JinjaScope scope, String name, JinjaValue.Body body) {
        scope.set(name, new Function(name, body));
    }

    private Object range(JinjaArguments arguments) {
        Bound bound = arguments.bind("range", 1, "start", "stop", "step");
        boolean onlyStop = bound.get(1) == null;
        long start = onlyStop ? 0 : integer(bound, 0);
        long stop = integer(bound, onlyStop ? 0 : 1);
        long step = bound.get(2) == null ? 1 : integer(bound, 2);
        if (step == 0) {
            throw JinjaException.of("range() arg 3 must not be zero");
        }
        long limit = Long.MAX_VALUE / 4;
        boolean huge = Math.max(Math.abs(start), Math.max(Math.abs(stop), Math.abs(step))) > limit;
        JinjaValue.Range range = new JinjaValue.Range(start, stop, step);
        if (huge || range.size() > JinjaBudget.MAX_RANGE) {
            throw JinjaException.of(
                    "Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + JinjaBudget.MAX_RANGE + ").");
        }
        return range;
    }

    private static long integer(Bound bound, int index) {
        Object value = bound.required(index);
        if (value instanceof JinjaValue.Undefined undefined) {
            throw undefined.failure();
        }
        if (value == JinjaValue.NONE) {
            throw JinjaException.of("'NoneType' object cannot be interpreted as an integer");
        }
        return bound.integer(index, 0);
    }

    private Map<Object, Object> dict(String function, JinjaArguments arguments) {
        Map<Object, Object> dict = new LinkedHashMap<>();
        if (arguments.positional().size() > 1) {
            throw JinjaException.of(function + " expected at most 1 argument, got "
                    + arguments.positional().size());
        }
        for (Object source : arguments.positional()) {
            if (source instanceof Map<?, ?> map) {
                operations.budget().charge(map.size());
                dict.putAll(JinjaOperations.objects(map));
                continue;
            }
            for (Object pair : operations.list(source)) {
                List<Object> parts = operations.list(pair);
                if (parts.size() != 2) {
                    throw JinjaException.of(function + " needs a mapping or pairs");
                }
                operations.put(dict, parts.get(0), parts.get(1));
            }
        }
        dict.putAll(arguments.named());
        return dict;
    }

    private Object namespace(JinjaArguments arguments) {
        Map<String, Object> attributes = new LinkedHashMap<>();
        dict("namespace", arguments).forEach((name, value) -> attributes.put(operations.text(name), value));
        return new JinjaValue.Namespace(attributes);
    }

    private Object cycler(JinjaArguments arguments) {
        if (arguments.positional().isEmpty()) {
            throw JinjaException.of("at least one item has to be provided");
        }
        return new JinjaValue.Cycler(arguments.positional());
    }

    private Object joiner(JinjaArguments arguments) {
        Object separator = arguments.bind("joiner", 0, "sep").get(0, ", ");
        boolean[] used = new boolean[1];
        return new Function("joiner", call -> {
            Object text = used[0] ? separator : "";
            used[0] = true;
            return text;
        });
    }

    private Object raise(JinjaArguments arguments) {
        Object message = arguments.bind("raise_exception", 1, "message").required(0);
        throw JinjaException.raisedByTemplate(operations.text(message));
    }

    private Object now(JinjaArguments arguments) {
        String pattern = arguments.bind("strftime_now", 1, "format").text(0);
        operations.budget().chargeText(pattern.length() * 16L);
        return JinjaStrftime.format(ZonedDateTime.now(clock), pattern);
    }
}
