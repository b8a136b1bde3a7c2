package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import tools.jackson.databind.JsonNode;

/** Fields that several sections of a tokenizer.json have. */
final class Section {
    private Section() {}

    static boolean flag(JsonNode node, String name, boolean usual) {
        JsonNode value = node.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return usual;
        }
        if (!value.isBoolean()) {
            throw refuse("has a \"" + name + "\" that is neither true nor false");
        }
        return value.booleanValue();
    }

    static String text(JsonNode node, String name) {
        JsonNode value = node.path(name);
        if (!value.isString()) {
            throw refuse("has a " + kind(node) + " without a \"" + name + "\"");
        }
        return value.stringValue();
    }

    /** The field {@code pattern}: a literal or a regular expression. */
    static TextPattern pattern(JsonNode node) {
        JsonNode pattern = node.path("pattern");
        JsonNode literal = pattern.isString() ? pattern : pattern.path("String");
        if (literal.isString()) {
            return TextPattern.literal(literal.stringValue());
        }
        JsonNode expression = pattern.path("Regex");
        if (!expression.isString()) {
            throw refuse("has a " + kind(node) + " without a pattern");
        }
        return TextPattern.of(expression.stringValue());
    }

    private static String kind(JsonNode node) {
        return node.path("type").isString() ? Quote.of(node.path("type").stringValue()) : "section";
    }

    static void refuseDeeper(int depth, int deepest, String section) {
        if (depth >= deepest) {
            throw refuse("has a " + section + " nested deeper than " + deepest);
        }
    }

    static LayercakeException refuse(String complaint) {
        return LayercakeException.badModel("tokenizer.json " + complaint + "; download the file again.");
    }
}
