package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The {@code model} section of a tokenizer.json, read in one pass: vocabularies and merges have 500,000 entries. */
final class ModelSection {
    private final JsonMapper mapper;
    private final int idLimit;
    private final ObjectNode fields = JsonNodeFactory.instance.objectNode();
    private final PieceTableBuilder vocabulary = new PieceTableBuilder();
    /** Left and right parts in turns, before the vocabulary is known. */
    private final PieceTableBuilder mergeParts = new PieceTableBuilder();

    private double[] scores = new double[0];
    private boolean scored;
    private boolean vocabularySeen;
    private @Nullable PieceTable pieces;

    private ModelSection(JsonMapper mapper, int idLimit) {
        this.mapper = mapper;
        this.idLimit = idLimit;
    }

    /**
     * Reads the section.
     *
     * @param parser at its beginning
     * @param idLimit one more than the highest number that a piece may have
     */
    static ModelSection read(JsonParser parser, JsonMapper mapper, int idLimit) {
        ModelSection section = new ModelSection(mapper, idLimit);
        section.read(parser);
        return section;
    }

    PieceTable pieces() {
        PieceTable table = pieces;
        if (table == null) {
            table = vocabulary.build();
            pieces = table;
        }
        return table;
    }

    private void read(JsonParser parser) {
        require(parser.currentToken() == JsonToken.START_OBJECT, "has a \"model\" that is not an object");
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (name.equals("vocab") && !vocabularySeen) {
                vocabularySeen = true;
                readVocabulary(parser, value);
            } else if (name.equals("merges") && value == JsonToken.START_ARRAY && mergeParts.count() == 0) {
                readMerges(parser);
            } else {
                JsonNode field = mapper.readTree(parser);
                fields.set(name, field);
            }
        }
    }

    private void readVocabulary(JsonParser parser, JsonToken value) {
        if (value == JsonToken.START_OBJECT) {
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String piece = parser.currentName();
                require(parser.nextToken() == JsonToken.VALUE_NUMBER_INT, "has a piece without a number");
                int id = parser.getIntValue();
                require(id >= 0 && id < idLimit, "gives a piece the number " + id);
                vocabulary.add(id, piece);
            }
            return;
        }
        require(value == JsonToken.START_ARRAY, "has a vocabulary that is neither an object nor an array");
        scored = true;
        for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
            require(parser.nextToken() == JsonToken.VALUE_STRING, "has a piece that is not a string");
            vocabulary.add(id, parser.getString());
            JsonToken score = parser.nextToken();
            require(
                    score == JsonToken.VALUE_NUMBER_FLOAT || score == JsonToken.VALUE_NUMBER_INT,
                    "has a piece without a score");
            if (id == scores.length) {
                scores = Arrays.copyOf(scores, Math.max(1024, id * 2));
            }
            scores[id] = parser.getDoubleValue();
            require(Double.isFinite(scores[id]), "has a piece whose score is no number");
            require(parser.nextToken() == JsonToken.END_ARRAY, "has a piece with more than a score");
        }
    }

    private void readMerges(JsonParser parser) {
        for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
            if (token == JsonToken.VALUE_STRING) {
                String merge = parser.getString();
                if (merge.startsWith("#version")) {
                    continue;
                }
                int blank = merge.indexOf(' ');
                require(
                        blank >= 0 && merge.indexOf(' ', blank + 1) < 0,
                        "has a merge that is not two pieces with a space between");
                mergeParts.add(0, merge.substring(0, blank));
                mergeParts.add(0, merge.substring(blank + 1));
            } else {
                require(token == JsonToken.START_ARRAY, "has a merge that is neither a string nor a pair");
                for (int part = 0; part < 2; part++) {
                    require(parser.nextToken() == JsonToken.VALUE_STRING, "has a merge that is not two pieces");
                    mergeParts.add(0, parser.getString());
                }
                require(parser.nextToken() == JsonToken.END_ARRAY, "has a merge that is not two pieces");
            }
        }
    }

    /** The token for what the vocabulary does not have, -1 if the section names none. */
    int unknown() {
        if (isUnigram()) {
            JsonNode id = fields.path("unk_id");
            return id.isInt() ? id.intValue() : -1;
        }
        JsonNode name = fields.path("unk_token");
        return name.isString() ? pieces().find(name.stringValue()) : -1;
    }

    private boolean isUnigram() {
        return type().equals("Unigram");
    }

    /** Old files leave the type out; what the section holds tells it. */
    private String type() {
        JsonNode type = fields.path("type");
        if (type.isString()) {
            return type.stringValue();
        }
        return scored
                ? "Unigram"
                : mergeParts.count() > 0 ? "BPE" : fields.has("continuing_subword_prefix") ? "WordPiece" : "BPE";
    }

    /** @param readsBytes whether words come as bytes, for byte-level encoding */
    TokenModel model(boolean readsBytes) {
        require(vocabularySeen, "has a \"model\" without a \"vocab\"");
        require(scored == isUnigram(), "has a vocabulary that does not suit its model");
        return switch (type()) {
            case "BPE" -> bytePair(readsBytes);
            case "Unigram" -> unigram();
            case "WordPiece" -> {
                require(unknown() >= 0, "has a WordPiece model whose unk_token is not in the vocabulary");
                yield new WordPieceModel(
                        pieces(),
                        unknown(),
                        fields.path("continuing_subword_prefix").asString("##"),
                        fields.path("max_input_chars_per_word").asInt(100));
            }
            case "WordLevel" -> {
                require(unknown() >= 0, "has a WordLevel model whose unk_token is not in the vocabulary");
                yield new WordLevelModel(pieces(), unknown());
            }
            default ->
                throw LayercakeException.badModel("tokenizer.json has a model of the kind " + Quote.of(type())
                        + ", which is not supported; known are BPE, Unigram, WordPiece and WordLevel.");
        };
    }

    /** Whether the model can take words as bytes. */
    boolean isByteLevel() {
        return type().equals("BPE")
                && !Section.flag(fields, "byte_fallback", false)
                && fields.path("continuing_subword_prefix").asString("").isEmpty()
                && fields.path("end_of_word_suffix").asString("").isEmpty();
    }

    private TokenModel unigram() {
        int unknown = unknown();
        require(
                unknown >= 0 && unknown < vocabulary.count(),
                "has a Unigram model whose unk_id is not in the vocabulary");
        int[] idOfByte = Section.flag(fields, "byte_fallback", false) ? CharacterSymbols.byteTokens(pieces()) : null;
        return new UnigramModel(pieces(), Arrays.copyOf(scores, vocabulary.count()), unknown, idOfByte);
    }

    private TokenModel bytePair(boolean readsBytes) {
        JsonNode dropout = fields.path("dropout");
        if (dropout.isNumber() && dropout.doubleValue() != 0) {
            throw Section.refuse("asks for dropout, which makes tokens of chance and is for training only");
        }
        String prefix = fields.path("continuing_subword_prefix").asString("");
        String suffix = fields.path("end_of_word_suffix").asString("");
        boolean fallback = Section.flag(fields, "byte_fallback", false);
        boolean fuses = Section.flag(fields, "fuse_unk", false);
        int unknown = unknown();
        require(unknown >= 0 || !fields.path("unk_token").isString(), "has an unk_token that is not in the vocabulary");
        SymbolRule symbols;
        WordCuts cuts = WordCuts.NONE;
        List<int[]> merges = merges(prefix);
        if (readsBytes) {
            symbols = new ByteSymbols(pieces(), unknown, fuses);
        } else {
            int[] idOfByte = fallback ? CharacterSymbols.byteTokens(pieces()) : null;
            CharacterSymbols characters = new CharacterSymbols(pieces(), idOfByte, unknown, fuses, prefix, suffix);
            symbols = characters;
            if (!characters.dependOnPlace() && !mergesStandIns(merges, idOfByte, unknown)) {
                cuts = WordCuts.of(pieces());
            }
        }
        ListedMerges table = new ListedMerges(merges.size());
        for (int rank = 0; rank < merges.size(); rank++) {
            int[] merge = merges.get(rank);
            table.add(merge[0], merge[1], rank, merge[2]);
        }
        return new BytePairModel(pieces(), table, symbols, Section.flag(fields, "ignore_merges", false), cuts);
    }

    /** Whether something merges that stands for other characters than its own: a byte or the unknown token. */
    private static boolean mergesStandIns(List<int[]> merges, int @Nullable [] idOfByte, int unknown) {
        BitSet standIns = new BitSet();
        if (unknown >= 0) {
            standIns.set(unknown);
        }
        if (idOfByte != null) {
            Arrays.stream(idOfByte).filter(id -> id >= 0).forEach(standIns::set);
        }
        return merges.stream().anyMatch(merge -> standIns.get(merge[0]) || standIns.get(merge[1]));
    }

    private List<int[]> merges(String prefix) {
        PieceTable parts = mergeParts.build();
        PieceTable table = pieces();
        int prefixBytes = prefix.getBytes(StandardCharsets.UTF_8).length;
        List<int[]> merges = new ArrayList<>(mergeParts.count() / 2);
        for (int entry = 0; entry < mergeParts.count(); entry += 2) {
            byte[] left = parts.entryBytes(entry);
            byte[] right = parts.entryBytes(entry + 1);
            require(right.length >= prefixBytes, "has a merge whose second part is too short");
            byte[] whole = Arrays.copyOf(left, left.length + right.length - prefixBytes);
            System.arraycopy(right, prefixBytes, whole, left.length, right.length - prefixBytes);
            int leftId = table.find(left, 0, left.length);
            int rightId = table.find(right, 0, right.length);
            int wholeId = table.find(whole, 0, whole.length);
            require(
                    leftId >= 0 && rightId >= 0 && wholeId >= 0,
                    "has a merge of pieces that are not in the vocabulary");
            merges.add(new int[] {leftId, rightId, wholeId});
        }
        return merges;
    }

    private static void require(boolean holds, String complaint) {
        if (!holds) {
            throw Section.refuse(complaint);
        }
    }
}
