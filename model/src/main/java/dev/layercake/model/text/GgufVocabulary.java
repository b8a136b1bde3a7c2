package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufMetadata;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The vocabulary inside a GGUF file: the values of its {@code tokenizer.ggml.*} keys. An optional that is empty stands for
 * an absent key.
 *
 * @param kind {@code model}: {@code gpt2} is byte-level BPE, {@code llama} is SentencePiece
 * @param pre {@code pre}: the name of the rule that cuts text into words before BPE; for {@code gpt2} only
 * @param architecture {@code general.architecture}
 * @param tokens {@code tokens}: all pieces, by number
 * @param scores {@code scores}: one per piece for {@code llama} (higher is merged first), else empty
 * @param types {@code token_type}: one per piece ({@link #NORMAL} ...), or empty when all are normal
 * @param merges {@code merges}: two pieces with a space between, best first; for {@code gpt2}
 * @param bos {@code bos_token_id}
 * @param eos {@code eos_token_id}
 * @param unknown {@code unknown_token_id}
 * @param addBos {@code add_bos_token}
 * @param addEos {@code add_eos_token}
 * @param addSpacePrefix {@code add_space_prefix}
 */
public record GgufVocabulary(
        String kind,
        Optional<String> pre,
        String architecture,
        List<String> tokens,
        List<Float> scores,
        List<Integer> types,
        List<String> merges,
        OptionalInt bos,
        OptionalInt eos,
        OptionalInt unknown,
        Optional<Boolean> addBos,
        Optional<Boolean> addEos,
        Optional<Boolean> addSpacePrefix) {

    private static final String PREFIX = "tokenizer.ggml.";

    public static final int NORMAL = 1;
    public static final int UNKNOWN = 2;
    public static final int CONTROL = 3;
    public static final int USER_DEFINED = 4;
    public static final int UNUSED = 5;
    public static final int BYTE = 6;

    /**
     * @throws LayercakeException (bad model) if the lists do not fit together or an id is not in the vocabulary
     */
    public GgufVocabulary {
        if (tokens.isEmpty()) {
            throw LayercakeException.badModel("The GGUF file has no tokenizer.ggml.tokens; it holds no vocabulary.");
        }
        requireFit("scores", scores.size(), tokens.size());
        requireFit("token_type", types.size(), tokens.size());
        requireId("bos_token_id", bos, tokens.size());
        requireId("eos_token_id", eos, tokens.size());
        requireId("unknown_token_id", unknown, tokens.size());
    }

    /**
     * Takes the {@code tokenizer.ggml.*} keys out of a GGUF file.
     *
     * @throws LayercakeException (bad model) if the file holds no vocabulary or the keys do not fit together
     */
    public static GgufVocabulary of(GgufMetadata metadata) {
        return new GgufVocabulary(
                metadata.string(PREFIX + "model"),
                text(metadata, "pre"),
                metadata.string("general.architecture", ""),
                metadata.has(PREFIX + "tokens") ? metadata.strings(PREFIX + "tokens") : List.of(),
                metadata.has(PREFIX + "scores") ? floats(metadata.floats(PREFIX + "scores")) : List.of(),
                metadata.has(PREFIX + "token_type") ? integers(metadata.ints(PREFIX + "token_type")) : List.of(),
                metadata.has(PREFIX + "merges") ? metadata.strings(PREFIX + "merges") : List.of(),
                id(metadata, "bos_token_id"),
                id(metadata, "eos_token_id"),
                id(metadata, "unknown_token_id"),
                flag(metadata, "add_bos_token"),
                flag(metadata, "add_eos_token"),
                flag(metadata, "add_space_prefix"));
    }

    private static Optional<String> text(GgufMetadata metadata, String key) {
        return metadata.has(PREFIX + key) ? Optional.of(metadata.string(PREFIX + key)) : Optional.empty();
    }

    private static Optional<Boolean> flag(GgufMetadata metadata, String key) {
        return metadata.has(PREFIX + key) ? Optional.of(metadata.bool(PREFIX + key)) : Optional.empty();
    }

    private static OptionalInt id(GgufMetadata metadata, String key) {
        return metadata.has(PREFIX + key) ? OptionalInt.of(metadata.intValue(PREFIX + key)) : OptionalInt.empty();
    }

    private static List<Float> floats(float[] values) {
        List<Float> list = new ArrayList<>(values.length);
        for (float value : values) {
            list.add(value);
        }
        return list;
    }

    private static List<Integer> integers(int[] values) {
        return Arrays.stream(values).boxed().toList();
    }

    int type(int id) {
        return types.isEmpty() ? NORMAL : types.get(id);
    }

    private static void requireFit(String key, int count, int tokens) {
        if (count != 0 && count != tokens) {
            throw LayercakeException.badModel("tokenizer.ggml." + key + " has " + count + " values for " + tokens
                    + " tokens; the GGUF file is damaged.");
        }
    }

    private static void requireId(String key, OptionalInt id, int tokens) {
        if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= tokens)) {
            throw LayercakeException.badModel("tokenizer.ggml." + key + " is " + id.getAsInt() + " but there are "
                    + tokens + " tokens; the GGUF file is damaged.");
        }
    }
}
