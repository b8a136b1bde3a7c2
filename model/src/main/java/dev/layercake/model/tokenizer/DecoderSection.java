package dev.layercake.model.tokenizer;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.model.format.Quote;
import dev.layercake.model.tokenizer.PieceDecoder.LeadingStrip;
import dev.layercake.model.tokenizer.PieceDecoder.Replacement;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * The {@code decoder} section of a tokenizer.json, read into a {@link PieceDecoder}. Known: ByteLevel, Metaspace,
 * WordPiece and BPEDecoder by themselves, and sequences of Replace (a literal), ByteFallback, Fuse and Strip (at the start),
 * which is what the tokenizers of language models use; anything else is refused by name.
 */
final class DecoderSection {
    private final List<Replacement> replacements = new ArrayList<>();
    private boolean byteLevel;
    private boolean byteFallback;
    private boolean firstSpaceDropped;
    private LeadingStrip leadingStrip = LeadingStrip.NONE;

    private DecoderSection() {}

    static PieceDecoder parse(JsonNode decoder) {
        switch (decoder.path("type").asString("none")) {
            case "WordPiece" -> {
                return new PieceDecoder.WordPiece(
                        decoder.path("prefix").asString("##"), Section.flag(decoder, "cleanup", true));
            }
            case "BPEDecoder" -> {
                String suffix = decoder.path("suffix").asString("</w>");
                if (suffix.isEmpty()) {
                    throw Section.refuse("has a BPEDecoder whose suffix is empty");
                }
                return new PieceDecoder.WordEnds(suffix);
            }
            default -> {
                // One of those that may stand in a sequence.
            }
        }
        DecoderSection section = new DecoderSection();
        section.read(decoder);
        if (section.byteLevel) {
            return new PieceDecoder.ByteLevel();
        }
        return new PieceDecoder.SentencePiece(
                section.replacements, section.byteFallback, section.firstSpaceDropped, section.leadingStrip);
    }

    private void read(JsonNode node) {
        String type = node.path("type").asString("none");
        switch (type) {
            case "ByteLevel" -> byteLevel = true;
            case "ByteFallback" -> byteFallback = true;
            case "Fuse" -> {
                // Pieces are put together anyway.
            }
            case "Sequence" -> {
                for (JsonNode part : node.path("decoders")) {
                    read(part);
                }
            }
            case "Replace" -> {
                JsonNode from = node.path("pattern").path("String");
                if (!from.isString() || from.asString().isEmpty()) {
                    throw refuse("Replace with a regular expression");
                }
                replacements.add(
                        new Replacement(from.asString(), node.path("content").asString("")));
            }
            case "Metaspace" -> {
                replacements.add(new Replacement(node.path("replacement").asString("\u2581"), " "));
                boolean prefixed = node.path("add_prefix_space").asBoolean(true);
                firstSpaceDropped = !node.path("prepend_scheme")
                        .asString(prefixed ? "always" : "never")
                        .equals("never");
            }
            case "Strip" -> {
                String content = node.path("content").asString(" ");
                if (content.length() != 1 || node.path("stop").asInt(0) != 0) {
                    throw refuse("Strip at the end");
                }
                leadingStrip =
                        new LeadingStrip(content.charAt(0), node.path("start").asInt(0));
            }
            default -> throw refuse(type);
        }
    }

    private static LayercakeException refuse(String what) {
        return LayercakeException.badModel("tokenizer.json has a decoder of the kind " + Quote.of(what)
                + ", which is not supported; known are ByteLevel, Metaspace, WordPiece and BPEDecoder by themselves,"
                + " and sequences of Replace, ByteFallback, Fuse and Strip at the start.");
    }
}
