package dev.layercake.eval;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reference numbers of official scorers: our copy in the test resources, or the file of that name under {@code
 * -Dlayercake.golden=DIR}; tests of a file that DIR lacks report themselves as skipped.
 */
public final class GoldenJson {
    private GoldenJson() {}

    public static JsonNode read(String name) {
        String elsewhere = System.getProperty("layercake.golden", "");
        Path path = elsewhere.isEmpty()
                ? Path.of(System.getProperty("layercake.root"), "eval/src/test/resources/golden", name)
                : Path.of(elsewhere, name);
        assumeTrue(elsewhere.isEmpty() || Files.isReadable(path), () -> "no golden file " + path);
        return JsonMapper.shared().readTree(path.toFile());
    }

    /** The elements of an array that may not be empty. */
    public static List<JsonNode> cases(JsonNode array) {
        List<JsonNode> cases = new ArrayList<>();
        array.forEach(cases::add);
        assertFalse(cases.isEmpty(), "the golden file has no such cases");
        return cases;
    }

    public static List<String> strings(JsonNode node) {
        List<String> strings = new ArrayList<>();
        if (node.isArray()) {
            node.forEach(element -> strings.add(element.asString()));
        } else if (node.isString()) {
            strings.add(node.asString());
        }
        return strings;
    }
}
