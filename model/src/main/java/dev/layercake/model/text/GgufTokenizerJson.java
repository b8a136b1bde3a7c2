package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.json.JsonMapper;

/**
 * A tokenizer.json written in memory from the vocabulary of a GGUF file.
 *
 * <p>{@code gpt2} becomes byte-level BPE as it stands. {@code llama} is SentencePiece's BPE, which knows scores of pieces
 * and no merges: any two neighbours whose concatenation is a piece may merge, highest score first. The same merges in the
 * same order are written out as a list: every way to cut every piece into two pieces, by the score of the whole. (Where two
 * different pieces have one score, SentencePiece prefers the leftmost place and the list the shorter left part.)
 */
final class GgufTokenizerJson {
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final String BYTE_LEVEL = """
            {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""";
    private static final String SPACE_TO_MARK = """
            {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}""";
    private static final String MARK_TO_SPACE = """
            {"type":"Replace","pattern":{"String":"\u2581"},"content":" "}""";

    private final GgufVocabulary vocabulary;
    private final Map<String, Integer> idOfPiece = new LinkedHashMap<>();

    private GgufTokenizerJson(GgufVocabulary vocabulary) {
        this.vocabulary = vocabulary;
        for (int id = 0; id < vocabulary.tokens().size(); id++) {
            // As in llama.cpp, an empty piece gets a name; no text has it, since it holds a noncharacter.
            String piece = vocabulary.tokens().get(id);
            String name = piece.isEmpty() ? "[EMPTY_" + id + Guard.MARK + "]" : piece;
            Integer other = idOfPiece.put(name, id);
            if (other != null) {
                throw LayercakeException.badModel("The GGUF vocabulary has the piece \"" + name + "\" twice, as "
                        + other + " and " + id + "; the file is damaged.");
            }
        }
    }

    /** Writes the JSON text in UTF-8. */
    static byte[] write(GgufVocabulary vocabulary) {
        GgufTokenizerJson writer = new GgufTokenizerJson(vocabulary);
        return switch (vocabulary.kind()) {
            case "gpt2" -> writer.byteLevel();
            case "llama" -> writer.sentencePiece();
            default ->
                throw LayercakeException.badModel("The tokenizer kind \"" + vocabulary.kind()
                        + "\" (tokenizer.ggml.model) is not supported; known are gpt2, llama.");
        };
    }

    private byte[] byteLevel() {
        PreTokenizer rule = PreTokenizer.named(vocabulary.pre().orElse("default"));
        List<Merge> merges = new ArrayList<>(vocabulary.merges().size());
        for (String merge : vocabulary.merges()) {
            // A piece may begin with a space in a few old files; the separator is never the first character.
            int space = merge.indexOf(' ', 1);
            if (space < 0 || space == merge.length() - 1) {
                throw LayercakeException.badModel("The GGUF merge \"" + merge
                        + "\" is not two pieces with a space between; the file is damaged.");
            }
            addMerge(merge.substring(0, space), merge.substring(space + 1), 0, merges);
        }
        String splits = rule.expressions().stream()
                .map(expression -> "{\"type\":\"Split\",\"pattern\":{\"Regex\":" + MAPPER.writeValueAsString(expression)
                        + "},\"behavior\":\"Isolated\",\"invert\":false},")
                .collect(Collectors.joining());
        return document(json -> {
            if (rule.composes()) {
                section(json, "normalizer", "{\"type\":\"NFC\"}");
            }
            section(json, "pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[" + splits + BYTE_LEVEL + "]}");
            section(json, "decoder", BYTE_LEVEL);
            writePostProcessor(json, vocabulary.addBos().orElse(rule.addsBos()), vocabulary.bos(), vocabulary.eos());
            writeModel(json, merges, rule.ignoresMerges(), OptionalInt.empty());
        });
    }

    private byte[] sentencePiece() {
        if (vocabulary.scores().isEmpty()) {
            throw LayercakeException.badModel(
                    "The GGUF vocabulary is of the kind llama but has no tokenizer.ggml.scores; the file is incomplete.");
        }
        boolean spacePrefix = vocabulary.addSpacePrefix().orElse(true);
        String prepend = spacePrefix ? "{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}," : "";
        String strip = spacePrefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "";
        List<Merge> merges = mergesFromScores();
        return document(json -> {
            section(json, "normalizer", "{\"type\":\"Sequence\",\"normalizers\":[" + prepend + SPACE_TO_MARK + "]}");
            section(
                    json,
                    "decoder",
                    "{\"type\":\"Sequence\",\"decoders\":[" + MARK_TO_SPACE
                            + ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}" + strip + "]}");
            // SentencePiece's own numbers, for files that leave the keys out.
            writePostProcessor(
                    json, vocabulary.addBos().orElse(true), orElse(vocabulary.bos(), 1), orElse(vocabulary.eos(), 2));
            writeModel(json, merges, false, orElse(vocabulary.unknown(), 0));
        });
    }

    private OptionalInt orElse(OptionalInt id, int usual) {
        return id.isPresent() || usual >= vocabulary.tokens().size() ? id : OptionalInt.of(usual);
    }

    private List<Merge> mergesFromScores() {
        List<Merge> merges = new ArrayList<>();
        for (int id = 0; id < vocabulary.tokens().size(); id++) {
            String piece = vocabulary.tokens().get(id);
            if (!mayMerge(id)) {
                continue;
            }
            for (int cut = piece.offsetByCodePoints(0, Math.min(1, piece.length()));
                    cut < piece.length();
                    cut = piece.offsetByCodePoints(cut, 1)) {
                addMerge(
                        piece.substring(0, cut),
                        piece.substring(cut),
                        vocabulary.scores().get(id),
                        merges);
            }
        }
        merges.sort((a, b) -> Float.compare(b.score(), a.score()));
        return merges;
    }

    private boolean mayMerge(int id) {
        int type = vocabulary.type(id);
        return type != GgufVocabulary.CONTROL && type != GgufVocabulary.BYTE && type != GgufVocabulary.UNKNOWN;
    }

    private void addMerge(String left, String right, float score, List<Merge> merges) {
        Integer leftId = idOfPiece.get(left);
        Integer rightId = idOfPiece.get(right);
        Integer wholeId = idOfPiece.get(left + right);
        // A merge with a part that is no piece could never be made; the library refuses it.
        if (leftId != null && rightId != null && wholeId != null && mayMerge(leftId) && mayMerge(rightId)) {
            merges.add(new Merge(left, right, score));
        }
    }

    private byte[] document(Body body) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1 << 20);
        try (JsonGenerator json = MAPPER.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeStringProperty("version", "1.0");
            writeAddedTokens(json);
            body.write(json);
            json.writeEndObject();
        }
        return bytes.toByteArray();
    }

    private void writeAddedTokens(JsonGenerator json) {
        json.writeArrayPropertyStart("added_tokens");
        for (Map.Entry<String, Integer> entry : idOfPiece.entrySet()) {
            int type = vocabulary.type(entry.getValue());
            boolean unknown = vocabulary.unknown().orElse(-1) == entry.getValue() && type == GgufVocabulary.UNKNOWN;
            boolean special = type == GgufVocabulary.CONTROL || unknown;
            if (!special && type != GgufVocabulary.USER_DEFINED) {
                continue;
            }
            json.writeStartObject();
            json.writeNumberProperty("id", entry.getValue());
            json.writeStringProperty("content", entry.getKey());
            json.writeBooleanProperty("single_word", false);
            json.writeBooleanProperty("lstrip", false);
            json.writeBooleanProperty("rstrip", special && swallowsSpaceAfter(entry.getKey()));
            json.writeBooleanProperty("normalized", false);
            json.writeBooleanProperty("special", special);
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    /** Phi-3's turn markers take the white space after them; GGUF has no key that says so. */
    private boolean swallowsSpaceAfter(String content) {
        return vocabulary.architecture().toLowerCase(Locale.ROOT).equals("phi3")
                && vocabulary.kind().equals("llama")
                && !content.equals("<unk>")
                && !content.equals("<s>")
                && !content.equals("<|endoftext|>");
    }

    private void writePostProcessor(JsonGenerator json, boolean addsBos, OptionalInt bos, OptionalInt eos) {
        boolean addsEos = vocabulary.addEos().orElse(false);
        requireKnown("bos", vocabulary.addBos().orElse(false), bos);
        requireKnown("eos", addsEos, eos);
        StringBuilder single = new StringBuilder();
        StringBuilder specials = new StringBuilder();
        if (addsBos && bos.isPresent()) {
            single.append("{\"SpecialToken\":{\"id\":\"bos\",\"type_id\":0}},");
            specials.append(templateToken("bos", bos.getAsInt()));
        }
        single.append("{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}");
        if (addsEos && eos.isPresent()) {
            single.append(",{\"SpecialToken\":{\"id\":\"eos\",\"type_id\":0}}");
            specials.append(specials.isEmpty() ? "" : ",").append(templateToken("eos", eos.getAsInt()));
        }
        if (!specials.isEmpty()) {
            section(
                    json,
                    "post_processor",
                    "{\"type\":\"TemplateProcessing\",\"single\":[" + single
                            + "],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
                            + "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{" + specials + "}}");
        }
    }

    private String templateToken(String name, int id) {
        return "\"" + name + "\":{\"id\":\"" + name + "\",\"ids\":[" + id + "],\"tokens\":["
                + MAPPER.writeValueAsString(vocabulary.tokens().get(id)) + "]}";
    }

    private static void requireKnown(String name, boolean added, OptionalInt id) {
        if (added && id.isEmpty()) {
            throw LayercakeException.badModel("tokenizer.ggml.add_" + name + "_token is true but tokenizer.ggml." + name
                    + "_token_id is not there; the GGUF file is incomplete.");
        }
    }

    private void writeModel(JsonGenerator json, List<Merge> merges, boolean ignoreMerges, OptionalInt unknown) {
        boolean byteFallback = unknown.isPresent();
        json.writeObjectPropertyStart("model");
        json.writeStringProperty("type", "BPE");
        if (unknown.isPresent()) {
            json.writeStringProperty("unk_token", vocabulary.tokens().get(unknown.getAsInt()));
        }
        json.writeBooleanProperty("fuse_unk", byteFallback);
        json.writeBooleanProperty("byte_fallback", byteFallback);
        json.writeBooleanProperty("ignore_merges", ignoreMerges);
        json.writeObjectPropertyStart("vocab");
        for (Map.Entry<String, Integer> entry : idOfPiece.entrySet()) {
            json.writeNumberProperty(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
        json.writeArrayPropertyStart("merges");
        for (Merge merge : merges) {
            json.writeStartArray();
            json.writeString(merge.left());
            json.writeString(merge.right());
            json.writeEndArray();
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void section(JsonGenerator json, String name, String value) {
        json.writeName(name);
        json.writeRawValue(value);
    }

    private record Merge(String left, String right, float score) {}

    @FunctionalInterface
    private interface Body {
        void write(JsonGenerator json);
    }
}
