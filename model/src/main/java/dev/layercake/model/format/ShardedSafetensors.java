package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/** Safetensors files of one model, seen as one source through their index. */
final class ShardedSafetensors implements TensorSource {
    private static final int LONGEST_FILE_NAME = 255;
    private static final String WEIGHT_MAP = "weight_map";

    private final Path path;
    private final List<SafetensorsFile> shards;
    private final Map<String, SafetensorsFile> shardOfTensor;

    private ShardedSafetensors(Path path, List<SafetensorsFile> shards, Map<String, SafetensorsFile> shardOfTensor) {
        this.path = path;
        this.shards = shards;
        this.shardOfTensor = shardOfTensor;
    }

    static TensorSource open(Path index) {
        Map<String, String> fileOfTensor = weightMap(index);
        Map<String, SafetensorsFile> shardOfFile = new HashMap<>();
        Map<String, SafetensorsFile> shardOfTensor = new LinkedHashMap<>();
        boolean complete = false;
        try {
            for (Map.Entry<String, String> entry : fileOfTensor.entrySet()) {
                SafetensorsFile shard = shardOfFile.computeIfAbsent(entry.getValue(), name -> openShard(index, name));
                if (shard.find(entry.getKey()).isEmpty()) {
                    throw MappedFile.damaged(
                            index,
                            "it says that tensor " + Quote.of(entry.getKey()) + " is in " + shard.path()
                                    + ", which does not have it");
                }
                shardOfTensor.put(entry.getKey(), shard);
            }
            complete = true;
            return new ShardedSafetensors(index, List.copyOf(shardOfFile.values()), shardOfTensor);
        } finally {
            if (!complete) {
                shardOfFile.values().forEach(SafetensorsFile::close);
            }
        }
    }

    private static SafetensorsFile openShard(Path index, String name) {
        Path shard = sibling(index, name);
        if (Files.notExists(shard)) {
            throw LayercakeException.badModel(
                    shard + " is missing, though " + index + " names it: download the model again, with all its files");
        }
        return SafetensorsFile.open(shard);
    }

    /** A shard lies beside its index: a name that leads elsewhere would let a download read any file of the user. */
    private static Path sibling(Path index, String name) {
        if (!name.isEmpty()
                && name.length() <= LONGEST_FILE_NAME
                && !name.equals(".")
                && !name.equals("..")
                && name.chars().noneMatch(ShardedSafetensors::leadsAway)) {
            try {
                return index.resolveSibling(name);
            } catch (InvalidPathException e) {
                // Not a name that this system can have: the same refusal.
            }
        }
        throw MappedFile.damaged(index, "it names " + Quote.of(name) + ", which is not a file of its own folder");
    }

    private static boolean leadsAway(int character) {
        return character == '/' || character == '\\' || character == ':' || Character.isISOControl(character);
    }

    private static Map<String, String> weightMap(Path index) {
        byte[] json = Json.bytes(index, Json.LARGEST_HEADER_BYTES);
        Map<String, String> fileOfTensor = new LinkedHashMap<>();
        Map<String, String> files = new HashMap<>();
        try (JsonParser parser = Json.parser(json)) {
            Json.expect(parser, JsonToken.START_OBJECT, index, "it");
            for (String key = parser.nextName(); key != null; key = parser.nextName()) {
                if (!key.equals(WEIGHT_MAP)) {
                    parser.nextToken();
                    parser.skipChildren();
                    continue;
                }
                Json.expect(parser, JsonToken.START_OBJECT, index, WEIGHT_MAP);
                for (String tensor = parser.nextName(); tensor != null; tensor = parser.nextName()) {
                    Json.expect(parser, JsonToken.VALUE_STRING, index, WEIGHT_MAP + " " + Quote.of(tensor));
                    String file = parser.getString();
                    fileOfTensor.put(tensor, files.computeIfAbsent(file, name -> name));
                }
            }
            if (parser.nextToken() != null) {
                throw MappedFile.damaged(index, "it goes on after the JSON object");
            }
        } catch (JacksonException e) {
            throw Json.invalid(index, "it", e);
        }
        if (fileOfTensor.isEmpty()) {
            throw MappedFile.damaged(index, "its " + WEIGHT_MAP + " is missing or empty");
        }
        return fileOfTensor;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(shardOfTensor.keySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        SafetensorsFile shard = shardOfTensor.get(name);
        return shard == null ? Optional.empty() : shard.find(name);
    }

    @Override
    public MemorySegment data(String name) {
        SafetensorsFile shard = shardOfTensor.get(name);
        if (shard == null) {
            throw MappedFile.noTensor(path, name);
        }
        return shard.data(name);
    }

    @Override
    public long fileBytes() {
        return shards.stream().mapToLong(SafetensorsFile::fileBytes).sum();
    }

    @Override
    public void close() {
        shards.forEach(SafetensorsFile::close);
    }
}
