package dev.layercake.model.text;

import dev.layercake.model.text.JinjaArguments.Bound;
import dev.layercake.model.text.JinjaFilters.Filter;
import dev.layercake.model.text.JinjaValue.Markup;
import dev.layercake.model.text.JinjaValue.Undefined;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The filters that make text; what is not text already is turned into it first. */
final class JinjaTextFilters {
    private static final String URL_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~";

    private JinjaTextFilters() {}

    static void addTo(Map<String, Filter> filters) {
        filters.put("upper", mapping("upper", JinjaText::upper));
        filters.put("lower", mapping("lower", JinjaText::lower));
        filters.put("capitalize", mapping("capitalize", JinjaText::capitalize));
        filters.put("string", mapping("string", text -> text));
        filters.put(
                "title",
                (evaluator, value, arguments) -> title(evaluator.operations().text(value)));
        filters.put("trim", JinjaTextFilters::trim);
        filters.put("replace", JinjaTextFilters::replace);
        filters.put("indent", JinjaTextFilters::indent);
        filters.put("truncate", JinjaTextFilters::truncate);
        filters.put("center", JinjaTextFilters::center);
        filters.put("format", JinjaTextFilters::format);
        filters.put(
                "wordcount",
                (evaluator, value, arguments) -> words(evaluator.operations().text(value)));
        filters.put("urlencode", JinjaTextFilters::urlEncode);
        filters.put(
                "striptags",
                (evaluator, value, arguments) ->
                        stripTags(evaluator.operations().text(value)));
        filters.put(
                "safe",
                (evaluator, value, arguments) ->
                        new Markup(evaluator.operations().text(value)));
        Filter escape = (evaluator, value, arguments) -> value instanceof Markup ? value : escaped(evaluator, value);
        filters.put("escape", escape);
        filters.put("e", escape);
        filters.put("forceescape", (evaluator, value, arguments) -> escaped(evaluator, value));
    }

    private static Markup escaped(JinjaEvaluator evaluator, Object value) {
        JinjaOperations operations = evaluator.operations();
        return new Markup(operations.budget().text(JinjaText.escape(operations.text(value))));
    }

    private static Filter mapping(String name, UnaryOperator<String> operator) {
        return (evaluator, value, arguments) -> {
            arguments.bind(name, 0);
            String mapped = operator.apply(evaluator.operations().text(value));
            evaluator.operations().budget().chargeText(mapped.length());
            return value instanceof Markup ? new Markup(mapped) : mapped;
        };
    }

    private static Object trim(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        String characters = arguments.bind("trim", 0, "chars").text(0, "");
        String text =
                evaluator.operations().budget().text(evaluator.operations().text(value));
        String trimmed = characters.isEmpty() ? JinjaText.strip(text) : JinjaText.strip(text, characters, true, true);
        return value instanceof Markup ? new Markup(trimmed) : trimmed;
    }

    private static Object replace(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("replace", 2, "old", "new", "count");
        JinjaOperations operations = evaluator.operations();
        return JinjaTextMethods.replace(
                operations.budget(),
                operations.text(value),
                operations.text(bound.required(0)),
                operations.text(bound.required(1)),
                bound.integer(2, -1));
    }

    /** Unlike str.title, begins words only after blanks, hyphens and opening brackets. */
    private static String title(String text) {
        StringBuilder titled = new StringBuilder(text.length());
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            boolean separator = JinjaText.isSpace(c) || "-({[<".indexOf(c) >= 0;
            String character = Character.toString(c);
            titled.append(separator ? character : inWord ? JinjaText.lower(character) : JinjaText.upper(character));
            inWord = !separator;
        }
        return titled.toString();
    }

    private static Object indent(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("indent", 0, "width", "first", "blank");
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
        String text = JinjaOperations.textOrNull(value);
        if (text == null) {
            throw JinjaException.of("indent needs a str, not " + JinjaOperations.typeName(value));
        }
        JinjaBudget budget = evaluator.operations().budget();
        String given = bound.given(0) ? JinjaOperations.textOrNull(bound.required(0)) : null;
        long width = given == null ? Math.max(0, bound.integer(0, 4)) : 0;
        budget.chargeText(width);
        String indentation = given == null ? " ".repeat((int) width) : given;
        List<String> lines = JinjaTextMethods.lines(text + "\n", false);
        budget.chargeText(text.length() + (long) lines.size() * indentation.length());
        StringBuilder indented = new StringBuilder();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            boolean wanted = i == 0 ? bound.truth(1) : bound.truth(2) || !line.isEmpty();
            indented.append(i == 0 ? "" : "\n")
                    .append(wanted ? indentation : "")
                    .append(line);
        }
        String result = indented.toString();
        return value instanceof Markup ? new Markup(result) : result;
    }

    private static Object truncate(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        Bound bound = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
        String text = evaluator.operations().text(value);
        long length = bound.integer(0, 255);
        String end = bound.text(2, "...");
        long kept = length - JinjaText.length(end);
        if (kept < 0) {
            throw JinjaException.of("truncate's length is smaller than its end");
        }
        if (JinjaText.length(text) <= length + bound.integer(3, 5)) {
            return text;
        }
        String cut = JinjaText.part(text, 0, kept);
        int blank = cut.lastIndexOf(' ');
        return (bound.truth(1) || blank < 0 ? cut : cut.substring(0, blank)) + end;
    }

    private static Object center(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        long width = arguments.bind("center", 0, "width").integer(0, 80);
        JinjaOperations operations = evaluator.operations();
        return JinjaTextMethods.justify(operations.budget(), operations.text(value), width, " ", "center");
    }

    private static Object format(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        if (!arguments.named().isEmpty() && !arguments.positional().isEmpty()) {
            throw JinjaException.of("can't handle positional and keyword arguments at the same time");
        }
        Object values = arguments.named().isEmpty()
                ? JinjaValue.Tuple.of(arguments.positional())
                : Map.<Object, Object>copyOf(arguments.named());
        JinjaOperations operations = evaluator.operations();
        return new JinjaFormat(operations).percent(operations.text(value), values, false);
    }

    private static Object words(String text) {
        long words = 0;
        boolean inWord = false;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            boolean letter = c == '_' || Character.isLetterOrDigit(c);
            words += letter && !inWord ? 1 : 0;
            inWord = letter;
        }
        return words;
    }

    private static Object urlEncode(JinjaEvaluator evaluator, Object value, JinjaArguments arguments) {
        JinjaOperations operations = evaluator.operations();
        if (JinjaOperations.textOrNull(value) != null || !operations.iterable(value)) {
            return quoted(operations.text(value), "/", false);
        }
        List<Object> pairs = value instanceof Map<?, ?> map
                ? evaluator.access().pairs(JinjaOperations.objects(map))
                : operations.list(value);
        StringBuilder query = new StringBuilder();
        for (Object pair : pairs) {
            List<Object> parts = operations.list(pair);
            if (parts.size() != 2) {
                throw JinjaException.of("urlencode needs pairs");
            }
            query.append(query.isEmpty() ? "" : "&")
                    .append(quoted(operations.text(parts.get(0)), "", true))
                    .append('=')
                    .append(quoted(operations.text(parts.get(1)), "", true));
        }
        return operations.budget().text(query.toString());
    }

    private static String quoted(String text, String safe, boolean plus) {
        StringBuilder quoted = new StringBuilder();
        for (byte unit : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (unit & 0xff);
            if (URL_SAFE.indexOf(c) >= 0 || safe.indexOf(c) >= 0) {
                quoted.append(c);
            } else {
                quoted.append(plus && c == ' ' ? "+" : String.format(Locale.ROOT, "%%%02X", (int) c));
            }
        }
        return quoted.toString();
    }

    private static Object stripTags(String text) {
        StringBuilder plain = new StringBuilder();
        int position = 0;
        while (position < text.length()) {
            int open = text.indexOf('<', position);
            int close = open < 0 ? -1 : text.indexOf('>', open);
            if (close < 0) {
                break;
            }
            plain.append(text, position, open);
            position = close + 1;
        }
        plain.append(text.substring(position));
        return JinjaText.strip(plain.toString().replaceAll("\\s+", " "))
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&#39;", "'")
                .replace("&#34;", "\"")
                .replace("&amp;", "&");
    }
}
