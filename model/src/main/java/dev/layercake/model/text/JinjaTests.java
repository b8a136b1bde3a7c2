package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Undefined;
import java.math.BigInteger;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/** The tests that {@code is} applies, by their names. */
final class JinjaTests {
    /** One test. */
    @FunctionalInterface
    private interface Test {
        boolean holds(JinjaEvaluator evaluator, Object value, JinjaArguments arguments);
    }

    private static final Map<String, Test> TESTS = tests();

    private JinjaTests() {}

    static boolean exists(String name) {
        return TESTS.containsKey(name);
    }

    static JinjaException unknown(String name) {
        return JinjaException.of("test '" + name + "' is not supported");
    }

    static boolean test(JinjaEvaluator evaluator, String name, Object value, JinjaArguments arguments) {
        Test test = TESTS.get(name);
        if (test == null) {
            throw unknown(name);
        }
        return test.holds(evaluator, value, arguments);
    }

    private static Test simple(String name, Predicate<Object> predicate) {
        return (evaluator, value, arguments) -> {
            arguments.bind(name, 0);
            return predicate.test(value);
        };
    }

    private static void comparison(Map<String, Test> tests, String operator, String... names) {
        Test test = (evaluator, value, arguments) -> evaluator.holds(
                operator, value, arguments.bind(names[0], 1, "other").required(0));
        for (String name : names) {
            tests.put(name, test);
        }
    }

    private static Map<String, Test> tests() {
        Map<String, Test> tests = new HashMap<>();
        comparison(tests, "==", "eq", "equalto", "==");
        comparison(tests, "!=", "ne", "!=");
        comparison(tests, "<", "lt", "lessthan", "<");
        comparison(tests, "<=", "le", "<=");
        comparison(tests, ">", "gt", "greaterthan", ">");
        comparison(tests, ">=", "ge", ">=");
        comparison(tests, "in", "in");
        tests.put("defined", simple("defined", value -> !(value instanceof Undefined)));
        tests.put("undefined", simple("undefined", Undefined.class::isInstance));
        tests.put("none", simple("none", value -> value == JinjaValue.NONE));
        tests.put("boolean", simple("boolean", Boolean.class::isInstance));
        tests.put("true", simple("true", Boolean.TRUE::equals));
        tests.put("false", simple("false", Boolean.FALSE::equals));
        tests.put("integer", simple("integer", value -> value instanceof Long || value instanceof BigInteger));
        tests.put("float", simple("float", Double.class::isInstance));
        tests.put("number", simple("number", value -> JinjaArithmetic.numberOrNull(value) != null));
        tests.put("string", simple("string", value -> JinjaOperations.textOrNull(value) != null));
        tests.put("mapping", simple("mapping", Map.class::isInstance));
        tests.put("callable", simple("callable", JinjaTests::callable));
        tests.put("escaped", simple("escaped", JinjaValue.Markup.class::isInstance));
        tests.put("filter", simple("filter", value -> value instanceof String name && JinjaFilters.exists(name)));
        tests.put("test", simple("test", value -> value instanceof String name && exists(name)));
        tests.put(
                "iterable",
                (evaluator, value, arguments) -> evaluator.operations().iterable(value));
        tests.put("sequence", (evaluator, value, arguments) -> sequence(evaluator, value));
        tests.put("lower", cased("islower"));
        tests.put("upper", cased("isupper"));
        tests.put("odd", (evaluator, value, arguments) -> remainder(evaluator, value, 2L, 1L));
        tests.put("even", (evaluator, value, arguments) -> remainder(evaluator, value, 2L, 0L));
        tests.put(
                "divisibleby",
                (evaluator, value, arguments) -> remainder(
                        evaluator,
                        value,
                        arguments.bind("divisibleby", 1, "num").required(0),
                        0L));
        tests.put(
                "sameas",
                (evaluator, value, arguments) ->
                        same(value, arguments.bind("sameas", 1, "other").required(0)));
        return Map.copyOf(tests);
    }

    private static boolean callable(Object value) {
        return value instanceof JinjaValue.Function || value instanceof JinjaValue.Loop || value instanceof Undefined;
    }

    private static boolean sequence(JinjaEvaluator evaluator, Object value) {
        return evaluator.operations().lengthOrNull(value) != null
                && !(value instanceof JinjaValue.View)
                && !(value instanceof JinjaValue.Loop);
    }

    private static Test cased(String method) {
        return (evaluator, value, arguments) -> {
            JinjaOperations operations = evaluator.operations();
            return Boolean.TRUE.equals(
                    JinjaTextMethods.call(operations, operations.text(value), method, JinjaArguments.NONE));
        };
    }

    private static boolean remainder(JinjaEvaluator evaluator, Object value, Object divisor, Object wanted) {
        Object remainder = evaluator.arithmetic().apply("%", value, divisor);
        return evaluator.operations().equal(remainder, wanted);
    }

    /** Identity; for scalars, whose identity Python does not promise, type and value. */
    @SuppressWarnings("ReferenceEquality")
    private static boolean same(Object left, Object right) {
        boolean scalar = left instanceof String || left instanceof Boolean || left instanceof Long;
        return left == right || (scalar && left.equals(right));
    }
}
