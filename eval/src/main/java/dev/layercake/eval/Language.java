package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * The words and phrasings of generated tasks: the file {@code language.json}, which the training of the bundled model
 * reads too. Each list has a half that training saw and one that it did not; texts are made of unseen words always, and of
 * phrasings of either half.
 */
final class Language {
    private static final String SEEN = "train";
    private static final String UNSEEN = "heldout";

    private final JsonNode root;
    private final boolean unseenPhrasings;

    private Language(JsonNode root, boolean unseenPhrasings) {
        this.root = root;
        this.unseenPhrasings = unseenPhrasings;
    }

    /** @param unseenPhrasings whether sentences and questions too are of the half that training did not see */
    static Language load(boolean unseenPhrasings) {
        try (InputStream in = Language.class.getResourceAsStream("language.json")) {
            if (in == null) {
                throw new IOException("no such resource");
            }
            return new Language(Json.MAPPER.readTree(in), unseenPhrasings);
        } catch (IOException e) {
            throw LayercakeException.internal("language.json cannot be read", e);
        }
    }

    boolean unseenPhrasings() {
        return unseenPhrasings;
    }

    /** Changes with every word of the language. */
    String digest() {
        return Integer.toHexString(root.toString().hashCode());
    }

    /** Words of a pool: "name", "town", "key". */
    List<String> pool(String name) {
        return texts(at("pools", name, UNSEEN));
    }

    List<String> attributes() {
        return texts(at("attributes"));
    }

    /** Filler sentences with slots. */
    List<String> fillerTemplates() {
        return texts(at("filler", "templates", UNSEEN));
    }

    /** Words for a slot of the filler. */
    List<String> fillerPool(String slot) {
        return texts(at("filler", "pools", slot, UNSEEN));
    }

    /** How many digits numbers may have. */
    List<Integer> digitCounts() {
        return at("numbers", "digits", UNSEEN)
                .valueStream()
                .map(JsonNode::intValue)
                .toList();
    }

    String firstDigits() {
        return at("numbers", "firstDigit").stringValue();
    }

    String otherDigits() {
        return at("numbers", "otherDigits").stringValue();
    }

    /** Phrasings of a family: "facts", "questions". */
    List<String> phrasings(String family, String kind) {
        return phrasings(at("families", family, kind));
    }

    /**
     * Phrasings of a kind of needle: "number", "possession".
     *
     * @param what "facts" or "questions"
     */
    List<String> needlePhrasings(String kind, String what) {
        for (JsonNode each : at("families", "needle", "kinds")) {
            if (each.path("kind").stringValue("").equals(kind)) {
                return phrasings(each.path(what));
            }
        }
        throw missing("families.needle.kinds." + kind);
    }

    private List<String> phrasings(JsonNode halves) {
        return texts(halves.path(unseenPhrasings ? UNSEEN : SEEN));
    }

    /** A text of a family that has one form only: "answer", "joinAnswers". */
    String form(String family, String... path) {
        JsonNode node = at("families", family);
        for (String name : path) {
            node = node.path(name);
        }
        return node.stringValue();
    }

    /** A number of a family: "chain". */
    int number(String family, String name) {
        return at("families", family, name).intValue();
    }

    /** Numbers of a family: "asked". */
    List<Integer> numbers(String family, String name) {
        return at("families", family, name)
                .valueStream()
                .map(JsonNode::intValue)
                .toList();
    }

    /** How many units of a family a text of so many tokens gets. */
    int units(String family, int tokens) {
        JsonNode count = at("families", family, "count");
        return Math.clamp(
                tokens / count.path("tokensPer").intValue(),
                count.path("min").intValue(),
                count.path("max").intValue());
    }

    /** A template with its slots filled: "{name}" by the value of "name". */
    static String fill(String template, Map<String, String> values) {
        StringBuilder text = new StringBuilder();
        int at = 0;
        for (int open = template.indexOf('{'); open >= 0; open = template.indexOf('{', at)) {
            int close = template.indexOf('}', open);
            String slot = template.substring(open + 1, close);
            String value = values.get(slot);
            if (value == null) {
                throw missing("a value for {" + slot + "} in \"" + template + "\"");
            }
            text.append(template, at, open).append(value);
            at = close + 1;
        }
        return text.append(template, at, template.length()).toString();
    }

    private JsonNode at(String... path) {
        JsonNode node = root;
        for (String name : path) {
            node = node.path(name);
        }
        if (node.isMissingNode()) {
            throw missing(String.join(".", path));
        }
        return node;
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(text -> texts.add(text.stringValue()));
        if (texts.isEmpty()) {
            throw missing("a list");
        }
        return List.copyOf(texts);
    }

    private static LayercakeException missing(String what) {
        return LayercakeException.internal("language.json lacks " + what, new IOException("incomplete resource"));
    }
}
