package dev.layercake.model.text;

import dev.layercake.kernels.LayercakeException;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
    private static final String SPACE_MARK = "\u2581";

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
        return document(json -> {
            if (rule.composes()) {
                json.writeName("normalizer");
                json.writeStartObject();
                json.writeStringProperty("type", "NFC");
                json.writeEndObject();
            }
            json.writeName("pre_tokenizer");
            json.writeStartObject();
            json.writeStringProperty("type", "Sequence");
            json.writeArrayPropertyStart("pretokenizers");
            for (String expression : rule.expressions()) {
                json.writeStartObject();
                json.writeStringProperty("type", "Split");
                json.writeObjectPropertyStart("pattern");
                json.writeStringProperty("Regex", expression);
                json.writeEndObject();
                json.writeStringProperty("behavior", "Isolated");
                json.writeBooleanProperty("invert", false);
                json.writeEndObject();
            }
            writeByteLevel(json);
            json.writeEndArray();
            json.writeEndObject();
            writePostProcessor(json, rule.addsBos());
            json.writeName("decoder");
            writeByteLevel(json);
            writeModel(json, merges, rule.ignoresMerges(), false);
        });
    }

    private byte[] sentencePiece() {
        if (vocabulary.scores().isEmpty()) {
            throw LayercakeException.badModel(
                    "The GGUF vocabulary is of the kind llama but has no tokenizer.ggml.scores; the file is incomplete.");
        }
        boolean spacePrefix = vocabulary.addSpacePrefix().orElse(true);
        List<Merge> merges = mergesFromScores();
        return document(json -> {
            json.writeName("normalizer");
            json.writeStartObject();
            json.writeStringProperty("type", "Sequence");
            json.writeArrayPropertyStart("normalizers");
            if (spacePrefix) {
                json.writeStartObject();
                json.writeStringProperty("type", "Prepend");
                json.writeStringProperty("prepend", SPACE_MARK);
                json.writeEndObject();
            }
            writeReplace(json, " ", SPACE_MARK);
            json.writeEndArray();
            json.writeEndObject();
            writePostProcessor(json, true);
            json.writeName("decoder");
            json.writeStartObject();
            json.writeStringProperty("type", "Sequence");
            json.writeArrayPropertyStart("decoders");
            writeReplace(json, SPACE_MARK, " ");
            writeType(json, "ByteFallback");
            writeType(json, "Fuse");
            if (spacePrefix) {
                json.writeStartObject();
                json.writeStringProperty("type", "Strip");
                json.writeStringProperty("content", " ");
                json.writeNumberProperty("start", 1);
                json.writeNumberProperty("stop", 0);
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeEndObject();
            writeModel(json, merges, false, true);
        });
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

    private void writePostProcessor(JsonGenerator json, boolean addsBosUnlessSaid) {
        boolean bos = vocabulary.addBos().orElse(addsBosUnlessSaid)
                && vocabulary.bos().isPresent();
        boolean eos = vocabulary.addEos().orElse(false) && vocabulary.eos().isPresent();
        if (!bos && !eos) {
            return;
        }
        Map<String, Integer> specials = new HashMap<>();
        json.writeName("post_processor");
        json.writeStartObject();
        json.writeStringProperty("type", "TemplateProcessing");
        for (String form : List.of("single", "pair")) {
            json.writeArrayPropertyStart(form);
            for (String sequence : form.equals("single") ? List.of("A") : List.of("A", "B")) {
                if (bos) {
                    writeTemplateToken(json, vocabulary.bos().getAsInt(), specials);
                }
                json.writeStartObject();
                json.writeObjectPropertyStart("Sequence");
                json.writeStringProperty("id", sequence);
                json.writeNumberProperty("type_id", 0);
                json.writeEndObject();
                json.writeEndObject();
                if (eos) {
                    writeTemplateToken(json, vocabulary.eos().getAsInt(), specials);
                }
            }
            json.writeEndArray();
        }
        json.writeObjectPropertyStart("special_tokens");
        for (Map.Entry<String, Integer> special : specials.entrySet()) {
            json.writeObjectPropertyStart(special.getKey());
            json.writeStringProperty("id", special.getKey());
            json.writeArrayPropertyStart("ids");
            json.writeNumber(special.getValue());
            json.writeEndArray();
            json.writeArrayPropertyStart("tokens");
            json.writeString(special.getKey());
            json.writeEndArray();
            json.writeEndObject();
        }
        json.writeEndObject();
        json.writeEndObject();
    }

    private void writeTemplateToken(JsonGenerator json, int id, Map<String, Integer> specials) {
        String piece = vocabulary.tokens().get(id);
        specials.put(piece, id);
        json.writeStartObject();
        json.writeObjectPropertyStart("SpecialToken");
        json.writeStringProperty("id", piece);
        json.writeNumberProperty("type_id", 0);
        json.writeEndObject();
        json.writeEndObject();
    }

    private void writeModel(JsonGenerator json, List<Merge> merges, boolean ignoreMerges, boolean byteFallback) {
        json.writeObjectPropertyStart("model");
        json.writeStringProperty("type", "BPE");
        if (byteFallback && vocabulary.unknown().isPresent()) {
            json.writeStringProperty(
                    "unk_token", vocabulary.tokens().get(vocabulary.unknown().getAsInt()));
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

    private static void writeByteLevel(JsonGenerator json) {
        json.writeStartObject();
        json.writeStringProperty("type", "ByteLevel");
        json.writeBooleanProperty("add_prefix_space", false);
        json.writeBooleanProperty("trim_offsets", true);
        json.writeBooleanProperty("use_regex", false);
        json.writeEndObject();
    }

    private static void writeReplace(JsonGenerator json, String from, String to) {
        json.writeStartObject();
        json.writeStringProperty("type", "Replace");
        json.writeObjectPropertyStart("pattern");
        json.writeStringProperty("String", from);
        json.writeEndObject();
        json.writeStringProperty("content", to);
        json.writeEndObject();
    }

    private static void writeType(JsonGenerator json, String type) {
        json.writeStartObject();
        json.writeStringProperty("type", type);
        json.writeEndObject();
    }

    private record Merge(String left, String right, float score) {}

    @FunctionalInterface
    private interface Body {
        void write(JsonGenerator json);
    }
}
