package dev.layercake.model;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A folder of reference numbers: our copy in the test resources, or the one of that name under {@code
 * -Dlayercake.golden=DIR}. A folder that DIR lacks makes its tests report themselves as skipped.
 */
public record GoldenFolder(Path path) {
    public static GoldenFolder named(String name) {
        String elsewhere = System.getProperty("layercake.golden", "");
        Path path = elsewhere.isEmpty()
                ? Path.of(System.getProperty("layercake.root"), "model/src/test/resources/golden", name)
                : Path.of(elsewhere, name);
        assumeTrue(elsewhere.isEmpty() || Files.isDirectory(path), () -> "no golden folder " + path);
        return new GoldenFolder(path);
    }

    /** The entries of {@code cases} in its cases.json. */
    public List<JsonNode> cases() {
        JsonNode cases = JsonMapper.shared()
                .readTree(path.resolve("cases.json").toFile())
                .path("cases");
        return StreamSupport.stream(cases.spliterator(), false).toList();
    }
}
