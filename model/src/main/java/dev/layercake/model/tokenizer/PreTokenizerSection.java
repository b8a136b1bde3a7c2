package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import dev.layercake.model.tokenizer.MetaspaceStage.Prefix;
import dev.layercake.model.tokenizer.SplitStage.Delimiter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import tools.jackson.databind.JsonNode;

/**
 * The {@code pre_tokenizer} section of a tokenizer.json, read into a chain of stages; a kind that is not known is refused
 * by name.
 */
final class PreTokenizerSection {
    private static final int DEEPEST = 32;

    private final List<JsonNode> steps = new ArrayList<>();

    private PreTokenizerSection(JsonNode node) {
        if (!node.isNull() && !node.isMissingNode()) {
            flatten(node, 0);
        }
    }

    static PreTokenizerSection of(JsonNode node) {
        return new PreTokenizerSection(node);
    }

    private void flatten(JsonNode node, int depth) {
        if (!node.path("type").asString("none").equals("Sequence")) {
            steps.add(node);
            return;
        }
        Section.refuseDeeper(depth, DEEPEST, "pre_tokenizer");
        for (JsonNode part : node.path("pretokenizers")) {
            flatten(part, depth + 1);
        }
        if (steps.size() > 256) {
            throw Section.refuse("has more than 256 pre-tokenizers");
        }
    }

    /** Whether words come to the model as bytes. */
    boolean endsInBytes() {
        return !steps.isEmpty()
                && isByteLevel(steps.getLast())
                && steps.stream().filter(PreTokenizerSection::isByteLevel).count() == 1;
    }

    private static boolean isByteLevel(JsonNode node) {
        return node.path("type").asString("none").equals("ByteLevel");
    }

    /**
     * The chain of all stages before a last one.
     *
     * @param readsBytes whether the last one takes the text itself for bytes, so that it need not be written in
     *     {@link ByteAlphabet}
     */
    TextStage chain(TextStage last, boolean readsBytes) {
        TextStage stage = last;
        for (int i = steps.size() - 1; i >= 0; i--) {
            stage = stage(steps.get(i), readsBytes && i == steps.size() - 1, stage);
        }
        return stage;
    }

    private static TextStage stage(JsonNode node, boolean readsBytes, TextStage next) {
        String type = node.path("type").asString("none");
        return switch (type) {
            case "ByteLevel" ->
                new ByteLevelStage(
                        Section.flag(node, "add_prefix_space", true),
                        Section.flag(node, "use_regex", true) ? TextPattern.of(ByteLevelStage.GPT_2) : null,
                        readsBytes ? next : new AlphabetStage(next));
            case "Split" ->
                new SplitStage(
                        Section.pattern(node),
                        delimiter(node.path("behavior").asString("")),
                        Section.flag(node, "invert", false),
                        next);
            case "Whitespace" -> isolated(TextPattern.of("\\w+|[^\\w\\s]+"), Delimiter.REMOVED, true, next);
            case "WhitespaceSplit" -> each(Unicode::isSpace, Delimiter.REMOVED, next);
            case "Punctuation" ->
                each(Unicode::isPunctuation, delimiter(node.path("behavior").asString("Isolated")), next);
            case "Digits" ->
                each(
                        Unicode::isNumeric,
                        Section.flag(node, "individual_digits", false) ? Delimiter.ISOLATED : Delimiter.CONTIGUOUS,
                        next);
            case "CharDelimiterSplit" ->
                isolated(TextPattern.literal(Section.text(node, "delimiter")), Delimiter.REMOVED, false, next);
            case "BertPreTokenizer" ->
                each(Unicode::isSpace, Delimiter.REMOVED, each(Unicode::isPunctuation, Delimiter.ISOLATED, next));
            case "UnicodeScripts" -> new ScriptStage(next);
            case "Metaspace" -> metaspace(node, next);
            default ->
                throw LayercakeException.badModel(
                        "tokenizer.json has a pre-tokenizer of the kind " + Quote.of(type)
                                + ", which is not supported; known are ByteLevel, Split, Whitespace, WhitespaceSplit,"
                                + " Punctuation, Digits, CharDelimiterSplit, BertPreTokenizer, UnicodeScripts, Metaspace and sequences of them.");
        };
    }

    private static TextStage isolated(TextPattern pattern, Delimiter delimiter, boolean inverted, TextStage next) {
        return new SplitStage(pattern, delimiter, inverted, next);
    }

    /** Every character of a class is a match of its own. */
    private static TextStage each(IntPredicate predicate, Delimiter delimiter, TextStage next) {
        return new SplitStage(TextPattern.each(new CodePointSet(predicate)), delimiter, false, next);
    }

    private static TextStage metaspace(JsonNode node, TextStage next) {
        String blank = node.path("replacement").asString("\u2581");
        if (blank.isEmpty()) {
            throw Section.refuse("has a Metaspace whose replacement is empty");
        }
        boolean prefixed = Section.flag(node, "add_prefix_space", true);
        Prefix prefix = switch (node.path("prepend_scheme").asString(prefixed ? "always" : "never")) {
            case "first" -> Prefix.FIRST;
            case "never" -> Prefix.NEVER;
            case "always" -> Prefix.ALWAYS;
            default -> throw Section.refuse("has a Metaspace with an unknown prepend_scheme");
        };
        return new MetaspaceStage(blank, prefix, Section.flag(node, "split", true), next);
    }

    private static Delimiter delimiter(String behavior) {
        return switch (behavior) {
            case "Removed" -> Delimiter.REMOVED;
            case "Isolated" -> Delimiter.ISOLATED;
            case "MergedWithPrevious" -> Delimiter.MERGED_WITH_PREVIOUS;
            case "MergedWithNext" -> Delimiter.MERGED_WITH_NEXT;
            case "Contiguous" -> Delimiter.CONTIGUOUS;
            default -> throw Section.refuse("has a Split with the unknown behavior " + Quote.of(behavior));
        };
    }
}
