package dev.layercake.model.tokenizer;

import dev.layercake.model.format.Quote;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The tokens that a model wants around every text: the {@code post_processor} section of a tokenizer.json. Immutable; the
 * arrays are never changed.
 */
final class Surroundings {
    private static final int DEEPEST = 32;
    private static final int MOST_TOKENS = 4096;

    static final Surroundings NONE = new Surroundings(new int[0], new int[0]);

    private final int[] before;
    private final int[] after;

    Surroundings(int[] before, int[] after) {
        this.before = before;
        this.after = after;
    }

    /** Tokens before every text; for reading only. */
    int[] before() {
        return before;
    }

    /** Tokens behind every text; for reading only. */
    int[] after() {
        return after;
    }

    static Surroundings parse(JsonNode node) {
        return node.isNull() || node.isMissingNode() ? NONE : read(node, 0);
    }

    private static Surroundings read(JsonNode node, int depth) {
        String type = node.path("type").asString("none");
        return switch (type) {
            case "ByteLevel" -> NONE;
            case "Sequence" -> {
                Section.refuseDeeper(depth, DEEPEST, "post_processor");
                Surroundings all = NONE;
                for (JsonNode part : node.path("processors")) {
                    Surroundings outer = read(part, depth + 1);
                    all = new Surroundings(joined(outer.before, all.before), joined(all.after, outer.after));
                }
                yield all;
            }
            case "TemplateProcessing" -> template(node);
            case "BertProcessing", "RobertaProcessing" ->
                new Surroundings(
                        new int[] {number(node.path("cls").path(1))},
                        new int[] {number(node.path("sep").path(1))});
            default ->
                throw Section.refuse("has a post-processor of the kind " + Quote.of(type)
                        + ", which is not supported (known are ByteLevel, TemplateProcessing, BertProcessing,"
                        + " RobertaProcessing and sequences of them)");
        };
    }

    private static Surroundings template(JsonNode node) {
        TokenList before = new TokenList();
        TokenList after = new TokenList();
        Set<String> seen = new HashSet<>();
        for (JsonNode part : node.path("single")) {
            JsonNode special = part.path("SpecialToken");
            if (part.has("Sequence")) {
                if (!seen.add("A")) {
                    throw Section.refuse("has a post-processor that repeats the text");
                }
            } else if (special.path("id").isString()) {
                TokenList side = seen.isEmpty() ? before : after;
                String name = special.path("id").stringValue();
                JsonNode ids = node.path("special_tokens").path(name).path("ids");
                if (!ids.isArray()) {
                    throw Section.refuse("has a post-processor with the unknown token " + Quote.of(name));
                }
                ids.forEach(id -> side.add(number(id)));
            } else {
                throw Section.refuse("has a post-processor with a part that is neither a token nor the text");
            }
        }
        if (seen.isEmpty()) {
            throw Section.refuse("has a post-processor that leaves out the text");
        }
        return new Surroundings(before.toArray(), after.toArray());
    }

    private static int number(JsonNode node) {
        if (!node.isInt() || node.intValue() < 0) {
            throw Section.refuse("has a post-processor with a token that has no number");
        }
        return node.intValue();
    }

    private static int[] joined(int[] first, int[] second) {
        if (first.length + second.length > MOST_TOKENS) {
            throw Section.refuse("has a post-processor that adds more than " + MOST_TOKENS + " tokens");
        }
        int[] joined = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, joined, first.length, second.length);
        return joined;
    }
}
