package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaValue.Tuple;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of str. */
final class JinjaTextMethods {
    private static final Set<String> NAMES = Set.of(
            "capitalize",
            "casefold",
            "center",
            "count",
            "encode",
            "endswith",
            "expandtabs",
            "find",
            "format",
            "format_map",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "isidentifier",
            "islower",
            "isnumeric",
            "isprintable",
            "isspace",
            "istitle",
            "isupper",
            "join",
            "ljust",
            "lower",
            "lstrip",
            "maketrans",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rjust",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "translate",
            "upper",
            "zfill");

    private final JinjaOperations operations;
    private final JinjaBudget budget;
    private final String text;
    private final String name;
    private final JinjaArguments arguments;

    private JinjaTextMethods(JinjaOperations operations, String text, String name, JinjaArguments arguments) {
        this.operations = operations;
        this.budget = operations.budget();
        this.text = text;
        this.name = name;
        this.arguments = arguments;
    }

    static boolean exists(String name) {
        return NAMES.contains(name);
    }

    static Object call(JinjaOperations operations, String text, String name, JinjaArguments arguments) {
        operations.budget().chargeText(text.length());
        return new JinjaTextMethods(operations, text, name, arguments).call();
    }

    private Bound bind(int required, String... parameters) {
        return arguments.bind(name + "()", required, parameters);
    }

    private String nothing(String result) {
        bind(0);
        return budget.text(result);
    }

    private Object call() {
        return switch (name) {
            case "upper" -> nothing(JinjaText.upper(text));
            case "lower" -> nothing(JinjaText.lower(text));
            case "casefold" -> nothing(JinjaText.lower(JinjaText.upper(text)));
            case "title" -> nothing(JinjaText.title(text));
            case "capitalize" -> nothing(JinjaText.capitalize(text));
            case "swapcase" -> nothing(swapCase());
            case "strip" -> JinjaText.strip(text, bind(0, "chars").text(0, ""), true, true);
            case "lstrip" -> JinjaText.strip(text, bind(0, "chars").text(0, ""), true, false);
            case "rstrip" -> JinjaText.strip(text, bind(0, "chars").text(0, ""), false, true);
            case "startswith", "endswith" -> affix();
            case "removeprefix" -> {
                String prefix = bind(1, "prefix").text(0);
                yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = bind(1, "suffix").text(0);
                yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }
            case "replace" -> {
                Bound bound = bind(2, "old", "new", "count");
                yield replace(budget, text, bound.text(0), bound.text(1), bound.integer(2, -1));
            }
            case "split", "rsplit" -> split();
            case "splitlines" -> new ArrayList<Object>(lines(bind(0, "keepends").truth(0)));
            case "partition", "rpartition" -> partition();
            case "join" -> join();
            case "find", "rfind", "index", "rindex", "count" -> search();
            case "center", "ljust", "rjust" -> justify();
            case "zfill" -> zeroFill(bind(1, "width").integer(0, 0));
            case "expandtabs" -> expandTabs(bind(0, "tabsize").integer(0, 8));
            case "format" -> new JinjaFormat(operations).braces(text, arguments);
            case "format_map" ->
                new JinjaFormat(operations)
                        .braces(text, named(bind(1, "mapping").required(0)));
            case "isspace" -> all(JinjaText::isSpace);
            case "isalpha" -> all(Character::isLetter);
            case "isdigit", "isdecimal", "isnumeric" -> all(Character::isDigit);
            case "isalnum" -> all(Character::isLetterOrDigit);
            case "isascii" -> text.isEmpty() || all(c -> c < 128);
            case "isprintable" -> text.isEmpty() || all(JinjaText::isPrintable);
            case "isidentifier" -> isIdentifier();
            case "isupper" -> cased() && text.equals(JinjaText.upper(text));
            case "islower" -> cased() && text.equals(JinjaText.lower(text));
            case "istitle" -> cased() && text.equals(JinjaText.title(text));
            default -> throw JinjaException.of("the method str." + name + " is not supported");
        };
    }

    private static JinjaArguments named(Object mapping) {
        Map<String, Object> named = new HashMap<>();
        if (!(mapping instanceof Map<?, ?> map)) {
            throw JinjaException.of("format_map() needs a dict");
        }
        JinjaOperations.objects(map).forEach((key, value) -> {
            if (key instanceof String name) {
                named.put(name, value);
            }
        });
        return new JinjaArguments(List.of(), named);
    }

    private boolean all(IntPredicate predicate) {
        bind(0);
        return !text.isEmpty() && text.codePoints().allMatch(predicate);
    }

    private boolean cased() {
        bind(0);
        return text.codePoints().anyMatch(JinjaText::isCased);
    }

    private boolean isIdentifier() {
        bind(0);
        return !text.isEmpty()
                && !JinjaText.isDigit(text.charAt(0))
                && text.codePoints().allMatch(c -> c == '_' || Character.isLetterOrDigit(c));
    }

    private String swapCase() {
        StringBuilder swapped = new StringBuilder(text.length());
        text.codePoints().forEach(c -> {
            String character = Character.toString(c);
            swapped.append(Character.isUpperCase(c) ? JinjaText.lower(character) : JinjaText.upper(character));
        });
        return swapped.toString();
    }

    private boolean affix() {
        Bound bound = bind(1, name.equals("startswith") ? "prefix" : "suffix", "start", "end");
        String part = window(bound);
        if (part == null) {
            return false;
        }
        List<Object> affixes = bound.required(0) instanceof Tuple tuple ? tuple.items() : List.of(bound.text(0));
        for (Object affix : affixes) {
            String wanted = JinjaOperations.textOrNull(affix);
            if (wanted != null && (name.equals("startswith") ? part.startsWith(wanted) : part.endsWith(wanted))) {
                return true;
            }
        }
        return false;
    }

    /** The part of the text between the arguments start and end, or null if start lies beyond the text. */
    private @Nullable String window(Bound bound) {
        long size = JinjaText.length(text);
        long start = clip(bound.integer(1, 0), size);
        long end = Math.min(clip(bound.integer(2, size), size), size);
        return start > end ? null : JinjaText.part(text, start, end);
    }

    private static long clip(long index, long size) {
        return index < 0 ? Math.max(0, index + size) : index;
    }

    private Object search() {
        Bound bound = bind(1, "sub", "start", "end");
        String wanted = bound.text(0);
        String part = window(bound);
        if (name.equals("count")) {
            return part == null ? 0L : occurrences(part, wanted);
        }
        long found = -1;
        if (part != null) {
            int index = name.startsWith("r") ? part.lastIndexOf(wanted) : part.indexOf(wanted);
            found = JinjaText.codePointIndex(part, index);
        }
        if (found < 0) {
            if (name.endsWith("index")) {
                throw JinjaException.of("substring not found");
            }
            return found;
        }
        return found + clip(bound.integer(1, 0), JinjaText.length(text));
    }

    private static long occurrences(String text, String wanted) {
        if (wanted.isEmpty()) {
            return JinjaText.length(text) + 1;
        }
        long count = 0;
        for (int i = text.indexOf(wanted); i >= 0; i = text.indexOf(wanted, i + wanted.length())) {
            count++;
        }
        return count;
    }

    /** Replaces the first {@code count} occurrences, or all if it is negative. */
    static String replace(JinjaBudget budget, String text, String from, String to, long count) {
        long left = count < 0 ? Long.MAX_VALUE : count;
        StringBuilder replaced = new StringBuilder();
        int position = 0;
        if (from.isEmpty()) {
            // Python puts the new text before every character and at the end.
            budget.chargeText(text.length() + (JinjaText.length(text) + 1) * to.length());
            for (; left > 0; left--) {
                replaced.append(to);
                if (position == text.length()) {
                    break;
                }
                int end = position + Character.charCount(text.codePointAt(position));
                replaced.append(text, position, end);
                position = end;
            }
            return replaced.append(text, position, text.length()).toString();
        }
        for (; left > 0; left--) {
            int found = text.indexOf(from, position);
            if (found < 0) {
                break;
            }
            replaced.append(text, position, found).append(to);
            position = found + from.length();
            if (replaced.length() > JinjaBudget.MAX_TEXT) {
                break;
            }
        }
        return budget.text(replaced.append(text, position, text.length()).toString());
    }

    private List<Object> split() {
        Bound bound = bind(0, "sep", "maxsplit");
        long limit = bound.integer(1, -1);
        long splits = limit < 0 ? Long.MAX_VALUE : limit;
        boolean fromRight = name.equals("rsplit");
        List<Object> parts;
        if (bound.given(0)) {
            String separator = bound.text(0);
            if (separator.isEmpty()) {
                throw JinjaException.of("empty separator");
            }
            parts = fromRight ? splitRight(separator, splits) : splitLeft(separator, splits);
        } else {
            parts = fromRight ? wordsRight(splits) : words(splits);
        }
        budget.charge(parts.size());
        return parts;
    }

    private List<Object> splitLeft(String separator, long splits) {
        List<Object> parts = new ArrayList<>();
        int position = 0;
        for (long left = splits; left > 0; left--) {
            int found = text.indexOf(separator, position);
            if (found < 0) {
                break;
            }
            parts.add(text.substring(position, found));
            position = found + separator.length();
        }
        parts.add(text.substring(position));
        return parts;
    }

    private List<Object> splitRight(String separator, long splits) {
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        for (long left = splits; left > 0; left--) {
            int found = text.lastIndexOf(separator, end - separator.length());
            if (found < 0 || found + separator.length() > end) {
                break;
            }
            parts.add(text.substring(found + separator.length(), end));
            end = found;
        }
        parts.add(text.substring(0, end));
        return new ArrayList<>(parts.reversed());
    }

    private List<Object> words(long splits) {
        List<Object> parts = new ArrayList<>();
        int position = 0;
        long left = splits;
        while (true) {
            while (position < text.length() && JinjaText.isSpace(text.charAt(position))) {
                position++;
            }
            if (position == text.length()) {
                return parts;
            }
            if (left-- <= 0) {
                parts.add(text.substring(position));
                return parts;
            }
            int end = position;
            while (end < text.length() && !JinjaText.isSpace(text.charAt(end))) {
                end++;
            }
            parts.add(text.substring(position, end));
            position = end;
        }
    }

    private List<Object> wordsRight(long splits) {
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        long left = splits;
        while (true) {
            while (end > 0 && JinjaText.isSpace(text.charAt(end - 1))) {
                end--;
            }
            if (end == 0) {
                break;
            }
            if (left-- <= 0) {
                parts.add(text.substring(0, end));
                break;
            }
            int begin = end;
            while (begin > 0 && !JinjaText.isSpace(text.charAt(begin - 1))) {
                begin--;
            }
            parts.add(text.substring(begin, end));
            end = begin;
        }
        return new ArrayList<>(parts.reversed());
    }

    private List<String> lines(boolean keepEnds) {
        List<String> lines = lines(text, keepEnds);
        budget.charge(lines.size());
        return lines;
    }

    /** The lines of a text, at every kind of line end that str.splitlines knows. */
    static List<String> lines(String text, boolean keepEnds) {
        List<String> lines = new ArrayList<>();
        int begin = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029) {
                int end = i;
                if (c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
                    i++;
                }
                lines.add(text.substring(begin, keepEnds ? i + 1 : end));
                begin = i + 1;
            }
        }
        if (begin < text.length()) {
            lines.add(text.substring(begin));
        }
        return lines;
    }

    private Tuple partition() {
        String separator = bind(1, "sep").text(0);
        if (separator.isEmpty()) {
            throw JinjaException.of("empty separator");
        }
        boolean right = name.equals("rpartition");
        int found = right ? text.lastIndexOf(separator) : text.indexOf(separator);
        if (found < 0) {
            return right ? Tuple.of("", "", text) : Tuple.of(text, "", "");
        }
        return Tuple.of(text.substring(0, found), separator, text.substring(found + separator.length()));
    }

    private String join() {
        Iterator<Object> items = operations.iterate(bind(1, "iterable").required(0));
        StringBuilder joined = new StringBuilder();
        for (int i = 0; items.hasNext(); i++) {
            Object item = items.next();
            String part = JinjaOperations.textOrNull(item);
            if (part == null) {
                throw JinjaException.of(
                        "sequence item " + i + ": expected str instance, " + JinjaOperations.typeName(item) + " found");
            }
            budget.chargeText((long) joined.length() + text.length() + part.length());
            joined.append(i == 0 ? "" : text).append(part);
        }
        return joined.toString();
    }

    private String justify() {
        Bound bound = bind(1, "width", "fillchar");
        String fill = bound.text(1, " ");
        if (JinjaText.length(fill) != 1) {
            throw JinjaException.of("the fill character must be exactly one character long");
        }
        return justify(budget, text, bound.integer(0, 0), fill, name);
    }

    /** Fills a text up to a width, on the sides that {@code method} says. */
    static String justify(JinjaBudget budget, String text, long width, String fill, String method) {
        long missing = width - JinjaText.length(text);
        if (missing <= 0) {
            return text;
        }
        budget.chargeText(text.length() + Math.min(missing, 1L << 40) * fill.length());
        // Python puts the odd one to the left when the width is odd.
        long left = switch (method) {
            case "center" -> missing / 2 + (missing & width & 1);
            case "rjust" -> missing;
            default -> 0;
        };
        return fill.repeat((int) left) + text + fill.repeat((int) (missing - left));
    }

    private String zeroFill(long width) {
        boolean signed = text.startsWith("-") || text.startsWith("+");
        String digits = signed ? text.substring(1) : text;
        return (signed ? text.substring(0, 1) : "") + justify(budget, digits, width - (signed ? 1 : 0), "0", "rjust");
    }

    private String expandTabs(long size) {
        StringBuilder expanded = new StringBuilder();
        long column = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\t') {
                long blanks = size <= 0 ? 0 : size - column % size;
                budget.chargeText(expanded.length() + blanks);
                expanded.append(" ".repeat((int) blanks));
                column += blanks;
            } else {
                expanded.append(c);
                column = c == '\n' || c == '\r' ? 0 : Character.isLowSurrogate(c) ? column : column + 1;
            }
        }
        return expanded.toString();
    }
}
