package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The {@code normalizer} section of a tokenizer.json; a kind that is not known is refused by name. */
final class NormalizerSection {
    private static final int DEEPEST = 32;
    private static final int MOST_RULES = 256;

    private int rules;

    private NormalizerSection() {}

    /** The rule, or null if there is none. */
    static @Nullable TextRule parse(JsonNode node) {
        return node.isNull() || node.isMissingNode() ? null : new NormalizerSection().read(node, 0);
    }

    private TextRule read(JsonNode node, int depth) {
        if (++rules > MOST_RULES) {
            throw Section.refuse("has more than " + MOST_RULES + " normalizers");
        }
        String type = node.path("type").asString("none");
        return switch (type) {
            case "Sequence" -> {
                Section.refuseDeeper(depth, DEEPEST, "normalizer");
                List<TextRule> rules = new ArrayList<>();
                for (JsonNode part : node.path("normalizers")) {
                    rules.add(read(part, depth + 1));
                }
                yield TextRule.sequence(rules);
            }
            case "NFC" -> TextRule.form(Normalizer.Form.NFC);
            case "NFD" -> TextRule.form(Normalizer.Form.NFD);
            case "NFKC" -> TextRule.form(Normalizer.Form.NFKC);
            case "NFKD" -> TextRule.form(Normalizer.Form.NFKD);
            case "Nmt" -> TextRule.cleanAsNmt();
            case "ByteLevel" -> TextRule.bytes();
            case "Lowercase" -> TextRule.lowercase();
            case "StripAccents" -> TextRule.without(c -> Unicode.isOf(c, Unicode.MARKS));
            case "Strip" ->
                TextRule.strip(Section.flag(node, "strip_left", true), Section.flag(node, "strip_right", true));
            case "Prepend" -> TextRule.prepend(Section.text(node, "prepend"));
            case "Replace" -> TextRule.replace(Section.pattern(node), Section.text(node, "content"));
            case "BertNormalizer" -> bert(node);
            default ->
                throw LayercakeException.badModel("tokenizer.json has a normalizer of the kind " + Quote.of(type)
                        + ", which is not supported; known are NFC, NFD, NFKC, NFKD, Nmt, ByteLevel, Lowercase, Strip, StripAccents,"
                        + " Prepend, Replace, BertNormalizer and sequences of them.");
        };
    }

    private static TextRule bert(JsonNode node) {
        boolean lowercase = Section.flag(node, "lowercase", true);
        List<TextRule> rules = new ArrayList<>();
        if (Section.flag(node, "clean_text", true)) {
            rules.add(TextRule.clean());
        }
        if (Section.flag(node, "handle_chinese_chars", true)) {
            rules.add(TextRule.isolateChinese());
        }
        if (Section.flag(node, "strip_accents", lowercase)) {
            rules.add(TextRule.form(Normalizer.Form.NFD));
            rules.add(TextRule.without(c -> Character.getType(c) == Character.NON_SPACING_MARK));
        }
        if (lowercase) {
            rules.add(TextRule.lowercase());
        }
        return TextRule.sequence(rules);
    }
}
