package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.GgufStrings;
import dev.layercake.model.format.Quote;
import dev.layercake.model.tokenizer.PieceDecoder.LeadingStrip;
import dev.layercake.model.tokenizer.PieceDecoder.Replacement;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;

/** The parts of a tokenizer from the vocabulary of a GGUF file, which are used where they lie. */
final class GgufTokenizer {
    private static final char BLANK = '\u2581';

    private final GgufVocabulary vocabulary;
    private final GgufStrings tokens;
    private final int[] marked;

    private GgufTokenizer(GgufVocabulary vocabulary) {
        this.vocabulary = vocabulary;
        marked = vocabulary.marked();
        tokens = vocabulary.tokens();
    }

    static TokenizerParts read(GgufVocabulary vocabulary) {
        GgufTokenizer tokenizer = new GgufTokenizer(vocabulary);
        return switch (vocabulary.kind()) {
            case "gpt2" -> tokenizer.byteLevel();
            case "llama" -> tokenizer.sentencePiece();
            default ->
                throw LayercakeException.badModel("The tokenizer kind " + Quote.of(vocabulary.kind())
                        + " (tokenizer.ggml.model) is not supported; known are gpt2, llama.");
        };
    }

    private TokenizerParts byteLevel() {
        PreTokenizer rule = PreTokenizer.named(vocabulary.pre().orElse("default"));
        PieceTable pieces = table(tokens);
        TokenModel model = new BytePairModel(
                pieces, merges(pieces), new ByteSymbols(pieces, -1, false), rule.ignoresMerges(), WordCuts.NONE);
        TextStage words = new WordStage(model);
        for (String expression : rule.expressions().reversed()) {
            words = new SplitStage(TextPattern.of(expression), SplitStage.Delimiter.ISOLATED, false, words);
        }
        return new TokenizerParts(
                pieces,
                -1,
                added(tokens),
                rule.composes() ? TextRule.form(Normalizer.Form.NFC) : null,
                words,
                surroundings(rule.addsBos(), vocabulary.id("bos"), vocabulary.id("eos")),
                new PieceDecoder.ByteLevel());
    }

    private ListedMerges merges(PieceTable pieces) {
        GgufStrings list = vocabulary.merges();
        ListedMerges merges = new ListedMerges(list.size());
        byte[] bytes = list.bytes();
        byte[] whole = new byte[256];
        for (int rank = 0; rank < list.size(); rank++) {
            int start = list.starts()[rank];
            int end = list.ends()[rank];
            // A piece may begin with a space in a few old files; the separator is never the first character.
            int space = start + 1;
            while (space < end && bytes[space] != ' ') {
                space++;
            }
            if (space >= end - 1) {
                throw LayercakeException.badModel("The GGUF merge " + Quote.of(list.get(rank))
                        + " is not two pieces with a space between; the file is damaged.");
            }
            int left = pieces.find(bytes, start, space);
            int right = pieces.find(bytes, space + 1, end);
            if (whole.length < end - start) {
                whole = new byte[end - start];
            }
            System.arraycopy(bytes, start, whole, 0, space - start);
            System.arraycopy(bytes, space + 1, whole, space - start, end - space - 1);
            int joined = pieces.find(whole, 0, end - start - 1);
            // A merge with a part that is no piece could never be made.
            if (mayMerge(left) && mayMerge(right) && joined >= 0) {
                merges.add(left, right, rank, joined);
            }
        }
        return merges;
    }

    private TokenizerParts sentencePiece() {
        if (vocabulary.scores().length == 0) {
            throw LayercakeException.badModel(
                    "The GGUF vocabulary is of the kind llama but has no tokenizer.ggml.scores; the file is incomplete.");
        }
        requireNumbers(vocabulary.scores());
        GgufStrings written = withVisibleBlanks();
        PieceTable pieces = table(written);
        BitSet mergeable = notEmpty(written);
        BitSet definedByUser = new BitSet();
        for (int id : marked) {
            if (!mayMerge(id)) {
                mergeable.clear(id);
            }
            definedByUser.set(id, vocabulary.type(id) == GgufVocabulary.USER_DEFINED);
        }
        int unknown = orElse(vocabulary.id("unknown"), 0).orElse(-1);
        CharacterSymbols symbols =
                new CharacterSymbols(pieces, CharacterSymbols.byteTokens(pieces), unknown, true, "", "");
        TokenModel model = new BytePairModel(
                pieces,
                new ScoredMerges(pieces, vocabulary.scores(), mergeable, definedByUser),
                symbols,
                false,
                symbols.dependOnPlace() ? WordCuts.NONE : WordCuts.of(pieces));
        boolean spacePrefix = vocabulary.flag("add_space_prefix").orElse(true);
        List<TextRule> rules = new ArrayList<>();
        if (spacePrefix) {
            rules.add(TextRule.prepend(String.valueOf(BLANK)));
        }
        rules.add((text, work) -> text.replace(' ', BLANK));
        return new TokenizerParts(
                pieces,
                unknown,
                added(written),
                TextRule.sequence(rules),
                new WordStage(model),
                // SentencePiece's own numbers, for files that leave the keys out.
                surroundings(true, orElse(vocabulary.id("bos"), 1), orElse(vocabulary.id("eos"), 2)),
                new PieceDecoder.SentencePiece(
                        List.of(new Replacement(String.valueOf(BLANK), " ")),
                        true,
                        false,
                        spacePrefix ? new LeadingStrip(' ', 1) : LeadingStrip.NONE));
    }

    // Loops over all pieces stand alone and do little: a model's start runs them before they are compiled.
    private static void requireNumbers(float[] scores) {
        for (float score : scores) {
            if (Float.isNaN(score)) {
                throw LayercakeException.badModel(
                        "tokenizer.ggml.scores has a score that is no number; the GGUF file is damaged.");
            }
        }
    }

    private static BitSet notEmpty(GgufStrings pieces) {
        BitSet all = new BitSet(pieces.size());
        all.set(0, pieces.size());
        int[] starts = pieces.starts();
        int[] ends = pieces.ends();
        for (int id = 0; id < starts.length; id++) {
            if (starts[id] == ends[id]) {
                all.clear(id);
            }
        }
        return all;
    }

    /**
     * The pieces with runs of blanks that the model's maker defined written as the others are: converters write those as
     * true blanks, which no text has any more when it is cut.
     */
    private GgufStrings withVisibleBlanks() {
        byte[] blank = String.valueOf(BLANK).getBytes(StandardCharsets.UTF_8);
        int[] starts = tokens.starts().clone();
        int[] ends = tokens.ends().clone();
        ByteArrayOutputStream more = new ByteArrayOutputStream();
        for (int id : marked) {
            if (isBlankRun(id)) {
                int blanks = ends[id] - starts[id];
                starts[id] = tokens.bytes().length + more.size();
                for (int i = 0; i < blanks; i++) {
                    more.writeBytes(blank);
                }
                ends[id] = tokens.bytes().length + more.size();
            }
        }
        byte[] bytes = Arrays.copyOf(tokens.bytes(), tokens.bytes().length + more.size());
        System.arraycopy(more.toByteArray(), 0, bytes, tokens.bytes().length, more.size());
        return GgufStrings.of(bytes, starts, ends);
    }

    private boolean isBlankRun(int id) {
        if (vocabulary.type(id) != GgufVocabulary.USER_DEFINED) {
            return false;
        }
        int start = tokens.starts()[id];
        int end = tokens.ends()[id];
        for (int i = start; i < end; i++) {
            if (tokens.bytes()[i] != ' ') {
                return false;
            }
        }
        return end > start;
    }

    private OptionalInt orElse(OptionalInt id, int usual) {
        return id.isPresent() || usual >= tokens.size() ? id : OptionalInt.of(usual);
    }

    private boolean mayMerge(int id) {
        if (id < 0) {
            return false;
        }
        int type = vocabulary.type(id);
        return type != GgufVocabulary.CONTROL && type != GgufVocabulary.BYTE && type != GgufVocabulary.UNKNOWN;
    }

    private static PieceTable table(GgufStrings pieces) {
        PieceTable table = new PieceTable(pieces.bytes(), pieces.starts(), pieces.ends(), null);
        int twice = table.repeated();
        if (twice >= 0) {
            throw LayercakeException.badModel("The GGUF vocabulary has the piece " + Quote.of(pieces.get(twice))
                    + " twice, as " + twice + " and " + table.find(pieces.get(twice)) + "; the file is damaged.");
        }
        return table;
    }

    private List<AddedToken> added(GgufStrings written) {
        List<AddedToken> added = new ArrayList<>();
        OptionalInt unknown = vocabulary.id("unknown");
        for (int id : marked) {
            int type = vocabulary.type(id);
            boolean special =
                    type == GgufVocabulary.CONTROL || (type == GgufVocabulary.UNKNOWN && unknown.orElse(-1) == id);
            if ((special || type == GgufVocabulary.USER_DEFINED) && written.starts()[id] < written.ends()[id]) {
                String content = written.get(id);
                added.add(new AddedToken(
                        id, content, special, false, special && swallowsSpaceAfter(content), false, false));
            }
        }
        return added;
    }

    /** Phi-3's turn markers take the white space after them; GGUF has no key that says so. */
    private boolean swallowsSpaceAfter(String content) {
        return vocabulary.architecture().toLowerCase(Locale.ROOT).equals("phi3")
                && vocabulary.kind().equals("llama")
                && !content.equals("<unk>")
                && !content.equals("<s>")
                && !content.equals("<|endoftext|>");
    }

    private Surroundings surroundings(boolean usuallyAddsBos, OptionalInt bos, OptionalInt eos) {
        boolean addsEos = vocabulary.flag("add_eos_token").orElse(false);
        requireKnown("bos", vocabulary.flag("add_bos_token").orElse(false), bos);
        requireKnown("eos", addsEos, eos);
        boolean addsBos = vocabulary.flag("add_bos_token").orElse(usuallyAddsBos);
        return new Surroundings(
                addsBos && bos.isPresent() ? new int[] {bos.getAsInt()} : new int[0],
                addsEos && eos.isPresent() ? new int[] {eos.getAsInt()} : new int[0]);
    }

    private static void requireKnown(String name, boolean added, OptionalInt id) {
        if (added && id.isEmpty()) {
            throw LayercakeException.badModel("tokenizer.ggml.add_" + name + "_token is true but tokenizer.ggml." + name
                    + "_token_id is not there; the GGUF file is incomplete.");
        }
    }
}
