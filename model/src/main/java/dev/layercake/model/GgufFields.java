package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufMetadata;
import dev.layercake.model.format.Quote;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The metadata of a GGUF file whose keys begin with the name of its architecture. */
final class GgufFields extends ConfigFields {
    private final Path path;
    private final GgufMetadata metadata;
    private final String prefix;

    /** @param prefix of all keys, its dot included; may be empty */
    GgufFields(GgufFile file, String prefix) {
        this.path = file.path();
        this.metadata = file.metadata();
        this.prefix = prefix;
    }

    @Override
    boolean has(String key) {
        return metadata.has(prefix + key);
    }

    boolean isArray(String key) {
        return metadata.isArray(prefix + key);
    }

    /** Keys that begin so, without the architecture's prefix. */
    Set<String> keys(String beginning) {
        Set<String> keys = new TreeSet<>();
        for (String key : metadata.keys()) {
            if (key.startsWith(prefix + beginning)) {
                keys.add(key.substring(prefix.length()));
            }
        }
        return keys;
    }

    @Override
    long whole(String key) {
        return metadata.longValue(prefix + key);
    }

    @Override
    double number(String key) {
        return metadata.floatValue(prefix + key);
    }

    @Override
    boolean flag(String key) {
        return metadata.bool(prefix + key);
    }

    @Override
    String text(String key) {
        return metadata.string(prefix + key);
    }

    boolean[] flags(String key) {
        return metadata.bools(prefix + key);
    }

    /** A number that some files give per layer; only the same for all layers is supported. */
    int uniform(String key, int fallback, int least, int most) {
        if (!isArray(key)) {
            return integer(key, fallback, least, most);
        }
        int[] perLayer = metadata.ints(prefix + key);
        if (perLayer.length == 0 || Arrays.stream(perLayer).distinct().count() != 1) {
            throw LayercakeException.badModel(
                    path + ": " + prefix + key + " differs from layer to layer, which is not supported");
        }
        if (perLayer[0] < least || perLayer[0] > most) {
            throw refused(key, "a whole number from " + least + " to " + most);
        }
        return perLayer[0];
    }

    /** Those of several keys that name a token, each one of the vocabulary, without repetition. */
    List<Integer> tokens(List<String> keys, int vocabularySize) {
        return keys.stream()
                .filter(key -> metadata.token(prefix + key).isPresent())
                .map(key -> {
                    long token = whole(key);
                    if (token < 0 || token >= vocabularySize) {
                        throw refused(key, "a token below " + vocabularySize + ", the size of the vocabulary");
                    }
                    return (int) token;
                })
                .distinct()
                .toList();
    }

    @Override
    LayercakeException refused(String key, String expected) {
        String value = metadata.find(prefix + key)
                .map(found -> Quote.of(found.toString()))
                .orElse("missing");
        return LayercakeException.badModel(path + ": the metadata key '" + prefix + key + "' is " + value + ", not "
                + expected + "; the file is damaged, download or convert it again");
    }
}
