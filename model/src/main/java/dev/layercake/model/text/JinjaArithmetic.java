package dev.layercake.model.text;

import dev.layercake.model.text.JinjaValue.Markup;
import dev.layercake.model.text.JinjaValue.Tuple;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Python's arithmetic operators on numbers, texts and sequences; integers do not overflow, they grow. */
final class JinjaArithmetic {
    /** Integers beyond this are refused: nothing a prompt needs, but a way to burn time. */
    private static final int MAX_BITS = 16_384;

    private final JinjaOperations operations;
    private final JinjaBudget budget;

    JinjaArithmetic(JinjaOperations operations) {
        this.operations = operations;
        this.budget = operations.budget();
    }

    /** An int, float or bool (which counts as 0 or 1) as a number, or null. */
    static @Nullable Object numberOrNull(Object value) {
        return switch (value) {
            case Boolean flag -> flag ? 1L : 0L;
            case Long number -> number;
            case BigInteger number -> number;
            case Double number -> number;
            default -> null;
        };
    }

    /** The smallest type that holds an integer. */
    static Object shrink(BigInteger value) {
        if (value.bitLength() > MAX_BITS) {
            throw JinjaException.of("an integer is larger than " + MAX_BITS + " bits");
        }
        if (value.bitLength() < Long.SIZE) {
            return value.longValue();
        }
        return value;
    }

    static boolean equal(Object left, Object right) {
        if (isNan(left) || isNan(right)) {
            return false;
        }
        return compare(left, right) == 0;
    }

    private static boolean isNan(Object number) {
        return number instanceof Double value && Double.isNaN(value);
    }

    static int compare(Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            return Long.compare(a, b);
        }
        if (finite(left) && finite(right)) {
            return exact(left).compareTo(exact(right));
        }
        // Not Double.compare: to Python both zeros are the same.
        double a = real(left);
        double b = real(right);
        return a < b ? -1 : a > b ? 1 : 0;
    }

    private static boolean finite(Object number) {
        return !(number instanceof Double value) || Double.isFinite(value);
    }

    private static BigDecimal exact(Object number) {
        return switch (number) {
            case Long value -> BigDecimal.valueOf(value);
            case BigInteger value -> new BigDecimal(value);
            default -> new BigDecimal(real(number));
        };
    }

    static double real(Object number) {
        return ((Number) number).doubleValue();
    }

    static BigInteger integer(Object number) {
        return number instanceof BigInteger value ? value : BigInteger.valueOf(((Number) number).longValue());
    }

    Object apply(String operator, Object left, Object right) {
        if (left instanceof Undefined undefined) {
            throw undefined.failure();
        }
        String leftText = JinjaOperations.textOrNull(left);
        if (operator.equals("%") && leftText != null) {
            String formatted = new JinjaFormat(operations).percent(leftText, right, left instanceof Markup);
            return left instanceof Markup ? new Markup(formatted) : formatted;
        }
        if (right instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object leftNumber = numberOrNull(left);
        Object rightNumber = numberOrNull(right);
        if (leftNumber != null && rightNumber != null) {
            return numbers(operator, leftNumber, rightNumber);
        }
        if (operator.equals("+")) {
            Object sum = concatenated(left, right);
            if (sum != null) {
                return sum;
            }
        }
        if (operator.equals("*")) {
            Object product = rightNumber != null && !(rightNumber instanceof Double)
                    ? repeated(left, integer(rightNumber))
                    : leftNumber != null && !(leftNumber instanceof Double)
                            ? repeated(right, integer(leftNumber))
                            : null;
            if (product != null) {
                return product;
            }
        }
        if (operator.equals("+") && leftText != null) {
            throw JinjaException.of(
                    "can only concatenate str (not \"" + JinjaOperations.typeName(right) + "\") to str");
        }
        throw JinjaException.of("unsupported operand type(s) for " + operator + ": '" + JinjaOperations.typeName(left)
                + "' and '" + JinjaOperations.typeName(right) + "'");
    }

    private @Nullable Object concatenated(Object left, Object right) {
        String leftText = JinjaOperations.textOrNull(left);
        String rightText = JinjaOperations.textOrNull(right);
        if (leftText != null && rightText != null) {
            if (left instanceof Markup || right instanceof Markup) {
                String a = left instanceof Markup ? leftText : JinjaText.escape(leftText);
                String b = right instanceof Markup ? rightText : JinjaText.escape(rightText);
                return new Markup(budget.text(a + b));
            }
            budget.chargeText((long) leftText.length() + rightText.length());
            return leftText + rightText;
        }
        if (left instanceof List<?> a && right instanceof List<?> b) {
            return joined(a, b);
        }
        if (left instanceof Tuple a && right instanceof Tuple b) {
            return Tuple.of(joined(a.items(), b.items()));
        }
        return null;
    }

    private List<Object> joined(List<?> left, List<?> right) {
        budget.charge((long) left.size() + right.size());
        List<Object> sum = new ArrayList<>(left);
        sum.addAll(right);
        return sum;
    }

    private @Nullable Object repeated(Object value, BigInteger times) {
        if (times.bitLength() >= Integer.SIZE && times.signum() > 0) {
            throw JinjaException.of("a repetition is too long");
        }
        int count = Math.max(0, times.intValue());
        String text = JinjaOperations.textOrNull(value);
        if (text != null) {
            budget.chargeText((long) text.length() * count);
            String product = text.repeat(count);
            return value instanceof Markup ? new Markup(product) : product;
        }
        if (value instanceof List<?> list) {
            return repeated(list, count);
        }
        return value instanceof Tuple tuple ? Tuple.of(repeated(tuple.items(), count)) : null;
    }

    private List<Object> repeated(List<?> list, int count) {
        budget.charge((long) list.size() * count);
        List<Object> product = new ArrayList<>();
        for (int i = 0; i < count && !list.isEmpty(); i++) {
            product.addAll(list);
        }
        return product;
    }

    private Object numbers(String operator, Object left, Object right) {
        budget.step();
        if (operator.equals("**")) {
            return power(left, right);
        }
        if (left instanceof Double || right instanceof Double || operator.equals("/")) {
            return reals(operator, left, right);
        }
        BigInteger a = integer(left);
        BigInteger b = integer(right);
        return shrink(
                switch (operator) {
                    case "+" -> a.add(b);
                    case "-" -> a.subtract(b);
                    case "*" -> a.multiply(b);
                    case "//" -> floorDivide(a, b);
                    default -> a.subtract(floorDivide(a, b).multiply(b));
                });
    }

    private static BigInteger floorDivide(BigInteger a, BigInteger b) {
        if (b.signum() == 0) {
            throw JinjaException.of("integer division or modulo by zero");
        }
        BigInteger[] parts = a.divideAndRemainder(b);
        return parts[1].signum() != 0 && parts[1].signum() != b.signum() ? parts[0].subtract(BigInteger.ONE) : parts[0];
    }

    private static Object reals(String operator, Object left, Object right) {
        double a = real(left);
        double b = real(right);
        boolean divides = operator.equals("/") || operator.equals("//") || operator.equals("%");
        if (divides && b == 0) {
            throw JinjaException.of("division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> left instanceof Double || right instanceof Double ? a / b : quotient(left, right);
            case "//" -> Math.rint((a - modulo(a, b)) / b);
            default -> modulo(a, b);
        };
    }

    private static double quotient(Object left, Object right) {
        BigDecimal exact = exact(left).divide(exact(right), MathContext.DECIMAL128);
        return exact.doubleValue();
    }

    private static double modulo(double a, double b) {
        double remainder = a % b;
        return remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
    }

    private static Object power(Object left, Object right) {
        if (left instanceof Double || right instanceof Double || integer(right).signum() < 0) {
            if (real(left) == 0 && real(right) < 0) {
                throw JinjaException.of("0.0 cannot be raised to a negative power");
            }
            return Math.pow(real(left), real(right));
        }
        BigInteger base = integer(left);
        BigInteger exponent = integer(right);
        boolean trivial = base.bitLength() <= 1 && base.abs().compareTo(BigInteger.ONE) <= 0;
        if (trivial) {
            return base.signum() < 0 && exponent.testBit(0)
                    ? -1L
                    : base.signum() == 0 && exponent.signum() > 0 ? 0L : 1L;
        }
        if (exponent.bitLength() > 16 || (long) base.bitLength() * exponent.intValue() > 2L * MAX_BITS) {
            throw JinjaException.of("an integer is larger than " + MAX_BITS + " bits");
        }
        return shrink(base.pow(exponent.intValue()));
    }

    /** Unary minus, or plus. */
    static Object signed(boolean negative, Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object number = numberOrNull(value);
        if (number == null) {
            throw JinjaException.of("bad operand type for unary " + (negative ? "-" : "+") + ": '"
                    + JinjaOperations.typeName(value) + "'");
        }
        if (!negative) {
            return number;
        }
        return number instanceof Double real
                ? (Object) (-real)
                : shrink(integer(number).negate());
    }
}
