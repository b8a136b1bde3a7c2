package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/** The fields of a JSON object in config.json or one of its neighbours. */
final class JsonFields extends ConfigFields {
    private static final int LONGEST_SHOWN = 40;
    private static final int NO_TOKEN = -1;

    private final JsonNode json;
    private final String file;
    private final String prefix;

    private JsonFields(JsonNode json, String file, String prefix) {
        this.json = json;
        this.file = file;
        this.prefix = prefix;
    }

    /** @throws LayercakeException (bad model) if the file holds anything but an object */
    static JsonFields of(JsonNode json, String file) {
        if (!json.isObject()) {
            throw LayercakeException.badModel(file + " is no JSON object; the file is damaged, download it again");
        }
        return new JsonFields(json, file, "");
    }

    @Override
    boolean has(String key) {
        return !json.path(key).isMissingNode() && !json.path(key).isNull();
    }

    /** Whether the key is there, be it with a null. */
    boolean mentions(String key) {
        return !json.path(key).isMissingNode();
    }

    JsonNode node(String key) {
        return json.path(key);
    }

    /** Keys that hold something. */
    Set<String> keys() {
        Set<String> keys = new TreeSet<>();
        json.properties().forEach(entry -> {
            if (!entry.getValue().isNull()) {
                keys.add(entry.getKey());
            }
        });
        return keys;
    }

    /** A nested object. */
    JsonFields object(String key) {
        if (!json.path(key).isObject()) {
            throw refused(key, "an object");
        }
        return new JsonFields(json.path(key), file, prefix + key + ".");
    }

    @Override
    long whole(String key) {
        JsonNode value = value(key, "a whole number");
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw refused(key, "a whole number");
        }
        return value.longValue();
    }

    @Override
    double number(String key) {
        JsonNode value = value(key, "a number");
        if (!value.isNumber()) {
            throw refused(key, "a number");
        }
        return value.doubleValue();
    }

    @Override
    boolean flag(String key) {
        JsonNode value = value(key, "true or false");
        if (!value.isBoolean()) {
            throw refused(key, "true or false");
        }
        return value.booleanValue();
    }

    @Override
    String text(String key) {
        JsonNode value = value(key, "text");
        if (!value.isString()) {
            throw refused(key, "text");
        }
        return value.stringValue();
    }

    /** A list of numbers within a range. */
    List<Float> numbers(String key, double least, double most) {
        String expected = "a list of numbers from " + least + " to " + most;
        JsonNode list = value(key, expected);
        List<Float> numbers = new ArrayList<>();
        for (JsonNode element : list) {
            if (!element.isNumber() || !(element.doubleValue() >= least && element.doubleValue() <= most)) {
                throw refused(key, expected);
            }
            numbers.add((float) element.doubleValue());
        }
        if (!list.isArray()) {
            throw refused(key, expected);
        }
        return numbers;
    }

    /** A list of words out of a few. */
    List<String> words(String key, Set<String> known) {
        String expected = "a list of " + String.join(" and ", new TreeSet<>(known));
        JsonNode list = value(key, expected);
        List<String> words = new ArrayList<>();
        for (JsonNode element : list) {
            if (!element.isString() || !known.contains(element.stringValue())) {
                throw refused(key, expected);
            }
            words.add(element.stringValue());
        }
        if (!list.isArray()) {
            throw refused(key, expected);
        }
        return words;
    }

    /** A token number or a list of them; none if the key is missing. -1 is how old files say "none". */
    List<Integer> tokens(String key, int vocabularySize) {
        if (!has(key)) {
            return List.of();
        }
        String expected = "a token below " + vocabularySize + ", the size of the vocabulary, or a list of such tokens";
        JsonNode value = json.path(key);
        List<JsonNode> elements = value.isArray()
                ? IntStream.range(0, value.size()).mapToObj(value::get).toList()
                : List.of(value);
        for (JsonNode element : elements) {
            if (!element.isIntegralNumber()
                    || !element.canConvertToInt()
                    || element.intValue() < NO_TOKEN
                    || element.intValue() >= vocabularySize) {
                throw refused(key, expected);
            }
        }
        return elements.stream()
                .map(JsonNode::intValue)
                .filter(token -> token != NO_TOKEN)
                .toList();
    }

    private JsonNode value(String key, String expected) {
        if (!has(key)) {
            throw LayercakeException.badModel(file + " has no " + name(key) + ", which must be " + expected
                    + "; the file is not complete, download it again");
        }
        return json.path(key);
    }

    @Override
    LayercakeException refused(String key, String expected) {
        return LayercakeException.badModel(name(key) + " in " + file + " is " + shown(key) + ", not " + expected
                + "; the file is damaged, download it again");
    }

    /** The sentence that refuses what is sound but not supported. */
    LayercakeException unsupported(String key, String known) {
        return LayercakeException.badModel(
                name(key) + " in " + file + " is " + shown(key) + ", which Layercake does not support; " + known);
    }

    /** The key with those of the objects around it, in quotes. */
    String name(String key) {
        return Quote.of(prefix + key);
    }

    private String shown(String key) {
        JsonNode value = json.path(key);
        if (value.isString()) {
            return Quote.of(value.stringValue());
        }
        String text = value.toString();
        return text.length() > LONGEST_SHOWN ? text.substring(0, LONGEST_SHOWN) + "..." : text;
    }
}
