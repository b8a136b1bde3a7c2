package dev.layercake.kv;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The golden numbers: the folder named by {@code -Dlayercake.golden}, or the copies in the test resources. */
public final class Golden {
    private static final JsonMapper JSON = JsonMapper.shared();

    private Golden() {}

    /** Whether there is a subfolder; tests whose cases come from it say skipped otherwise. */
    static boolean has(String name) {
        String given = System.getProperty("layercake.golden", "");
        return given.isEmpty() || Files.isDirectory(Path.of(given, name));
    }

    /** A subfolder; the test that asks is skipped if the folder given on the command line lacks it. */
    public static Path folder(String name) {
        String given = System.getProperty("layercake.golden", "");
        if (!given.isEmpty()) {
            Path folder = Path.of(given, name);
            Assumptions.assumeTrue(Files.isDirectory(folder), () -> "no folder " + folder);
            return folder;
        }
        URL resource = Golden.class.getResource("/golden/" + name + "/cases.json");
        if (resource == null) {
            throw new IllegalStateException("no test resources golden/" + name);
        }
        try {
            URI cases = resource.toURI();
            return Path.of(cases).resolveSibling("");
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    public static JsonNode json(Path file) {
        return JSON.readTree(file.toFile());
    }

    /** The arrays of a safetensors file by name. */
    static Map<String, GoldenArray> arrays(Path file) {
        ByteBuffer bytes;
        try {
            bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        int headerBytes = Math.toIntExact(bytes.getLong(0));
        String header = new String(bytes.array(), Long.BYTES, headerBytes, StandardCharsets.UTF_8);
        Map<String, GoldenArray> arrays = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : JSON.readTree(header).properties()) {
            if (entry.getKey().equals("__metadata__")) {
                continue;
            }
            JsonNode tensor = entry.getValue();
            int[] shape = JSON.convertValue(tensor.get("shape"), int[].class);
            int first =
                    Long.BYTES + headerBytes + tensor.get("data_offsets").get(0).intValue();
            int end =
                    Long.BYTES + headerBytes + tensor.get("data_offsets").get(1).intValue();
            ByteBuffer data = bytes.slice(first, end - first).order(ByteOrder.LITTLE_ENDIAN);
            arrays.put(entry.getKey(), GoldenArray.read(tensor.get("dtype").stringValue(), shape, data));
        }
        return arrays;
    }
}
