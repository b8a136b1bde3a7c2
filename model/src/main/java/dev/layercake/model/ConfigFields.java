package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;

/**
 * The fields of a JSON object in config.json, each read as the kind it must be. A field that is missing or null takes its
 * fallback; one of another kind is refused by name.
 */
record ConfigFields(JsonNode json) {
    ConfigFields {
        if (!json.isObject()) {
            throw LayercakeException.badModel("config.json is no JSON object where one is expected");
        }
    }

    boolean has(String key) {
        return !json.path(key).isMissingNode() && !json.path(key).isNull();
    }

    boolean hasObject(String key) {
        return json.path(key).isObject();
    }

    ConfigFields object(String key) {
        return new ConfigFields(json.path(key));
    }

    int integer(String key) {
        if (!has(key)) {
            throw LayercakeException.badModel("config.json has no '" + key + "', which must be a whole number");
        }
        return integer(key, 0);
    }

    int integer(String key, int fallback) {
        if (!has(key)) {
            return fallback;
        }
        JsonNode value = json.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw wrong(key, "a whole number");
        }
        return value.intValue();
    }

    double number(String key, double fallback) {
        if (!has(key)) {
            return fallback;
        }
        JsonNode value = json.path(key);
        if (!value.isNumber()) {
            throw wrong(key, "a number");
        }
        return value.doubleValue();
    }

    boolean flag(String key, boolean fallback) {
        if (!has(key)) {
            return fallback;
        }
        if (!json.path(key).isBoolean()) {
            throw wrong(key, "true or false");
        }
        return json.path(key).booleanValue();
    }

    String text(String key, String fallback) {
        if (!has(key)) {
            return fallback;
        }
        if (!json.path(key).isString()) {
            throw wrong(key, "text");
        }
        return json.path(key).stringValue();
    }

    List<Float> floats(String key) {
        return elements(key, "a list of numbers", JsonNode::isNumber)
                .map(JsonNode::floatValue)
                .toList();
    }

    List<String> texts(String key) {
        return elements(key, "a list of words", JsonNode::isString)
                .map(JsonNode::stringValue)
                .toList();
    }

    /** A token id or a list of them; anything else is as good as none. */
    List<Integer> tokens(String key) {
        JsonNode value = json.path(key);
        return (value.isArray() ? stream(value) : Stream.of(value))
                .filter(JsonNode::isIntegralNumber)
                .filter(JsonNode::canConvertToInt)
                .map(JsonNode::intValue)
                .filter(token -> token >= 0)
                .toList();
    }

    private Stream<JsonNode> elements(String key, String expected, Predicate<JsonNode> kind) {
        JsonNode array = json.path(key);
        if (!array.isArray() || stream(array).anyMatch(kind.negate())) {
            throw wrong(key, expected);
        }
        return stream(array);
    }

    private static Stream<JsonNode> stream(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false);
    }

    private LayercakeException wrong(String key, String expected) {
        String value = json.path(key).toString();
        String shown = value.length() > 40 ? value.substring(0, 40) + "..." : value;
        return LayercakeException.badModel("'" + key + "' in config.json is " + shown + ", not " + expected
                + "; the file is damaged, download it again");
    }
}
