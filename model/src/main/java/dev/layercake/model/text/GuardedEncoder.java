package dev.layercake.model.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * An encoder that takes the unmarked names of special tokens for tokens and marked ones for text. The native library can
 * only find special tokens everywhere or, in a tokenizer without them, nowhere. So the text is cut at the unmarked names
 * here, and what lies between goes through a copy of the tokenizer that has no special tokens, each stretch for itself, as
 * the library itself treats stretches between added tokens.
 */
final class GuardedEncoder {
    private static final JsonMapper MAPPER = new JsonMapper();

    private final Guard guard;
    private final NativeTokenizer firstStretch;
    private final NativeTokenizer laterStretch;
    private final int[] prefix;
    private final int[] suffix;

    GuardedEncoder(byte[] json, NativeTokenizer full, Guard guard) {
        this.guard = guard;
        ObjectNode root = (ObjectNode) MAPPER.readTree(json);
        removeSpecialTokens(root);
        firstStretch = new NativeTokenizer(MAPPER.writeValueAsString(root));
        laterStretch = suppressFirstPrefix(root) ? new NativeTokenizer(MAPPER.writeValueAsString(root)) : firstStretch;
        int[] bare = full.encode("a", false);
        int[] dressed = full.encode("a", true);
        int start = indexOf(bare, dressed);
        prefix = Arrays.copyOfRange(dressed, 0, start);
        suffix = Arrays.copyOfRange(dressed, start + bare.length, dressed.length);
    }

    int[] encode(String text, boolean addSpecialTokens) {
        IntStream.Builder tokens = IntStream.builder();
        if (addSpecialTokens) {
            addAll(prefix, tokens);
        }
        int start = 0;
        int i = 0;
        while (i < text.length()) {
            AddedToken token = guard.specialAt(text, i);
            if (token == null) {
                i++;
                continue;
            }
            int end = i;
            while (token.leftStrip() && end > start && Character.isWhitespace(text.charAt(end - 1))) {
                end--;
            }
            addStretch(text, start, end, tokens);
            tokens.add(token.id());
            i += token.content().length();
            while (token.rightStrip() && i < text.length() && Character.isWhitespace(text.charAt(i))) {
                i++;
            }
            start = i;
        }
        addStretch(text, start, text.length(), tokens);
        if (addSpecialTokens) {
            addAll(suffix, tokens);
        }
        return tokens.build().toArray();
    }

    private void addStretch(String text, int start, int end, IntStream.Builder tokens) {
        String stretch = Guard.unmark(text.substring(start, end));
        if (!stretch.isEmpty()) {
            addAll((start == 0 ? firstStretch : laterStretch).encode(stretch, false), tokens);
        }
    }

    private static void addAll(int[] from, IntStream.Builder to) {
        for (int token : from) {
            to.add(token);
        }
    }

    private static int indexOf(int[] part, int[] whole) {
        for (int start = 0; start + part.length <= whole.length; start++) {
            if (Arrays.equals(part, 0, part.length, whole, start, start + part.length)) {
                return start;
            }
        }
        return 0;
    }

    private static void removeSpecialTokens(ObjectNode root) {
        Set<String> specials = new HashSet<>();
        if (root.path("added_tokens") instanceof ArrayNode added) {
            for (int i = added.size() - 1; i >= 0; i--) {
                if (added.get(i).path("special").asBoolean(false)) {
                    specials.add(added.get(i).path("content").asString());
                    added.remove(i);
                }
            }
        }
        // The model must not find the name by itself either (a whole word under ignore_merges, a Unigram piece): it
        // gets
        // a name that no text has. The unknown token has to keep its own.
        specials.remove(root.path("model").path("unk_token").asString(""));
        if (root.path("model").path("vocab") instanceof ObjectNode vocabulary) {
            Set<String> merged = mergedPieces(root.path("model").path("merges"));
            for (String special : specials) {
                JsonNode id = vocabulary.get(special);
                if (id != null && !merged.contains(special)) {
                    vocabulary.remove(special);
                    vocabulary.set(Guard.MARK + special, id);
                }
            }
        } else if (root.path("model").path("vocab") instanceof ArrayNode vocabulary) {
            for (JsonNode entry : vocabulary) {
                if (entry instanceof ArrayNode pieceAndScore
                        && specials.contains(pieceAndScore.get(0).asString())) {
                    pieceAndScore.set(0, Guard.MARK + pieceAndScore.get(0).asString());
                }
            }
        }
    }

    private static Set<String> mergedPieces(JsonNode merges) {
        Set<String> pieces = new HashSet<>();
        for (JsonNode merge : merges) {
            String[] parts = merge.isArray()
                    ? new String[] {merge.get(0).asString(), merge.get(1).asString()}
                    : merge.asString().split(" ", 2);
            pieces.addAll(List.of(parts));
            pieces.add(String.join("", parts));
        }
        return pieces;
    }

    /** Turns the rule "a space before the first stretch only" into "none"; false if there is no such rule. */
    private static boolean suppressFirstPrefix(JsonNode root) {
        boolean found = false;
        JsonNode preTokenizer = root.path("pre_tokenizer");
        List<JsonNode> candidates = new ArrayList<>();
        candidates.add(preTokenizer);
        preTokenizer.path("pretokenizers").forEach(candidates::add);
        for (JsonNode candidate : candidates) {
            if (candidate instanceof ObjectNode metaspace
                    && metaspace.path("prepend_scheme").asString("").equals("first")) {
                metaspace.put("prepend_scheme", "never");
                found = true;
            }
        }
        return found;
    }
}
