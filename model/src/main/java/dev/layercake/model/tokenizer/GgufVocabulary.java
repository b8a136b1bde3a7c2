package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufMetadata;
import dev.layercake.model.format.GgufStrings;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** The vocabulary inside a GGUF file: the values of its {@code tokenizer.ggml.*} keys, checked against each other. */
final class GgufVocabulary {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final int[] NO_TYPES = {};
    private static final float[] NO_SCORES = {};

    static final int NORMAL = 1;
    static final int UNKNOWN = 2;
    static final int CONTROL = 3;
    static final int USER_DEFINED = 4;
    static final int UNUSED = 5;
    static final int BYTE = 6;

    private final GgufMetadata metadata;
    private final GgufStrings tokens;
    private final float[] scores;
    private final int[] types;

    private GgufVocabulary(GgufMetadata metadata) {
        this.metadata = metadata;
        tokens = metadata.has(PREFIX + "tokens") ? metadata.strings(PREFIX + "tokens") : GgufStrings.of(List.of());
        scores = metadata.has(PREFIX + "scores") ? metadata.floats(PREFIX + "scores") : NO_SCORES;
        types = metadata.has(PREFIX + "token_type") ? metadata.ints(PREFIX + "token_type") : NO_TYPES;
        if (tokens.isEmpty()) {
            throw LayercakeException.badModel("The GGUF file has no tokenizer.ggml.tokens; it holds no vocabulary.");
        }
        requireFit("scores", scores.length);
        requireFit("token_type", types.length);
    }

    /**
     * Takes the {@code tokenizer.ggml.*} keys out of a GGUF file.
     *
     * @throws LayercakeException (bad model) if the file holds no vocabulary or the keys do not fit together
     */
    static GgufVocabulary of(GgufMetadata metadata) {
        return new GgufVocabulary(metadata);
    }

    /** {@code model}: {@code gpt2} is byte-level BPE, {@code llama} is SentencePiece. */
    String kind() {
        return metadata.string(PREFIX + "model");
    }

    /** {@code pre}: the name of the rule that cuts text into words before BPE; for {@code gpt2} only. */
    Optional<String> pre() {
        return metadata.has(PREFIX + "pre") ? Optional.of(metadata.string(PREFIX + "pre")) : Optional.empty();
    }

    String architecture() {
        return metadata.string("general.architecture", "");
    }

    /** All pieces, by number. */
    GgufStrings tokens() {
        return tokens;
    }

    /** One per piece for {@code llama} (higher is merged first), else empty; for reading only. */
    float[] scores() {
        return scores;
    }

    /** What a piece is ({@link #NORMAL} ...); normal where the file does not say. */
    int type(int id) {
        return types.length == 0 ? NORMAL : types[id];
    }

    /** The numbers of all pieces that are not normal, ascending: few beside those that are. */
    int[] marked() {
        TokenList marked = new TokenList();
        for (int id = 0; id < types.length; id++) {
            if (types[id] != NORMAL) {
                marked.add(id);
            }
        }
        return marked.toArray();
    }

    /** Two pieces with a space between, best first; for {@code gpt2}. */
    GgufStrings merges() {
        return metadata.has(PREFIX + "merges") ? metadata.strings(PREFIX + "merges") : GgufStrings.of(List.of());
    }

    /** {@code bos_token_id} and the like. */
    OptionalInt id(String name) {
        String key = PREFIX + name + "_token_id";
        OptionalLong named = metadata.token(key);
        if (named.isEmpty()) {
            return OptionalInt.empty();
        }
        long id = named.getAsLong();
        if (id < 0 || id >= tokens.size()) {
            throw LayercakeException.badModel(
                    key + " is " + id + " but there are " + tokens.size() + " tokens; the GGUF file is damaged.");
        }
        return OptionalInt.of((int) id);
    }

    /** {@code add_bos_token} and the like. */
    Optional<Boolean> flag(String name) {
        return metadata.has(PREFIX + name) ? Optional.of(metadata.bool(PREFIX + name)) : Optional.empty();
    }

    private void requireFit(String key, int count) {
        if (count != 0 && count != tokens.size()) {
            throw LayercakeException.badModel(PREFIX + key + " has " + count + " values for " + tokens.size()
                    + " tokens; the GGUF file is damaged.");
        }
    }
}
