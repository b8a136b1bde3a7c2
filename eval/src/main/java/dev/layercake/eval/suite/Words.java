package dev.layercake.eval.suite;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** English words for keys and lists. */
record Words(List<String> adjectives, List<String> nouns) {
    static Words load() {
        try (InputStream in = Words.class.getResourceAsStream("words.json")) {
            if (in == null) {
                throw new IOException("no such resource");
            }
            JsonNode root = JsonMapper.shared().readTree(in);
            return new Words(list(root.path("adjectives")), list(root.path("nouns")));
        } catch (IOException e) {
            throw LayercakeException.internal("words.json cannot be read", e);
        }
    }

    private static List<String> list(JsonNode node) {
        return Arrays.asList(node.asString().split(" ", -1));
    }

    /** Different words, so many at least: nouns, adjectives, and beyond these pairs of both. */
    List<String> many(int count) {
        List<String> words = new ArrayList<>(nouns);
        words.addAll(adjectives);
        for (int i = 0; words.size() < count; i++) {
            words.add(adjectives.get(i / nouns.size() % adjectives.size()) + nouns.get(i % nouns.size()));
        }
        return words;
    }
}
